# SPDX-License-Identifier: Apache-2.0
"""Tunnels: WebSocket handshakes, what passes through, and what is refused."""
import pytest

from world import websocket
from world.backend import plain, raw
from world.client import request_bytes
from world.objects import ingress, ingress_only, path_rule
from world.wait import eventually
from world.websocket import CLOSE, PING, PONG, frame, handshake, read_frame

HOST = "shop.example"


@pytest.fixture
def chat(ingot, pods):
    """An Ingot before one WebSocket pod, and that pod."""
    (pod,) = pods("pod", answer=websocket.echoing)
    ingot.serve(ingress(HOST, to=[pod]))
    return ingot, pod


def open_tunnel(ingot, **extra):
    key = websocket.new_key()
    client = ingot.connect()
    client.send(handshake(HOST, key=key, **extra))
    head = client.head()
    assert head.status == 101
    assert head.header("Upgrade") == "websocket"
    assert head.header("Connection").lower() == "upgrade"
    assert head.header("Sec-WebSocket-Accept") == websocket.accept_for(key)
    return client


def test_messages_pass_both_ways(chat):
    client = open_tunnel(chat[0])

    for message in ("hello", "x" * 200, "y" * 70_000):
        client.send(frame(message))
        assert read_frame(client.reader) == (websocket.TEXT, message.encode())


def test_a_close_passes_and_ends_both_sides(chat):
    ingot, pod = chat
    client = open_tunnel(ingot)

    client.send(frame(b"\x03\xe8", CLOSE))

    assert read_frame(client.reader) == (CLOSE, b"\x03\xe8")
    assert client.is_closed()
    eventually(lambda: pod.open_connections == 0)


def test_fields_of_the_handshake_pass(chat):
    ingot, pod = chat
    open_tunnel(ingot, **{"Sec-WebSocket-Protocol": "chat", "Origin": "http://shop.example"})

    assert pod.last.header("Sec-WebSocket-Protocol") == "chat"
    assert pod.last.header("Origin") == "http://shop.example"
    assert pod.last.header("X-Forwarded-For") == "127.0.0.1"


def test_messages_behind_the_handshake_wait_for_it(chat):
    ingot, _ = chat
    client = ingot.connect()

    client.send(handshake(HOST) + frame("early"))

    assert client.head().status == 101
    assert read_frame(client.reader) == (websocket.TEXT, b"early")


def test_a_refused_handshake_is_an_ordinary_answer_and_the_connection_lives(ingot, pods):
    pods_ = pods("pod", answer=plain("no", "403 Forbidden"))
    ingot.serve(ingress(HOST, to=pods_))
    client = ingot.connect()

    client.send(handshake(HOST))
    assert client.response().status == 403
    assert client.request("/", HOST).status == 403


@pytest.mark.parametrize("answer", [
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n\r\n",
])
def test_101_that_does_not_answer_the_handshake_is_502(ingot, pods, answer):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(answer))))
    client = ingot.connect()

    client.send(handshake(HOST))

    assert client.response().status == 502


@pytest.mark.parametrize("change", [
    {"Upgrade": "h2c"}, {"Upgrade": "TLS/1.3"}, {"Sec-WebSocket-Version": "8"},
    {"Sec-WebSocket-Key": "short"}, {"Connection": "keep-alive"},
])
def test_what_is_no_websocket_handshake_is_an_ordinary_request(chat, change):
    ingot, pod = chat
    client = ingot.connect()

    client.send(handshake(HOST, **change))

    assert client.response().body == b"no websocket"
    assert pod.last.header("Upgrade") is None
    assert pod.last.header("Connection") is None


def test_an_upgrade_of_a_post_is_an_ordinary_request(chat):
    ingot, pod = chat

    answer = ingot.raw(request_bytes("/", HOST, "POST", {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": websocket.new_key()}, b"body"))

    assert answer.body == b"no websocket"
    assert pod.last.body == b"body"


def test_a_tunnel_outlives_the_change_of_its_route(chat):
    ingot, _ = chat
    client = open_tunnel(ingot)

    ingot.apply(ingress_only("web", {"other.example": [path_rule("/", "web")]}))
    assert ingot.get(HOST).status == 404

    client.send(frame("still there"))
    assert read_frame(client.reader) == (websocket.TEXT, b"still there")


def test_pings_are_not_answered_by_ingot(chat):
    client = open_tunnel(chat[0])

    client.send(frame("are you there", PING))

    # the pod of this test sends frames back as they came: a pong would be Ingot's
    opcode, payload = read_frame(client.reader)
    assert opcode == PING != PONG
    assert payload == b"are you there"


def test_a_client_that_goes_closes_the_pods_end(chat):
    ingot, pod = chat
    client = open_tunnel(ingot)

    client.reset()

    eventually(lambda: pod.open_connections == 0)


def test_an_idle_tunnel_ends_after_the_read_timeout(make_ingot, pods):
    ingot = make_ingot(config={"proxy_read_timeout": 1, "proxy_send_timeout": 1})
    ingot.serve(ingress(HOST, to=pods("pod", answer=websocket.echoing)))
    client = open_tunnel(ingot)

    assert client.is_closed()


def test_tunnels_are_counted(chat):
    ingot, _ = chat
    clients = [open_tunnel(ingot) for _ in range(3)]

    eventually(lambda: ingot.get(HOST).status == 200)
    for client in clients:
        client.send(frame("x"))
        read_frame(client.reader)
