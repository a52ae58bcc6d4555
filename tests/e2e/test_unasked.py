# SPDX-License-Identifier: Apache-2.0
"""A hostile pod says more than it was asked for: none of it may become the answer to somebody else, whenever it comes
(security spec, U8). A worker that is stopped for a moment sees all that came meanwhile in one turn."""
import socket
import threading

import pytest

from world.backend import name_and_body
from world.client import request_bytes
from world.ingot import stopped
from world.objects import ingress
from world.wait import eventually

HOST = "shop.example"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def asks(client, target="/"):
    client.send(request_bytes(target, HOST))


@pytest.mark.parametrize("first", ["poison", "request"])
def test_bytes_on_an_idle_connection_are_nobodys_answer_though_a_request_comes_in_the_same_turn(ingot, pod, first):
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    for turn in range(5):
        asks(client, "/before")
        assert client.response().body == b"pod /before\n"
        steps = [lambda: pod.wires[-1].send(POISON), lambda: asks(client, f"/{turn}")]
        with stopped(ingot):
            for step in steps if first == "poison" else reversed(steps):
                step()

        assert client.response().body == f"pod /{turn}\n".encode()


@pytest.mark.parametrize("behind", [POISON, POISON * 3, b"x", b"\r\n"], ids=["one", "three", "a byte", "an empty line"])
def test_bytes_behind_an_answer_are_nobodys_answer_though_a_request_comes_in_the_same_turn(ingot, pods, behind):
    go_on = threading.Event()

    def answer(wire, request):
        if request.target == "/evil":
            go_on.wait(20)
            wire.respond("evil")
            wire.send(behind)
        else:
            name_and_body(pod)(wire, request)
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))
    evil, honest = ingot.connect(), ingot.connect()
    asks(evil, "/evil")
    pod.await_requests(1)

    with stopped(ingot):
        go_on.set()
        eventually(lambda: pod.wires[0].sent > len(behind))
        asks(honest, "/honest")

    assert evil.response().body == b"evil"
    assert honest.response().body == b"pod /honest\n"


def test_bytes_that_come_between_pooling_and_taking_in_one_turn_are_nobodys_answer(ingot, pods):
    """A turn is made long by many requests to another host, between the answer after which the connection is pooled
    and the request that takes it; in the midst of it the worker is stopped and the pod adds what nobody asked for."""
    other = "other.example"
    (bystander,) = pods("bystander")
    go_on = threading.Event()

    def answer(wire, request):
        go_on.wait(20)
        name_and_body(pod)(wire, request)
        if request.target == "/evil":
            wire.was_answered.set()
            wire.may_read.wait(20)
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]), ingress(other, to=[bystander], name="other"))
    met = 0

    for turn in range(60):
        if met == 3:
            break
        evil, honest, *crowd = [ingot.connect() for _ in range(62)]
        go_on.clear()
        pod.close_idle()
        count = len(pod.requests)
        asks(evil, "/evil")
        pod.await_requests(count + 1)
        wire = pod.wires[-1]
        wire.was_answered, wire.may_read = threading.Event(), threading.Event()
        with stopped(ingot):
            go_on.set()
            wire.was_answered.wait(20)
            for client in crowd:
                client.send(request_bytes("/", other))
            asks(honest, f"/{turn}")
        assert evil.response().body == b"pod /evil\n"
        with stopped(ingot):
            if has_nothing(wire):       # else it is too late: what comes now answers the honest request
                met += 1
                wire.send(POISON)
        wire.may_read.set()

        assert honest.response().body == f"pod /{turn}\n".encode()
        assert {client.response().body for client in crowd} == {b"bystander /\n"}
        for client in [evil, honest, *crowd]:
            client.close()
    assert met > 0, "the worker was never stopped between pooling and taking"


def has_nothing(wire):
    """Nothing has come that nobody has read."""
    try:
        return not wire.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
