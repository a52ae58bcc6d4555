# SPDX-License-Identifier: Apache-2.0
"""One line a request: the line of ingress-nginx, or a JSON object."""
import json
import re
import signal

import pytest

from world.backend import raw
from world.client import request_bytes
from world.objects import IN_TURN, backend_of, ingress
from world.wait import eventually

HOST = "shop.example"

# $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer"
# "$http_user_agent" $request_length $request_time [$proxy_upstream_name]
# [$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length
# $upstream_response_time $upstream_status $req_id
LIST = r"(?:[^ ,]+, )*[^ ,]+"      # one entry an attempt
LINE = re.compile(
    r'^(?P<client>\S+) - (?P<user>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] '
    r'"(?P<request>.*)" (?P<status>\d{3}) (?P<sent>\d+) "(?P<referer>.*)" "(?P<agent>.*)" '
    r'(?P<length>\d+) (?P<seconds>\d+\.\d{3}) \[(?P<upstream>[^\]]*)\] \[(?P<alternative>[^\]]*)\] '
    rf'(?P<address>{LIST}) (?P<up_length>{LIST}) (?P<up_seconds>{LIST}) (?P<up_status>{LIST}) '
    r'(?P<id>\S+)$')


@pytest.fixture
def shop(make_ingot, pod):
    def make(**options):
        return make_ingot(**options).serve(ingress(HOST, to=[pod]))
    return make


def test_the_default_line_is_that_of_ingress_nginx(shop, pod):
    ingot = shop()

    ingot.get(HOST, "/cart?id=1", headers={"User-Agent": "curl/8", "Referer": "http://a/"})

    (line,) = ingot.log_lines(1)
    found = LINE.match(line)
    assert found, line
    assert found["client"] == "127.0.0.1"
    assert found["user"] == "-"
    assert found["request"] == "GET /cart?id=1 HTTP/1.1"
    assert found["status"] == "200"
    assert found["sent"] == str(len("pod /cart?id=1\n"))
    assert found["referer"] == "http://a/"
    assert found["agent"] == "curl/8"
    assert found["upstream"] == "shop-web-80"
    assert found["alternative"] == ""
    assert found["address"] == f"127.0.0.1:{pod.port}"
    assert found["up_length"] == str(len("pod /cart?id=1\n"))
    assert re.fullmatch(r"\d+\.\d{3}", found["up_seconds"])
    assert found["up_status"] == "200"
    assert found["id"] == pod.last.header("X-Request-ID")


def test_a_request_without_pod_has_dashes(shop):
    ingot = shop()

    ingot.raw(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")

    found = LINE.match(ingot.log_lines(1)[0])
    assert found, ingot.log_lines(1)
    assert found["status"] == "400"
    assert found["address"] == "-"
    assert found["up_status"] == "-"


def test_attempts_are_listed(make_ingot, pods):
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    dead = type("Pod", (), {"address": "127.0.0.1", "port": port})()
    (alive,) = pods("alive")
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[dead, alive], annotations=IN_TURN))

    ingot.get(HOST, times=2)

    lines = [LINE.match(line) for line in ingot.log_lines(2)]
    both = next(line for line in lines if "," in line["address"])
    assert both["address"] == f"127.0.0.1:{port}, 127.0.0.1:{alive.port}"
    assert both["up_status"] == "502, 200"


def test_quotes_and_control_bytes_are_escaped(shop):
    ingot = shop()

    ingot.get(HOST, headers={"User-Agent": 'a"b\\c\xe9'})

    (line,) = ingot.log_lines(1)
    assert '"a\\x22b\\x5Cc\\xE9"' in line


def test_the_json_line_has_its_keys_in_order(shop, pod):
    ingot = shop(log="json")

    ingot.get(HOST, "/cart?secret=1", headers={"User-Agent": 'q"\\'})

    (line,) = ingot.log_lines(1)
    entry = json.loads(line)
    assert entry["request_id"] == pod.last.header("X-Request-ID")
    assert entry["client.address"] == "127.0.0.1"
    assert entry["http.request.method"] == "GET"
    assert entry["server.address"] == HOST
    assert entry["url.path"] == "/cart"
    assert "url.query" not in entry
    assert entry["http.response.status_code"] == 200
    assert entry["http.response.body.size"] == len("pod /cart?secret=1\n")
    assert entry["user_agent.original"] == 'q"\\'
    assert entry["k8s.namespace.name"] == "shop"
    assert entry["ingress"] == "web"
    assert entry["service"] == "web"
    assert entry["http.route"] == "/"
    assert entry["endpoint"] == f"127.0.0.1:{pod.port}"
    assert entry["reason"] == "ok"
    assert 0 <= entry["duration"] < 10
    order = ["time", "request_id", "client.address", "http.request.method", "server.address",
             "url.path", "http.response.status_code", "k8s.namespace.name", "ingress", "service",
             "endpoint", "duration", "reason"]
    assert [key for key in entry if key in order] == order


@pytest.mark.parametrize("send, status, reason", [
    (request_bytes("/", "unknown.example"), 404, "no_route"),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_host"),
    (request_bytes("/", HOST, "POST", {"Content-Length": "99999999"}), 413, "body_too_large"),
    (b"GET / HTTP/1.1\r\nHost: shop.example\r\nX : y\r\n\r\n", 400, "bad_field"),
])
def test_the_json_line_says_why(shop, send, status, reason):
    ingot = shop(log="json", config={"enable_access_log_for_default_backend": "true"})

    ingot.raw(send)

    entry = json.loads(ingot.log_lines(1)[0])
    assert entry["http.response.status_code"] == status
    assert entry["reason"] == reason


def test_requests_to_the_default_backend_are_logged_only_when_asked_for(make_ingot, pods):
    named, fallback = pods("named", "fallback")
    quiet = make_ingot(flags=["--default-backend-service", "shop/fallback"])
    loud = make_ingot(flags=["--default-backend-service", "shop/fallback"],
                      config={"enable_access_log_for_default_backend": "true"})
    for ingot in (quiet, loud):
        ingot.serve(ingress(HOST, to=[named]), backend_of("fallback", [fallback]))

        assert ingot.get("unknown.example", "/unknown").pod == "fallback"
        ingot.get(HOST, "/known")

    assert "/known" in quiet.log_lines(1)[0]
    assert "/unknown" in loud.log_lines(2)[0]


def test_an_attempt_that_failed_says_why(make_ingot, pods):
    ingot = make_ingot(log="json")
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw("nonsense\r\n\r\n", then="close"))))

    ingot.get(HOST)

    entry = json.loads(ingot.log_lines(1)[0])
    assert entry["http.response.status_code"] == 502
    assert entry["reason"] == "bad_response"


def test_a_client_that_went_away_is_499(make_ingot, pods):
    from world.backend import silent
    ingot = make_ingot(log="json")
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    pod.await_requests(1)

    client.reset()

    entry = json.loads(ingot.log_lines(1)[0])
    assert entry["http.response.status_code"] == 499
    assert entry["reason"] == "client_closed"


def test_the_log_is_opened_anew_on_sighup(shop):
    ingot = shop()
    ingot.get(HOST, "/before")
    ingot.log_lines(1)
    old = ingot.access_log.with_suffix(".1")
    ingot.access_log.rename(old)

    ingot.signal(signal.SIGHUP)

    def rotated():
        ingot.get(HOST, "/after")
        return ingot.access_log.exists() and "/after" in ingot.access_log.read_text()
    eventually(rotated)
    assert "/before" in old.read_text()


def test_the_log_may_be_off(shop):
    ingot = shop(flags=["--access-log", "off"])

    ingot.get(HOST, times=5)
    ingot.stop()

    assert not ingot.access_log.exists()


def test_the_log_may_be_switched_off_by_the_configmap(shop):
    ingot = shop(config={"disable_access_log": "true"})

    ingot.get(HOST, times=5)
    ingot.stop()

    assert not ingot.access_log.exists() or ingot.access_log.read_text() == ""


def test_no_line_is_lost_when_the_process_ends(make_ingot, pods):
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=pods("pod")))
    ingot.get(HOST, times=100)

    assert ingot.stop() == 0

    assert len(ingot.access_log.read_text().splitlines()) == 100


def test_standard_output_is_the_default(make_ingot, pod):
    ingot = make_ingot(flags=["--access-log", "-"])
    ingot.serve(ingress(HOST, to=[pod]))

    ingot.get(HOST, "/on-stdout")

    eventually(lambda: "/on-stdout" in ingot.said())
