# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards pods: what the streams of one connection share, and pods that misbehave."""
import os
import signal
import ssl
import threading

import pytest
from h2.settings import SettingCodes

from world.certificates import Authority
from world.client import Connection
from world.h2pod import H2Pod, h1_only
from world.http2 import (CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
                         Client, Code, frame, literal)
from world.objects import endpoints, ingress
from world.wait import eventually, never

HOST = "shop.example"
PROTOCOL = "nginx.ingress.kubernetes.io/backend-protocol"


@pytest.fixture
def h2_pods():
    """h2_pods("a", "b", answer=…): that many pods; what reaches them must obey the rules."""
    made = []

    def make(*names, **options):
        new = [H2Pod(name, **options) for name in names]
        made.extend(new)
        return new

    yield make
    for pod in made:
        pod.stop()
    faults = {pod.name: pod.faults for pod in made if pod.faults}
    assert not faults, f"pods got what breaks the rules: {faults}"


def shop(pods, protocol="GRPC"):
    return ingress(HOST, to=pods, annotations={PROTOCOL: protocol})


def hold(call):
    """The test answers."""


def number(value):
    return value.to_bytes(4, "big")


def goaway(last, code=0):
    return frame(GOAWAY, 0, 0, number(last) + number(code))


def reason(ingot, word):
    return ingot.metrics().sum("ingot_local_responses_total", reason=word)


# ------------------------------------------------------------------ requests and responses

def test_a_request_of_http_1_goes_by_http_2(ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot.serve(shop([pod]))

    answer = ingot.get(HOST, "/a?b=c", headers=[("X-Mine", "1"), ("Connection", "x-hop"), ("X-Hop", "1")])

    assert (answer.status, answer.body) == (200, b"pod /a?b=c\n")
    call = pod.calls[0]
    assert [call.header(name) for name in (":method", ":scheme", ":authority", ":path")] == [
        "GET", "http", HOST, "/a?b=c"]
    assert call.header("x-mine") == "1"
    assert call.header("x-forwarded-for") == "127.0.0.1"
    names = {name for name, _ in call.fields}
    assert names.isdisjoint({"host", "connection", "x-hop", "keep-alive", "te", "transfer-encoding"})


@pytest.mark.parametrize("size", [0, 1, 5000, 700_000])
def test_bodies_go_both_ways(ingot, h2_pods, size):
    (pod,) = h2_pods("pod", answer=lambda call: call.respond(bytes(call.body)))
    ingot.serve(shop([pod]))
    body = os.urandom(size)

    assert ingot.request(HOST, method="POST", body=body).body == body
    with Client(ingot.address) as client:
        assert bytes(client.post(HOST, body).body) == body
    assert pod.accepted == 1


def test_trailers_go_to_clients_of_http_2(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=lambda call: call.respond(b"x", trailers=[
        ("outcome", "good"), ("set-cookie", "a=1")]))
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        answer = client.get(HOST)

    assert answer.trailers == [("outcome", "good")]     # and nothing that belongs into a head
    assert ingot.get(HOST).body == b"x"


def test_head_and_statuses_without_body(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=lambda call: call.head(int(call.header(":path")[1:]), end=True))
    ingot.serve(shop([pod]))
    with Connection(ingot.address) as client:
        assert client.request("/200", HOST).header("Content-Length") == "0"
        assert client.request("/204", HOST).header("Content-Length") is None
        assert client.request("/304", HOST).header("Content-Length") is None
        assert client.request("/200", HOST, method="HEAD").header("Content-Length") is None
        assert client.request("/404", HOST).framing == "length"


def test_hints_pass_and_other_interim_heads_do_not(ingot, h2_pods):
    def answer(call):
        call.inform(100)
        call.inform(103, [("link", "</a.css>; rel=preload")])
        call.respond(b"x")

    (pod,) = h2_pods("pod", answer=answer)
    ingot.serve(shop([pod]))

    answer = ingot.get(HOST)

    assert answer.status == 200
    assert [interim.status for interim in answer.informational] in ([103], [])  # none where the last came at once


def test_a_response_that_comes_before_the_request_ends(ingot, h2_pods):
    def early(call):
        call.respond(b"no", 403)
        call.refuse(Code.NO_ERROR)

    (pod,) = h2_pods("pod", early=early, answer=hold, careless=True)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST, method="POST", end=False)

        answer = client.answer(stream)

    assert (answer.status, bytes(answer.body)) == (403, b"no")


def test_no_websocket_goes_there(ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot.serve(shop([pod]))

    answer = ingot.get(HOST, headers=[
        ("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])

    assert answer.status == 200     # what the pod says to a GET
    assert pod.calls[0].header("upgrade") is None


# ------------------------------------------------------------------ connections

def test_streams_share_a_connection(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, f"/{i}") for i in range(100)]
        calls = pod.await_calls(100)
        assert pod.accepted == 1
        for call in reversed(calls):
            call.respond(call.header(":path").encode())

        for i, stream in enumerate(streams):
            assert bytes(client.answer(stream).body) == f"/{i}".encode()
    assert ingot.metrics().sum("ingot_upstream_connections_total") == 1


def test_not_more_than_a_hundred(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, f"/{i}") for i in range(120)]
        for call in pod.await_calls(120):
            call.respond(b"x")
        for stream in streams:
            assert client.answer(stream).status == 200
    assert pod.accepted == 2


def test_what_a_pod_takes_is_obeyed(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, f"/{i}") for i in range(10)]
        for call in pod.await_calls(10):
            call.respond(b"x")
        for stream in streams:
            assert client.answer(stream).status == 200
    assert pod.accepted == 5
    assert ingot.metrics().sum("ingot_retries_total") == 0


def test_a_pod_that_takes_none_is_not_asked_for_ever(ingot, h2_pods):
    (pod,) = h2_pods("pod", settings={SettingCodes.MAX_CONCURRENT_STREAMS: 0}, careless=True)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, method="POST") for _ in range(10)]
        for stream in streams:
            assert client.answer(stream).status == 502
    # the one that goes before its SETTINGS come is refused by the pod's own library
    assert pod.accepted < 100


def test_a_pod_may_take_fewer_later(ingot, h2_pods):
    def answer(call):
        if call.header(":path") == "/first":
            call.connection.raw(frame(SETTINGS, 0, 0, b"\0\3" + number(1)))    # MAX_CONCURRENT_STREAMS
            call.respond(b"x")

    (pod,) = h2_pods("pod", answer=answer)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        assert client.get(HOST, "/first").status == 200
        streams = [client.request(HOST, f"/{i}", method="POST") for i in range(5)]
        calls = pod.await_calls(6)[1:]
        assert [call.connection for call in calls].count(pod.connections[0]) == 1
        for call in calls:
            call.respond(b"x")

        for stream in streams:
            assert client.answer(stream).status == 200


def test_a_request_goes_over_as_soon_as_an_open_connection_has_room(make_ingot, h2_pods):
    second = threading.Event()

    def greets(connection):
        if connection is not pod.connections[0]:
            second.wait(10)
            connection.set({SettingCodes.MAX_CONCURRENT_STREAMS: 1})

    (pod,) = h2_pods("pod", answer=hold, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2}, greets=greets)
    ingot = make_ingot(config={"proxy-connect-timeout": "30"}).serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, f"/{i}") for i in range(2)]
        calls = pod.await_calls(2)
        waiting = [client.request(HOST, f"/{i}") for i in range(2, 4)]  # one goes before SETTINGS come, one waits
        eventually(lambda: len(pod.connections) == 2)
        calls[0].respond(b"x")
        assert client.answer(streams[0]).status == 200

        second.set()

        calls = pod.await_calls(4)
        assert [call.connection for call in calls].count(pod.connections[0]) == 3
        for call in calls[1:]:
            call.respond(b"x")
        for stream in streams[1:] + waiting:
            assert client.answer(stream).status == 200
    assert pod.accepted == 2


def test_an_idle_connection_ends_with_a_word(make_ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot = make_ingot(config={"upstream-keepalive-timeout": "1"}).serve(shop([pod]))

    assert ingot.get(HOST).status == 200

    eventually(lambda: pod.open_connections == 0)
    assert pod.connections[0].goaway == 0


def test_a_connection_serves_as_many_requests_as_it_may(make_ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot = make_ingot(config={"upstream-keepalive-requests": "2"}).serve(shop([pod]))

    for _ in range(6):
        assert ingot.get(HOST).status == 200

    assert pod.accepted == 3


def test_an_idle_connection_that_the_pod_closed_is_not_used(ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot.serve(shop([pod]))
    for served in range(1, 5):
        assert ingot.request(HOST, method="POST", body=b"x").status == 200
        assert pod.accepted == served
        pod.connections[-1].close()
        eventually(lambda: pod.open_connections == 0)


def test_a_pod_that_has_left_serves_what_it_has_begun(ingot, h2_pods):
    old, new = h2_pods("old", "new", answer=hold)
    ingot.serve(shop([old]))
    with Client(ingot.address) as client:
        first = client.request(HOST)
        (held,) = old.await_calls(1)
        ingot.apply(*endpoints("web", [new]))
        second = client.request(HOST)
        new.await_calls(1)[0].respond(b"new")
        assert bytes(client.answer(second).body) == b"new"
        assert old.open_connections == 1

        held.respond(b"old")

        assert bytes(client.answer(first).body) == b"old"
    eventually(lambda: old.open_connections == 0)


def test_ingot_ends_when_the_streams_have(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        (held,) = pod.await_calls(1)
        ingot.signal(signal.SIGTERM)
        client.await_(lambda: client.goaways)
        held.respond(b"x")

        assert client.answer(stream).status == 200
    assert ingot.wait() == 0
    eventually(lambda: pod.open_connections == 0)


# ------------------------------------------------------------------ GOAWAY, refusal, loss

def test_streams_that_a_goaway_leaves_out_go_elsewhere(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, f"/{i}", method="POST") for i in range(3)]
        calls = pod.await_calls(3)
        pod.connections[0].raw(goaway(calls[0].number))
        again = pod.await_calls(5)[3:]      # over a new connection
        assert {call.header(":path") for call in again} == {call.header(":path") for call in calls[1:]}
        assert {call.connection for call in again} == {pod.connections[1]}
        for call in [calls[0], *again]:
            call.respond(call.header(":path").encode())

        assert [bytes(client.answer(stream).body) for stream in streams] == [b"/0", b"/1", b"/2"]
    eventually(lambda: not pod.connections[0].is_open)


def test_after_a_goaway_nothing_new_goes_there(ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot.serve(shop([pod]))
    assert ingot.get(HOST).status == 200
    pod.connections[0].raw(goaway(0x7fffffff))
    eventually(lambda: not pod.connections[0].is_open)

    assert ingot.get(HOST).status == 200
    assert pod.accepted == 2


def test_a_refused_stream_goes_to_another_pod(ingot, h2_pods):
    def refuse(call):
        call.refuse(Code.REFUSED_STREAM)

    (bad,), (good,) = h2_pods("bad", early=refuse, answer=hold, careless=True), h2_pods("good")
    ingot.serve(shop([bad, good]))
    for _ in range(4):
        answer = ingot.request(HOST, method="POST", body=b"x")
        assert (answer.status, answer.pod) == (200, "good")
    assert bad.calls
    assert len(good.calls) == 4


def test_a_stream_that_all_refuse(ingot, h2_pods):
    pods = h2_pods("a", "b", early=lambda call: call.refuse(Code.REFUSED_STREAM), answer=hold, careless=True)
    ingot.serve(shop(pods))

    assert ingot.request(HOST, method="POST", body=b"x").status == 502
    eventually(lambda: reason(ingot, "stream_refused") == 1)
    assert sum(len(pod.calls) for pod in pods) == 3     # proxy-next-upstream-tries


@pytest.mark.parametrize("method, status, seen", [("GET", 502, 3), ("POST", 502, 1)])
def test_what_a_pod_may_have_acted_on_is_not_repeated(ingot, h2_pods, method, status, seen):
    (pod,) = h2_pods("pod", answer=lambda call: call.connection.close(), careless=True)
    ingot.serve(shop([pod]))

    answer = ingot.request(HOST, method=method, body=b"x" if method == "POST" else None)

    assert answer.status == status
    assert len(pod.calls) == seen


def test_a_connection_that_is_lost_fails_its_streams_alone(ingot, h2_pods):
    (pod,), (other,) = h2_pods("pod", answer=hold, careless=True), h2_pods("other")
    ingot.serve(shop([pod]), ingress("other.example", to=[other], name="other", annotations={PROTOCOL: "GRPC"}))
    with Client(ingot.address) as client:
        streams = [client.request(HOST, method="POST") for _ in range(10)]
        pod.await_calls(10)
        pod.stop()
        for stream in streams:
            assert client.answer(stream).status == 502
        assert client.get("other.example").status == 200


def test_a_response_that_is_cut_is_cut_for_the_client(ingot, h2_pods):
    def answer(call):
        call.head()
        call.send(b"half")

    (pod,) = h2_pods("pod", answer=answer, careless=True)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        client.await_(lambda: stream.received == 4)
        pod.calls[0].refuse(Code.INTERNAL_ERROR)
        client.answer(stream)

        assert not stream.ended
        assert stream.reset == Code.INTERNAL_ERROR
    with Connection(ingot.address) as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = client.head()
        pod.calls[1].refuse(Code.INTERNAL_ERROR)
        with pytest.raises((EOFError, OSError)):
            client.body(head)


# ------------------------------------------------------------------ connections that are dead, and nobody says so

def test_a_connection_on_which_nothing_comes_any_more_is_left(make_ingot, h2_pods):
    (pod,) = h2_pods("pod")
    ingot = make_ingot(config={"proxy-read-timeout": "1", "proxy-next-upstream": "off"}).serve(shop([pod]))
    with Client(ingot.address) as client:
        assert client.get(HOST).status == 200
        pod.connections[0].deaf = True
        assert client.get(HOST).status == 504

        assert client.get(HOST).status == 200
    assert pod.accepted == 2
    eventually(lambda: not pod.connections[0].is_open, 10)
    assert pod.connections[1].is_open


def test_streams_of_a_dead_connection_end_with_it(make_ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    ingot = make_ingot(config={"proxy-send-timeout": "1", "proxy-next-upstream": "off"}).serve(shop([pod]))
    with Client(ingot.address) as client:
        waiting = client.request(HOST, method="POST")
        pod.await_calls(1)
        pod.connections[0].deaf = True
        assert client.post(HOST, b"x" * 5000).status == 504

        assert client.answer(waiting, 15).status == 502     # long before its own 60 s
    eventually(lambda: reason(ingot, "upstream_reset") == 1)


def test_a_slow_pod_that_answers_ping_keeps_its_connection(make_ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=lambda call: None if call.header(":path") == "/slow" else call.respond(b"x"))
    ingot = make_ingot(config={"proxy-read-timeout": "1", "proxy-next-upstream": "off"}).serve(shop([pod]))
    with Client(ingot.address) as client:
        assert client.get(HOST).status == 200
        for count in (1, 2):
            assert client.get(HOST, "/slow").status == 504
            eventually(lambda: pod.pings == count)

        assert client.get(HOST).status == 200
    assert pod.accepted == 1
    never(lambda: not pod.connections[0].is_open, 6)


def test_a_connection_whose_last_bytes_nobody_takes_ends(make_ingot, h2_pods):
    release = threading.Event()

    def early(call):
        call.connection.h2.increment_flow_control_window(1 << 30)
        call.connection.flush()
        release.wait(60)        # and reads nothing meanwhile

    (pod,) = h2_pods("pod", early=early, answer=hold, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1 << 30})
    ingot = make_ingot(config={"proxy-body-size": "0"}).serve(shop([pod]))
    try:
        with Client(ingot.address) as client:
            stream = client.request(HOST, method="POST", end=False)
            pod.await_calls(1)
            while (room := client.h2.local_flow_control_window(stream.number)) > 0:    # until all is full
                client.h2.send_data(stream.number, b"x" * min(room, 16384))
                client.flush()
                client.read(0.2 if room <= 16384 else 0)
            client.reset(stream)

            eventually(lambda: ingot.metrics().sum("ingot_upstream_connections", state="active") == 0, 15)
    finally:
        release.set()


# ------------------------------------------------------------------ cancellation and windows

def test_who_goes_cancels_the_stream(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        (call,) = pod.await_calls(1)
        client.reset(stream)
        eventually(lambda: call.reset == Code.CANCEL)
        assert client.request(HOST)
        pod.await_calls(2)
    eventually(lambda: pod.calls[1].reset == Code.CANCEL)
    assert pod.open_connections == 1


def test_rapid_resets_do_not_flood_pods(ingot, h2_pods):
    (pod,) = h2_pods("pod", answer=hold)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        for _ in range(1000):
            if client.closed:
                break
            client.reset(client.request(HOST))
            client.read(0)
        client.await_end()

        assert client.goaways
    assert len(pod.calls) <= 200        # the glitch budget's
    assert pod.accepted <= 3
    eventually(lambda: all(call.reset is not None for call in pod.calls))
    assert ingot.metrics().sum("ingot_upstream_connections", state="active") == 0


def test_a_client_that_takes_nothing_holds_nobody_up(ingot, h2_pods):
    def answer(call):
        call.respond(b"x" * (10 << 20) if call.header(":path") == "/large" else b"small")

    (pod,) = h2_pods("pod", answer=answer)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as stalled, Client(ingot.address) as client:
        streams = [stalled.request(HOST, "/large") for _ in range(5)]
        for stream in streams:
            stream.takes = False
        stalled.await_(lambda: sum(stream.received for stream in streams) > 60_000)
        for _ in range(10):
            assert bytes(client.get(HOST, "/small").body) == b"small"
        assert pod.accepted == 1
        large = [call for call in pod.calls if call.header(":path") == "/large"]
        never(lambda: sum(call.sent for call in large) > 4 << 20)


def test_a_pod_that_gives_no_window_holds_nobody_up(make_ingot, h2_pods):
    (pod,) = h2_pods("pod", takes=False, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    ingot = make_ingot(config={"proxy-send-timeout": "1", "proxy-next-upstream": "off"}).serve(shop([pod]))
    with Client(ingot.address) as client:
        assert client.get(HOST, "/first").status == 200     # its SETTINGS are known
        stalled = client.request(HOST, "/stalled", "POST", [("content-length", "50000")], end=False)
        client.send(stalled, b"x" * 50_000, end=True)
        pod.await_calls(2)
        assert client.get(HOST, "/quick").status == 200

        assert client.answer(stalled).status == 504
    assert len(pod.calls[1].body) == 1000
    eventually(lambda: pod.calls[1].reset == Code.CANCEL)
    eventually(lambda: reason(ingot, "upstream_send_timeout") == 1)


# ------------------------------------------------------------------ pods that misbehave

def flood(*frames, times=5000):
    return lambda call: call.connection.raw(b"".join(frames) * times)


def head_of(call, block, flags=END_HEADERS):
    return frame(HEADERS, flags, call.number, block)


OK = b"\x88"    # :status 200


@pytest.mark.parametrize("answer", [
    flood(frame(PING, 0, 0, b"12345678")),
    flood(frame(SETTINGS)),
    flood(frame(PRIORITY, 0, 1, b"\0\0\0\0\1")),
    lambda call: call.connection.raw(head_of(call, OK) + frame(DATA, 0, call.number) * 5000),
    lambda call: call.connection.raw(
        head_of(call, OK, 0) + frame(CONTINUATION, 0, call.number, literal("a", "b")) * 500),
    lambda call: call.connection.raw(frame(0x77, 0, 0, b"x") * 5000),
    lambda call: call.connection.raw(b"\xff" * 1000),
    lambda call: call.connection.raw(frame(HEADERS, END_HEADERS, 2, OK)),
    lambda call: call.connection.raw(frame(5, END_HEADERS, call.number, number(2) + b"\x82\x86\x84")),
    lambda call: call.connection.raw(frame(DATA, 0, call.number, b"body before head")),
], ids=["ping", "settings", "priority", "empty data", "continuation", "unknown", "garbage", "a stream of its own",
        "push", "no head"])
def test_a_pod_that_breaks_the_rules_loses_its_connection(ingot, h2_pods, answer):
    def second(call):
        if call.header(":path") == "/first":
            call.respond(b"x")
        else:
            answer(call)

    (pod,), (good,) = h2_pods("pod", answer=second, careless=True), h2_pods("good")
    ingot.serve(shop([pod]), ingress("other.example", to=[good], name="other", annotations={PROTOCOL: "GRPC"}))
    with Client(ingot.address) as client:
        assert client.get(HOST, "/first").status == 200     # settings are agreed on
        got = client.get(HOST, method="POST")

        assert got.status == 502 or got.reset == Code.INTERNAL_ERROR
        assert client.get("other.example").status == 200
    eventually(lambda: pod.open_connections == 0)
    assert pod.accepted == 1


@pytest.mark.parametrize("answer", [
    lambda call: call.respond(b"", fields=[("x", "y" * 40_000)]),
    lambda call: call.respond(b"", fields=[(f"x{i}", "y") for i in range(250)]),
    lambda call: call.respond(b"", fields=[("x", "a\rb")]),
    lambda call: call.respond(b"", fields=[("Upper", "a")]),
    lambda call: call.respond(b"", fields=[("connection", "close")]),
    lambda call: call.respond(b"", fields=[("transfer-encoding", "chunked")]),
    lambda call: call.respond(b"", fields=[("content-length", "1"), ("content-length", "2")]),
    lambda call: call.respond(b"", status="20"),
    lambda call: call.respond(b"", status=101),
    lambda call: call.connection.raw(head_of(call, literal("x", "y"))),
    lambda call: [call.connection.raw(head_of(call, literal(":status", "103"))) for _ in range(30)],
], ids=["large", "many", "control byte", "upper case", "connection", "transfer-encoding", "two lengths",
        "status of two digits", "101", "no status", "interim"])
def test_a_bad_head_fails_its_stream_alone(ingot, h2_pods, answer):
    def either(call):
        if call.header(":path") == "/good":
            call.respond(b"good")
        elif call.header(":path") == "/bad":
            answer(call)

    (pod,) = h2_pods("pod", answer=either, careless=True)
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        waiting = client.request(HOST, "/waits")
        pod.await_calls(1)

        assert client.get(HOST, "/bad", method="POST").status == 502
        assert bytes(client.get(HOST, "/good").body) == b"good"
        pod.calls[0].respond(b"here")
        assert bytes(client.answer(waiting).body) == b"here"
    assert pod.accepted == 1


def test_a_body_that_is_not_as_long_as_it_says(ingot, h2_pods):
    (pod,) = h2_pods("pod", careless=True, answer=lambda call: call.respond(
        b"short", fields=[("content-length", "50")]))
    ingot.serve(shop([pod]))
    with Client(ingot.address) as client:
        got = client.get(HOST)

    assert got.status == 502 or (not got.ended and got.reset == Code.INTERNAL_ERROR)


def test_a_pod_that_speaks_http_1(ingot, h2_pods):
    (pod,) = h2_pods("pod", instead=h1_only)
    ingot.serve(shop([pod]))

    assert ingot.request(HOST, method="POST", body=b"x").status == 502
    assert pod.accepted <= 3


# ------------------------------------------------------------------ TLS

@pytest.fixture
def tls_context(place):
    def make(*alpn):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*Authority().issue("pod.example").save(place, "pod"))
        if alpn:
            made.set_alpn_protocols(list(alpn))
        return made
    return make


def test_over_tls_alpn_agrees_on_it(ingot, h2_pods, tls_context):
    (pod,) = h2_pods("pod", tls=tls_context("h2", "http/1.1"))
    ingot.serve(shop([pod], "GRPCS"))

    assert ingot.get(HOST).status == 200
    assert pod.calls[0].header(":scheme") == "https"


@pytest.mark.parametrize("alpn", [(), ("http/1.1",)])
def test_a_pod_that_does_not_choose_it(ingot, h2_pods, tls_context, alpn):
    (pod,) = h2_pods("pod", tls=tls_context(*alpn))
    ingot.serve(shop([pod], "GRPCS"))

    assert ingot.request(HOST, method="POST", body=b"x").status == 502
    assert not pod.calls
    eventually(lambda: reason(ingot, "upstream_not_h2") == 1)
