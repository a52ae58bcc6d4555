# SPDX-License-Identifier: Apache-2.0
"""Connections of clients: kept, pipelined, closed; HTTP/1.0."""
import os
import signal
import threading

import pytest

from world.backend import plain, raw
from world.client import request_bytes
from world.objects import ingress
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]))


def test_a_connection_carries_many_requests(shop, pod):
    client = shop.connect()

    answers = [client.request(f"/{number}", HOST) for number in range(50)]

    assert [answer.body for answer in answers] == [b"pod /%d\n" % n for n in range(50)]
    assert pod.connections == 1, "the connection to the pod is kept as well"


def test_pipelined_requests_are_answered_in_order(ingot, pods):
    release = threading.Event()

    def first_is_slow(wire, request):
        wire.read_body(request)
        if request.target == "/0":
            release.wait(10)
        wire.respond(request.target)

    (pod,) = pods("pod", answer=first_is_slow)
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    client.send(*(request_bytes(f"/{number}", HOST) for number in range(10)))
    pod.await_requests(1)
    release.set()

    assert [client.response().body for _ in range(10)] == [b"/%d" % n for n in range(10)]


def test_pipelined_requests_with_bodies_keep_their_boundaries(shop, pod):
    client = shop.connect()

    client.send(request_bytes("/a", HOST, "POST", body=b"first") +
                request_bytes("/b", HOST, "POST", {"Transfer-Encoding": "chunked"}) +
                b"3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n" +
                request_bytes("/c", HOST))

    assert [client.response().body for _ in range(3)] == [b"pod /a\n", b"pod /b\n", b"pod /c\n"]
    assert [request.body for request in pod.requests] == [b"first", b"second", b""]


def test_bytes_that_come_with_the_end_of_an_answer_harm_no_pipelined_request(make_ingot, pods):
    """The end of one exchange and more bytes of the client fall into one turn of the worker's loop."""
    release = threading.Event()

    def first_waits(wire, request):
        wire.read_body(request)
        if request.target == "/a":
            release.wait(10)
        wire.respond(request.target)
        if request.target == "/a":
            answered.set()

    answered = threading.Event()
    (pod,) = pods("pod", answer=first_waits)
    ingot = make_ingot(config={"upstream_keepalive_connections": 0})
    ingot.serve(ingress(HOST, to=[pod]))
    (worker,) = ingot.worker_pids
    client = ingot.connect()
    client.send(request_bytes("/a", HOST), request_bytes("/b", HOST))
    pod.await_requests(1)

    os.kill(worker, signal.SIGSTOP)
    release.set()
    assert answered.wait(5)
    client.send(request_bytes("/c", HOST) * 500)     # more than fits into the buffer of a connection
    os.kill(worker, signal.SIGCONT)

    assert [client.response().body for _ in range(502)] == [b"/a", b"/b"] + [b"/c"] * 500
    assert ingot.worker_pids == [worker]


def test_connection_close_is_obeyed(shop):
    client = shop.connect()

    answer = client.request("/", HOST, headers={"Connection": "close"})

    assert answer.status == 200
    assert answer.header("Connection") == "close"
    assert client.is_closed()


def test_what_follows_a_connection_close_is_not_parsed(shop, pod):
    client = shop.connect()

    client.send(request_bytes("/a", HOST, headers={"Connection": "close"}) +
                request_bytes("/b", HOST))

    assert client.response().body == b"pod /a\n"
    assert client.is_closed()
    assert [request.target for request in pod.requests] == ["/a"]


def test_http_1_0_is_answered_and_closed(shop, pod):
    client = shop.connect()

    answer = client.request("/", HOST, version="1.0")

    assert answer.status == 200
    assert client.is_closed()
    assert pod.requests, "the pod was spoken to in HTTP/1.1, which Request checks"


def test_an_http_1_0_client_never_gets_chunks(ingot, pods):
    (pod,) = pods("pod", answer=raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    answer = client.request("/", HOST, version="1.0")

    assert answer.header("Transfer-Encoding") is None
    assert answer.body == b"hello world"
    assert client.is_closed()


def test_a_client_may_send_byte_by_byte(shop):
    client = shop.connect()

    for byte in request_bytes("/slow?x=1", HOST, "POST", {"X-A": "b"}, body=b"body"):
        client.send(bytes([byte]))

    assert client.response().body == b"pod /slow?x=1\n"


def test_keep_alive_requests_closes_after_that_many(make_ingot, pod):
    ingot = make_ingot(config={"keep_alive_requests": 3})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    answers = [client.request("/", HOST) for _ in range(3)]

    assert [answer.header("Connection") for answer in answers] == [None, None, "close"]
    assert client.is_closed()


def test_keep_alive_zero_closes_after_each_answer(make_ingot, pod):
    ingot = make_ingot(config={"keep_alive": 0})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    assert client.request("/", HOST).header("Connection") == "close"
    assert client.is_closed()


def test_an_idle_connection_is_closed_when_its_time_is_over(make_ingot, pod):
    ingot = make_ingot(config={"keep_alive": 1})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    client.request("/", HOST)

    assert client.is_closed()


def test_a_thousand_connections_at_a_time(shop):
    clients = [shop.connect(timeout=30.0) for _ in range(1000)]

    for client in clients:
        client.send(request_bytes("/", HOST))
    answers = [client.response() for client in clients]

    assert all(answer.status == 200 for answer in answers)
    assert eventually(lambda: shop.metrics().sum("ingot_downstream_connections") >= 1000)


def test_a_client_that_resets_harms_nobody(shop, pod):
    for _ in range(20):
        client = shop.connect()
        client.send(request_bytes("/", HOST)[:30])
        client.reset()

    assert shop.get(HOST).status == 200


def test_workers_share_the_connections(make_ingot, pod):
    ingot = make_ingot(workers=3)
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST, times=60).statuses == {200: 60}


def test_a_response_head_is_passed_on_field_by_field(ingot, pods):
    (pod,) = pods("pod", answer=plain("x", "299 Very Fine", [
        ("X-One", "1"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d"), ("X-Empty", ""),
        ("x-lower", "caf\xe9"), ("Content-Type", "text/plain")]))
    ingot.serve(ingress(HOST, to=[pod]))

    answer = ingot.get(HOST)

    assert (answer.status, answer.reason) == (299, "Very Fine")
    assert answer.header("X-One") == "1"
    assert answer.all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.header("X-Empty") == ""
    assert answer.header("x-lower") == "caf\xe9"


def test_hop_by_hop_fields_stay_on_their_hop(ingot, pods):
    (pod,) = pods("pod", answer=plain("x", headers=[
        ("Connection", "X-Secret"), ("X-Secret", "1"), ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"), ("Server", "pod/1.0"), ("X-Powered-By", "pods")]))
    ingot.serve(ingress(HOST, to=[pod]))

    answer = ingot.get(HOST, headers=[("Connection", "X-Hop, keep-alive"), ("X-Hop", "1"),
                                      ("Keep-Alive", "timeout=9"), ("TE", "trailers"),
                                      ("Proxy-Connection", "close"), ("X-Stays", "2")])

    for name in ("X-Secret", "Keep-Alive", "Proxy-Authenticate", "Server"):
        assert answer.header(name) is None, name
    assert answer.header("X-Powered-By") == "pods"
    for name in ("X-Hop", "Keep-Alive", "Proxy-Connection"):
        assert pod.last.header(name) is None, name
    assert pod.last.header("X-Stays") == "2"
