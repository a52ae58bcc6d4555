# SPDX-License-Identifier: Apache-2.0
"""Sizes: bodies, heads, targets."""
import pytest

from world.backend import raw
from world.client import chunk, request_bytes
from world.objects import ingress

HOST = "shop.example"
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture
def shop(make_ingot, pod):
    def make(**config):
        return make_ingot(config=config or None).serve(ingress(HOST, to=[pod]))
    return make


def test_a_body_of_a_mebibyte_passes_and_one_more_byte_is_413(shop, pod):
    ingot = shop()

    assert ingot.get(HOST, method="POST", body=b"x" * (1 << 20)).status == 200
    client = ingot.connect()
    client.send(request_bytes("/", HOST, "POST", {"Content-Length": str((1 << 20) + 1)}))
    assert client.response().status == 413
    assert client.is_closed()
    assert len(pod.requests) == 1


def test_a_chunked_body_beyond_the_limit_is_413(shop, pod):
    ingot = shop(proxy_body_size="10")
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", CHUNKED), chunk(b"12345"), chunk(b"678901"))

    assert client.response().status == 413
    assert client.is_closed()
    assert all(request.body is None for request in pod.requests)


def test_zero_means_no_limit(shop):
    ingot = shop(proxy_body_size="0")

    assert ingot.get(HOST, method="POST", body=b"x" * (3 << 20)).status == 200


def test_sizes_have_units(shop):
    ingot = shop(proxy_body_size="2m")

    assert ingot.get(HOST, method="POST", body=b"x" * (2 << 20)).status == 200
    assert ingot.raw(request_bytes("/", HOST, "POST", {
        "Content-Length": str((2 << 20) + 1)})).status == 413


def test_a_request_line_beyond_8_kib_is_414_at_once(shop):
    ingot = shop()

    assert ingot.get(HOST, "/" + "x" * 8000).status == 200
    assert ingot.raw(b"GET /" + b"x" * 8300).status == 414


def test_a_field_beyond_8_kib_is_431_at_once(shop):
    ingot = shop()

    assert ingot.get(HOST, headers={"X": "y" * 8000}).status == 200
    assert ingot.raw(b"GET / HTTP/1.1\r\nHost: shop.example\r\nX: " + b"y" * 8300).status == 431


def test_a_head_beyond_32_kib_is_431(shop):
    ingot = shop()

    assert ingot.get(HOST, headers=[(f"X-{n}", "y" * 7000) for n in range(4)]).status == 200
    assert ingot.get(HOST, headers=[(f"X-{n}", "y" * 7000) for n in range(5)]).status == 431


def test_more_than_a_hundred_fields_are_431(shop):
    ingot = shop()

    assert ingot.get(HOST, headers=[(f"X-{n}", "") for n in range(90)]).status == 200
    assert ingot.get(HOST, headers=[(f"X-{n}", "") for n in range(101)]).status == 431


def test_large_client_header_buffers_moves_the_limits(shop):
    ingot = shop(large_client_header_buffers="4 16k")

    assert ingot.get(HOST, "/" + "x" * 15_000).status == 200
    assert ingot.get(HOST, headers={"X": "y" * 15_000}).status == 200


def test_a_smaller_limit_holds_as_well(shop):
    ingot = shop(large_client_header_buffers="4 1k")

    assert ingot.get(HOST, "/" + "x" * 2000).status == 414
    assert ingot.get(HOST, headers={"X": "y" * 2000}).status == 431


@pytest.mark.parametrize("left", range(3))
def test_a_body_behind_a_head_that_fills_its_buffer_passes(shop, pod, left):
    """The head stays where it was read while the body comes in behind it."""
    size = (16 << 10) - left
    fields = [("Content-Length", "100000"), ("X-A", "y" * 7000), ("X-B", "y" * 7000), ("X-C", "")]
    short = size - len(request_bytes("/", HOST, "POST", fields))
    head = request_bytes("/", HOST, "POST", fields[:-1] + [("X-C", "z" * short)])
    body = b"b" * 100_000
    client = shop().connect()

    client.send(head)
    client.send(body)

    assert len(head) == size
    assert client.response().status == 200
    assert pod.requests[-1].body == body


def test_refusals_end_the_connection(shop):
    ingot = shop()
    client = ingot.connect()

    client.send(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: shop.example\r\n\r\n")

    answer = client.response()
    assert answer.status == 414
    assert answer.header("Connection") == "close"
    assert client.is_closed()


def test_proxy_buffer_size_lets_larger_response_heads_pass(make_ingot, pods):
    big = raw("HTTP/1.1 200 OK\r\n" + "".join(f"X-{n}: {'y' * 1000}\r\n" for n in range(60)) +
              "Content-Length: 0\r\n\r\n")
    ingot = make_ingot(config={"proxy_buffer_size": "128k"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=big)))

    answer = ingot.get(HOST)

    assert answer.status == 200
    assert len(answer.headers) > 60
