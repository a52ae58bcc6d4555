# SPDX-License-Identifier: Apache-2.0
"""One side ends its sending and goes on listening."""
from world import websocket
from world.backend import plain, raw, silent
from world.client import request_bytes
from world.objects import ingress
from world.wait import eventually
from world.websocket import frame, handshake, read_frame

HOST = "shop.example"


def test_a_client_that_half_closes_after_its_request_gets_the_answer(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=plain("x" * 100_000))))
    client = ingot.connect()

    client.send(request_bytes("/", HOST))
    client.half_close()

    assert len(client.response().body) == 100_000
    assert client.is_closed()


def test_a_client_that_half_closes_after_its_body_gets_the_answer(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", body=b"x" * 100_000))
    client.half_close()

    assert client.response().status == 200
    assert len(pod.last.body) == 100_000


def test_a_client_that_goes_away_takes_its_attempt_along(ingot, pods):
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    pod.await_requests(1)

    client.reset()

    eventually(lambda: pod.open_connections == 0, 5, "the end of the attempt")


def test_a_pod_that_half_closes_behind_its_answer_is_understood(ingot, pods):
    (pod,) = pods("pod", answer=raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                                    then="half_close"))
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    assert [client.request("/", HOST).body for _ in range(5)] == [b"ok"] * 5


def test_a_half_close_passes_through_a_tunnel(ingot, pods):
    def talks_on(wire, request):
        wire.send(websocket.switching(request.header("Sec-WebSocket-Key")))
        assert wire.reader.rest() == b"last words"
        wire.send("the answer to them")
        wire.close()

    ingot.serve(ingress(HOST, to=pods("pod", answer=talks_on)))
    client = ingot.connect()
    client.send(handshake(HOST))
    assert client.head().status == 101

    client.send("last words")
    client.half_close()

    assert client.reader.rest() == b"the answer to them"


def test_a_half_close_of_the_pod_leaves_the_other_way_open(ingot, pods):
    got = []

    def listens_on(wire, request):
        wire.send(websocket.switching(request.header("Sec-WebSocket-Key")))
        wire.half_close()
        got.append(read_frame(wire.reader))
        wire.close()

    ingot.serve(ingress(HOST, to=pods("pod", answer=listens_on)))
    client = ingot.connect()
    client.send(handshake(HOST))
    assert client.head().status == 101
    assert client.is_closed()

    client.send(frame("after the end"))

    eventually(lambda: got == [(websocket.TEXT, b"after the end")])
