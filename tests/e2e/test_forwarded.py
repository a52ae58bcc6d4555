# SPDX-License-Identifier: Apache-2.0
"""Fields about the client that pods get: made by Ingot, and believed only from whom it was told to trust."""
import json
import re

import pytest

from world.client import request_bytes
from world.objects import ingress

HOST = "shop.example"


@pytest.fixture
def shop(make_ingot, pod):
    def make(**config):
        return make_ingot(config=config or None).serve(ingress(HOST, to=[pod]))
    return make


def test_pods_are_told_who_asks_for_what(shop, pod):
    ingot = shop()

    ingot.get(f"{HOST}:8080")

    request = pod.last
    assert request.header("Host") == "shop.example:8080"
    assert request.header("X-Real-IP") == "127.0.0.1"
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Host") == "shop.example:8080"
    assert request.header("X-Forwarded-Port") == str(ingot.http_port)
    assert request.header("X-Forwarded-Proto") == "http"
    assert request.header("X-Forwarded-Scheme") == "http"
    assert request.header("X-Scheme") == "http"
    assert re.fullmatch("[0-9a-f]{32}", request.header("X-Request-ID"))


def test_what_a_client_says_about_itself_is_not_believed(shop, pod):
    ingot = shop()

    ingot.get(HOST, headers=[
        ("X-Real-IP", "6.6.6.6"), ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Host", "evil"),
        ("X-Forwarded-Port", "1"), ("X-Forwarded-Proto", "https"), ("X-Scheme", "https"),
        ("X-Forwarded-Scheme", "https"), ("Forwarded", "for=6.6.6.6"), ("Proxy", "evil"),
        ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin"), ("X-Forwarded-Prefix", "/x"),
        ("X-Original-URI", "/admin"), ("X-Original-Method", "PUT"), ("ssl-client-verify", "SUCCESS")])

    request = pod.last
    assert request.header("X-Real-IP") == "127.0.0.1"
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Host") == HOST
    assert request.header("X-Forwarded-Proto") == "http"
    assert request.header("X-Scheme") == "http"
    assert request.header("X-Original-Forwarded-For") == "6.6.6.6"
    for name in ("X-Original-Forwarded-Host", "Forwarded", "Proxy", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix",
                 "X-Original-URI", "X-Original-Method", "ssl-client-verify"):
        assert request.header(name) is None, name


def test_a_request_id_of_the_client_is_kept_where_it_is_sound(shop, pod):
    ingot = shop()

    ingot.get(HOST, headers={"X-Request-ID": "trace-1.a:b@c"})
    assert pod.last.header("X-Request-ID") == "trace-1.a:b@c"

    ingot.get(HOST, headers={"X-Request-ID": "a b"})
    assert re.fullmatch("[0-9a-f]{32}", pod.last.header("X-Request-ID"))

    ingot.get(HOST, headers={"X-Request-ID": "x" * 129})
    assert re.fullmatch("[0-9a-f]{32}", pod.last.header("X-Request-ID"))


def test_request_ids_differ(shop, pod):
    ingot = shop()

    ingot.get(HOST, times=50)

    assert len({request.header("X-Request-ID") for request in pod.requests}) == 50


def test_request_ids_may_be_switched_off(shop, pod):
    ingot = shop(generate_request_id="false")

    ingot.get(HOST)

    assert pod.last.header("X-Request-ID") is None


TRUSTED = {"use_forwarded_headers": "true", "proxy_real_ip_cidr": "127.0.0.0/8,192.0.2.0/24"}


def test_a_trusted_peer_is_believed(shop, pod):
    ingot = shop(**TRUSTED)

    ingot.get(HOST, headers=[("X-Forwarded-For", "203.0.113.9, 192.0.2.7"),
                             ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"),
                             ("X-Forwarded-Host", "outside.example")])

    request = pod.last
    assert request.header("X-Real-IP") == "203.0.113.9"
    assert request.header("X-Forwarded-For") == "203.0.113.9"
    assert request.header("X-Forwarded-Proto") == "https"
    assert request.header("X-Forwarded-Port") == "443"
    assert request.header("X-Forwarded-Host") == "outside.example"
    assert request.header("Host") == "outside.example", "as ingress-nginx does; routes know the real one"


def test_the_walk_ends_at_the_first_address_that_is_not_trusted(shop, pod):
    ingot = shop(**TRUSTED)

    ingot.get(HOST, headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 192.0.2.7"})

    assert pod.last.header("X-Real-IP") == "203.0.113.9"


def test_text_that_is_no_address_ends_the_walk(shop, pod):
    ingot = shop(**TRUSTED)

    ingot.get(HOST, headers={"X-Forwarded-For": "6.6.6.6, nonsense, 192.0.2.7"})

    assert pod.last.header("X-Real-IP") == "192.0.2.7"


def test_a_peer_outside_the_list_is_not_believed(shop, pod):
    ingot = shop(use_forwarded_headers="true", proxy_real_ip_cidr="192.0.2.0/24")

    ingot.get(HOST, headers=[("X-Forwarded-For", "203.0.113.9"),
                             ("X-Forwarded-Proto", "https")])

    assert pod.last.header("X-Real-IP") == "127.0.0.1"
    assert pod.last.header("X-Forwarded-Proto") == "http"


def test_the_full_chain_is_passed_where_configured(shop, pod):
    ingot = shop(compute_full_forwarded_for="true", **TRUSTED)

    ingot.get(HOST, headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.7"})

    assert pod.last.header("X-Forwarded-For") == "203.0.113.9, 192.0.2.7, 127.0.0.1"


def addresses(count):
    return [f"203.0.113.{number % 250}" for number in range(count)]


@pytest.mark.parametrize("lines", [1, 2, 7])
def test_a_long_chain_is_passed_whole(shop, pod, lines):
    """Its right end is the one that a trusted proxy wrote: whatever is cut off, it must not be that."""
    ingot = shop(compute_full_forwarded_for="true", **TRUSTED)
    chain = addresses(490)      # 7 KiB: more than a line of nginx, less than a field may have
    size = -(-len(chain) // lines)

    ingot.get(HOST, headers=[("X-Forwarded-For", ", ".join(chain[at:at + size]))
                             for at in range(0, len(chain), size)])

    assert pod.last.header("X-Forwarded-For").split(", ") == [*chain, "127.0.0.1"]


def test_several_lines_of_a_chain_are_one_list(shop, pod):
    ingot = shop(**TRUSTED)

    ingot.get(HOST, headers=[("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", ""),
                             ("X-Forwarded-For", "203.0.113.9, 192.0.2.7"), ("X-Forwarded-For", "192.0.2.8")])

    assert pod.last.header("X-Real-IP") == "203.0.113.9"


@pytest.mark.parametrize("target, length, status", [("/%zz", 0, 400), ("/", 9_999_999, 413)])
def test_the_client_behind_a_trusted_peer_is_logged_for_answers_of_ingots_own(make_ingot, pod, target, length, status):
    ingot = make_ingot(log="json", config=TRUSTED).serve(ingress(HOST, to=[pod]))

    answer = ingot.raw(request_bytes(target, HOST, "POST", {"X-Forwarded-For": "203.0.113.9",
                                                            "Content-Length": str(length)}))

    assert answer.status == status
    (line,) = ingot.log_lines(1)
    assert json.loads(line)["client.address"] == "203.0.113.9"


def test_the_original_uri_is_passed_where_configured(shop, pod):
    ingot = shop(proxy_add_original_uri_header="true")

    ingot.get(HOST, "/a/b?c=d")

    assert pod.last.header("X-Original-URI") == "/a/b?c=d"


def test_names_with_underscores_are_dropped_unless_enabled(shop, pod):
    ingot = shop()
    ingot.get(HOST, headers={"X_A": "1", "X.B": "2", "X-C": "3"})

    assert pod.last.header("X_A") is None
    assert pod.last.header("X.B") is None
    assert pod.last.header("X-C") == "3"


def test_names_with_underscores_pass_when_enabled(shop, pod):
    ingot = shop(enable_underscores_in_headers="true")
    ingot.get(HOST, headers={"X_A": "1"})

    assert pod.last.header("X_A") == "1"


def test_the_server_field_of_a_pod_is_hidden_unless_allowed(make_ingot, pods):
    from world.backend import plain
    (pod,) = pods("pod", answer=plain("x", headers=[("Server", "pod/1")]))
    hidden = make_ingot().serve(ingress(HOST, to=[pod]))
    shown = make_ingot(config={"allow_backend_server_header": "true"}).serve(
        ingress(HOST, to=[pod]))

    assert hidden.get(HOST).header("Server") is None
    assert shown.get(HOST).header("Server") == "pod/1"
