# SPDX-License-Identifier: Apache-2.0
"""What Ingot answers itself."""
import re

import pytest

from world.client import request_bytes
from world.objects import ingress, ingress_only, path_rule, service

HOST = "shop.example"


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]),
                       ingress_only("empty", {"empty.example": [path_rule("/", "empty")]}),
                       service("empty"))


@pytest.mark.parametrize("host, status, reason", [("unknown.example", 404, "Not Found"),
                                                  ("empty.example", 503, "Service Unavailable")])
def test_a_local_answer_is_a_small_plain_page_that_tells_nothing(shop, host, status, reason):
    answer = shop.get(host)

    assert (answer.status, answer.reason) == (status, reason)
    assert len(answer.body) < 1024
    assert str(status).encode() in answer.body
    assert b"ingot" not in answer.body.lower()
    assert answer.header("Content-Type").startswith("text/")
    assert answer.header("Server") is None
    assert re.fullmatch("[A-Za-z]{3}, .* GMT", answer.header("Date"))


def test_a_local_answer_to_head_has_no_body(shop):
    answer = shop.get("unknown.example", method="HEAD")

    assert answer.status == 404
    assert int(answer.header("Content-Length")) > 0


def test_a_local_answer_keeps_the_connection_and_skips_the_body(shop):
    client = shop.connect()

    assert client.request("/", "unknown.example", "POST", body=b"x" * 1000).status == 404
    assert client.request("/", HOST).status == 200


def test_options_for_everything_is_answered_here(shop, pod):
    answer = shop.raw(b"OPTIONS * HTTP/1.1\r\nHost: shop.example\r\n\r\n", method="OPTIONS")

    assert answer.status == 204
    assert "GET" in answer.header("Allow")
    assert pod.requests == []


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT"])
def test_methods_that_are_not_served_get_405(shop, pod, method):
    assert shop.get(HOST, method=method).status == 405
    assert pod.requests == []


def test_a_method_that_is_none_gets_501(shop):
    assert shop.get(HOST, method="get").status == 501


def test_no_host_in_http_1_1_is_400(shop):
    assert shop.raw(b"GET / HTTP/1.1\r\n\r\n").status == 400


def test_a_tls_handshake_on_the_plain_port_gets_a_hint(shop):
    client = shop.connect()

    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100)

    answer = client.response()
    assert answer.status == 400
    assert client.is_closed()


def test_a_preface_of_http_2_gets_505_where_http_2_is_off(make_ingot, pod):
    shop = make_ingot(config={"use-http2": "false"}).serve(ingress("shop.example", to=[pod]))

    assert shop.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 505


def test_refusals_are_told_apart_in_the_log_and_not_to_the_client(shop):
    answer = shop.raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")

    assert answer.status == 400
    assert b"Host" not in answer.body


def test_a_request_id_goes_with_every_local_answer(shop):
    assert shop.get("unknown.example").header("X-Request-ID")


def test_lingering_bytes_do_not_cost_the_client_its_answer(shop):
    client = shop.connect()

    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "5000000"}))
    try:
        client.send(b"x" * 60_000)
    except ConnectionError:
        pass

    assert client.response().status == 413
