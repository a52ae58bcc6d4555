# SPDX-License-Identifier: Apache-2.0
"""What is counted, and where: failures of endpoints, bytes, connections."""
import json

import pytest

from world import websocket
from world.backend import plain, raw, silent
from world.client import LAST_CHUNK, Closed, chunk, request_bytes
from world.figures import endpoint_loads
from world.objects import ingress
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def shop(make_ingot, pods):
    """One pod with that answer, and an Ingot that tries it once."""
    def make(answer=None, **config):
        (pod,) = pods("pod", answer=answer)
        ingot = make_ingot(config={"proxy_next_upstream_tries": 1, **config})
        return ingot.serve(ingress(HOST, to=[pod]))
    return make


# ------------------------------------------------------------------ failures of endpoints

HALF = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + "x" * 50_000
BROKEN_CHUNK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n"
NEVER = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.mark.parametrize("answer, config, fault", [
    (raw(then="close"), {}, "upstream_closed"),
    (raw("nonsense\r\n\r\n"), {}, "bad_response"),
    (silent(), {"proxy_read_timeout": 1}, "upstream_timeout"),
    (raw(HALF, then="close"), {}, "response_cut"),
    (raw(BROKEN_CHUNK), {}, "bad_response_body"),
    (raw(NEVER), {"proxy_read_timeout": 1}, "response_stalled"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_failure_of_a_pod_is_counted_before_and_after_its_head(shop, answer, config, fault):
    ingot = shop(answer, **config)

    try:
        ingot.get(HOST)
    except (Closed, ConnectionResetError):
        pass

    eventually(lambda: ingot.metrics().sum("ingot_local_responses_total", reason=fault) == 1)
    loads = endpoint_loads(ingot)
    assert (loads.requests, loads.failures, loads.in_flight) == (1, 1, 0)


def test_a_client_that_goes_is_no_failure_of_the_pod(shop):
    ingot = shop(raw(NEVER))
    client = ingot.connect()
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert client.head().status == 200

    client.reset()

    eventually(lambda: endpoint_loads(ingot).in_flight == 0)
    assert endpoint_loads(ingot).failures == 0


def test_an_answer_is_no_failure_of_the_pod(shop):
    ingot = shop()

    assert ingot.get(HOST, times=3).statuses == {200: 3}

    loads = endpoint_loads(ingot)
    assert (loads.requests, loads.failures) == (3, 0)


# ------------------------------------------------------------------ connections

def test_a_client_that_is_only_waited_for_is_neither_active_nor_idle(shop):
    ingot = shop()
    client = ingot.connect()
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9999999\r\n\r\n")
    assert client.response().status == 413
    assert client.is_closed()       # for its part; the other is waited for, so that it gets the answer

    figures = ingot.metrics()

    assert figures.get("ingot_downstream_connections", state="active") == 0
    assert figures.get("ingot_downstream_connections", state="idle") == 0


def test_gauges_of_clients_come_back_to_nothing(shop):
    ingot = shop()
    idle, refused, begun = (ingot.connect() for _ in range(3))
    assert idle.request("/", HOST).status == 200
    refused.send("nonsense\r\n\r\n")
    assert refused.response().status == 400
    begun.send("GET / HT")
    eventually(lambda: ingot.metrics().get("ingot_downstream_connections", state="active") == 1)
    assert ingot.metrics().get("ingot_downstream_connections", state="idle") == 1

    for client in (idle, refused, begun):
        client.close()

    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections") == 0)


# ------------------------------------------------------------------ bytes

def with_a_length(client):
    client.request("/", HOST, method="POST", body=b"x" * 5000)


def in_chunks(client):
    client.send(request_bytes("/", HOST, "POST", {"Transfer-Encoding": "chunked"}), chunk(b"hello"), chunk(b"world"),
                LAST_CHUNK)
    assert client.response().status == 200


def with_leave(client):
    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "5", "Expect": "100-continue"}))
    assert client.head().status == 100
    client.send(b"hello")
    assert client.response().status == 200


def behind_an_empty_line(client):
    client.request("/", HOST)
    client.send(b"\r\n")
    client.request("/", HOST)


def pipelined(client):
    client.send(request_bytes("/a", HOST) + request_bytes("/b", HOST))
    assert [client.response().status for _ in range(2)] == [200, 200]


def large(client):
    client.request("/", HOST, method="PUT", body=b"x" * 1_000_000)


def without_route(client):
    assert client.request("/", "nobody.example").status == 404


def malformed(client):
    client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n: x\r\n\r\nand more of it")
    assert client.response().status == 400


def too_large(client):
    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "9999999"}), b"x" * 30_000)
    assert client.response().status == 413
    client.send(b"x" * 2000)


def begun_and_left(client):
    client.send(b"GET / HTTP/1.1\r\nHost: sho")
    client.half_close()
    assert client.is_closed()


def begun_and_waited_for(client):
    client.send(b"GET / HTTP/1.1\r\nHost: sho")
    assert client.response().status == 408


def a_request(client):
    client.request("/", HOST)


def a_tunnel(client):
    client.send(websocket.handshake(HOST))
    assert client.head().status == 101
    client.send(websocket.frame("hello"))
    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"hello")
    client.half_close()
    assert client.reader.rest() is not None


def hinting(wire, request):
    wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
    wire.respond("ok")


def closing_once(pods_answer=plain("ok")):
    """The first connection is closed after the request, without an answer."""
    def answer(wire, request):
        if wire.number == 1:
            wire.close()
        else:
            pods_answer(wire, request)
    return answer


CHUNKED = raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
TOO_MUCH = raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more")


@pytest.mark.parametrize("ask, answer", [
    (a_request, None), (with_a_length, None), (in_chunks, None), (with_leave, None), (behind_an_empty_line, None),
    (pipelined, None), (large, None), (without_route, None), (malformed, None), (too_large, None),
    (begun_and_left, None), (begun_and_waited_for, None), (a_tunnel, websocket.echoing), (a_request, hinting),
    (a_request, closing_once()), (a_request, CHUNKED), (a_request, TOO_MUCH), (a_request, raw("nonsense\r\n\r\n")),
    (a_request, raw("HTTP/1.1 200 OK\r\nX: ", then="close")), (a_request, plain("x" * 1_000_000)),
], ids=lambda value: getattr(value, "__qualname__", "usual").removesuffix(".<locals>.answer"))
def test_every_byte_is_counted_on_either_side(make_ingot, pods, ask, answer):
    (pod,) = pods("pod", answer=answer)
    ingot = make_ingot(config={"client_header_timeout": 1})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    ask(client)
    client.close()

    def all_are_counted():
        figures = ingot.metrics()
        counted = [figures.get(f"ingot_{side}_{way}_bytes_total") for side in ("downstream", "upstream")
                   for way in ("received", "sent")]
        passed = [client.sent, client.reader.received, sum(wire.sent for wire in pod.wires),
                  sum(wire.reader.received for wire in pod.wires)]
        assert counted == passed
        return True
    eventually(all_are_counted)


def test_the_log_and_the_route_count_heads_and_framing(make_ingot, pods):
    ingot = make_ingot(log="json")
    ingot.serve(ingress(HOST, to=pods("pod", answer=CHUNKED)))
    client = ingot.connect()

    in_chunks(client)

    (line,) = ingot.log_lines(1)
    assert json.loads(line)["http.request.size"] == client.sent
    assert json.loads(line)["http.response.body.size"] == len("hello")
    figures = ingot.metrics()
    assert figures.sum("ingot_request_bytes_total", ingress="web") == client.sent
    assert figures.sum("ingot_response_bytes_total", ingress="web") == client.reader.received
