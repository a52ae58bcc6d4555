# SPDX-License-Identifier: Apache-2.0
"""What happens when time is over. Each time is set to a second; the test waits for the consequence."""
import socket
import threading

import pytest

from world.backend import raw, silent
from world.client import Closed, request_bytes
from world.objects import IN_TURN, ingress
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def hasty(make_ingot, pods):
    """Every time is a second."""
    def make(answer=None, **config):
        (pod,) = pods("pod", answer=answer)
        ingot = make_ingot(config={
            "client_header_timeout": 1, "client_body_timeout": 1, "keep_alive": 1,
            "proxy_connect_timeout": 1, "proxy_read_timeout": 1, "proxy_send_timeout": 1,
            "proxy_next_upstream_tries": 1, **config})
        ingot.serve(ingress(HOST, to=[pod]))
        return ingot, pod
    return make


def test_a_pod_that_says_nothing_is_504(hasty):
    ingot, pod = hasty(silent())

    assert ingot.get(HOST).status == 504
    eventually(lambda: pod.open_connections == 0, 5, "the end of the attempt")


def test_a_body_that_pauses_too_long_is_cut(hasty):
    ingot, _ = hasty(raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))

    with pytest.raises((Closed, ConnectionResetError)):
        ingot.get(HOST)


def test_a_connection_without_a_first_byte_is_closed(hasty):
    ingot, _ = hasty()

    assert ingot.connect().is_closed()


def test_an_empty_line_on_a_new_connection_is_no_request(hasty):
    ingot, _ = hasty()
    client = ingot.connect()

    client.send("\r\n")

    assert client.is_closed()


@pytest.mark.parametrize("pieces", [["\r\n"], ["\r", "\n"], ["\r"]])
def test_an_empty_line_behind_a_request_leaves_its_connection_idle(hasty, pieces):
    ingot, _ = hasty(keep_alive=2)
    client = ingot.connect()
    assert client.request("/", HOST).status == 200
    for piece in pieces:
        client.send(piece)

    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections", state="idle") == 1)
    assert client.is_closed()       # and not 408 after the second that a head may take


def test_an_empty_line_in_the_same_packet_as_a_request_leaves_its_connection_idle(hasty):
    ingot, _ = hasty(keep_alive=2)
    client = ingot.connect()

    client.send(request_bytes("/", HOST) + b"\r\n")

    assert client.response().status == 200
    assert client.is_closed()


def test_a_head_behind_an_empty_line_that_takes_too_long_is_408(hasty):
    ingot, _ = hasty(keep_alive=60)
    client = ingot.connect()

    client.send("\r\n")
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections", state="idle") == 1)
    client.send("GET / HT")

    assert client.response().status == 408


def test_a_head_that_takes_too_long_is_408(hasty):
    ingot, _ = hasty()
    client = ingot.connect()

    client.send("GET / HTTP/1.1\r\nHost: shop")

    assert client.response().status == 408
    assert client.is_closed()


def test_a_head_that_drips_is_408_all_the_same(hasty):
    ingot, _ = hasty()
    client = ingot.connect()
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\nX: ")

    def drip():
        client.send("y")
        return client.has_news()
    eventually(drip, 10, "an answer to a head that drips")

    assert client.response().status == 408


def test_a_request_body_that_pauses_too_long_is_408(hasty):
    ingot, pod = hasty()
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "10"}), b"half")

    assert client.response().status == 408
    assert client.is_closed()
    eventually(lambda: pod.open_connections == 0, 5, "the end of the attempt")


def test_a_pod_that_does_not_accept_is_504(make_ingot):
    """A queue of connections that is full: the kernel leaves further ones unanswered."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for client in crowd:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        stuck = type("Pod", (), {"address": "127.0.0.1", "port": full.getsockname()[1]})()
        ingot = make_ingot(config={"proxy_connect_timeout": 1, "proxy_next_upstream_tries": 1})
        ingot.serve(ingress(HOST, to=[stuck]))

        assert ingot.get(HOST).status == 504
        for client in crowd:
            client.close()


def test_a_silent_pod_is_passed_over_for_another(make_ingot, pods):
    ingot = make_ingot(config={"proxy_read_timeout": 1})
    (mute,) = pods("mute", answer=silent())
    (alive,) = pods("alive")
    ingot.serve(ingress(HOST, to=[mute, alive], annotations=IN_TURN))

    assert ingot.get(HOST, times=2, timeout=10).by_pod == {"alive": 2}
    assert mute.requests


def test_a_slow_answer_within_its_time_is_fine(hasty):
    ingot, _ = hasty(raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
                     proxy_read_timeout=60)

    assert ingot.get(HOST).body == b"ok"


def test_the_time_for_further_tries_begins_with_the_first(make_ingot, pods):
    """A client that takes longer for its head than all tries may take gets its second try."""
    (broken,) = pods("broken", answer=raw(then="close"))
    (alive,) = pods("alive")
    ingot = make_ingot(config={"proxy_next_upstream_timeout": 1})
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))
    clients = [ingot.connect(), ingot.connect()]
    for client in clients:
        client.send("GET / HTTP/1.1\r\nHost: shop")
    threading.Event().wait(1.2)         # longer than tries may go on: that is the case

    for client in clients:
        client.send(".example\r\n\r\n")

    assert [client.response().pod for client in clients] == ["alive", "alive"]
    assert broken.requests
