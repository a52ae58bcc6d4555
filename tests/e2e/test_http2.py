# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: the same exchanges as over HTTP/1.1, many at a time on one connection."""
import hashlib
import os
import re
import ssl
import subprocess
import threading

import h2.settings
import pytest

from world import websocket
from world.backend import gigabytes, plain, raw, silent
from world.certificates import Certificate, secret
from world.client import chunk
from world.http2 import Client, Code, Raw, frame, SETTINGS, PREFACE
from world.objects import config_map, ingress
from world.wait import eventually, never

HOST = "shop.example"


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]))


@pytest.fixture
def client(shop):
    with Client(shop.address) as made:
        yield made


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    return done.stdout


def curl(*words):
    return run("curl", "--silent", "--show-error", "--max-time", "20", *words)


def h2_line(ingot, count=1):
    """The last line of the access log, once there are that many."""
    return ingot.log_lines(count)[-1]


# ------------------------------------------------------------------ where it begins

def test_a_client_that_knows_begins_at_once_on_a_plain_port(shop):
    told = curl("--http2-prior-knowledge", "-H", f"Host: {HOST}", "-w", "%{http_code} %{http_version}",
                f"http://127.0.0.1:{shop.http_port}/a")

    assert told == "pod /a\n200 2"


def test_over_tls_alpn_says_which(make_ingot, pod):
    ingot = make_ingot(tls=True).serve(secret("shop-tls", Certificate(HOST)), ingress(
        HOST, to=[pod], tls=[{"hosts": [HOST], "secretName": "shop-tls"}]))
    there = ["--insecure", "--resolve", f"{HOST}:{ingot.https_port}:127.0.0.1", "-w", "%{http_version}",
             f"https://{HOST}:{ingot.https_port}/a"]

    assert curl("--http2", *there) == "pod /a\n2"
    assert pod.last.header("X-Forwarded-Proto") == "https"
    assert curl("--http1.1", *there) == "pod /a\n1.1"


def test_it_is_not_offered_where_it_is_off(make_ingot, pod):
    ingot = make_ingot(tls=True, config={"use-http2": "false"}).serve(
        secret("shop-tls", Certificate(HOST)),
        ingress(HOST, to=[pod], tls=[{"hosts": [HOST], "secretName": "shop-tls"}]))

    told = curl("--http2", "--insecure", "--resolve", f"{HOST}:{ingot.https_port}:127.0.0.1", "-w",
                "%{http_version}", f"https://{HOST}:{ingot.https_port}/a")

    assert told == "pod /a\n1.1"


def test_a_preface_may_come_in_pieces(shop):
    with Raw(shop.address, hello=False) as client:
        for byte in PREFACE + frame(SETTINGS):
            client.send(bytes([byte]))

        client.await_(lambda: len(client.of(SETTINGS)) == 2)


def test_what_only_begins_like_a_preface_is_http_1(shop):
    assert shop.raw(b"PRI * HTTP/2.0\r\n\r\nSO\r\n\r\n").status in (400, 505)
    assert shop.raw(b"PUT /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\n\r\n").status == 200


def test_an_http_1_connection_stays_one(shop):
    client = shop.connect()
    client.request("/a", HOST)

    client.send(PREFACE)

    assert client.response().status in (400, 505)


# ------------------------------------------------------------------ requests and answers

def test_a_request_reaches_the_pod_with_what_ingot_adds(client, pod):
    answer = client.get(HOST, "/a?b=c", fields=[("x-mine", "1"), ("cookie", "a=1"), ("cookie", "b=2"),
                                                ("te", "trailers")])

    assert (answer.status, answer.pod, bytes(answer.body)) == (200, "pod", b"pod /a?b=c\n")
    assert pod.last.header("Host") == HOST
    assert pod.last.header("X-Mine") == "1"
    assert pod.last.header("Cookie") == "a=1; b=2"
    assert pod.last.header("TE") == "trailers"
    assert pod.last.header("X-Forwarded-For") == "127.0.0.1"
    assert pod.last.header("X-Forwarded-Proto") == "http"


def test_names_are_in_lower_case_and_fields_of_http_1_stay_behind(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(
        b"HTTP/1.1 200 OK\r\nX-Mine: A\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n"
        b"Transfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n2\r\nok\r\n0\r\n\r\n"))))
    with Client(ingot.address) as client:
        answer = client.get(HOST)

    assert answer.header("x-mine") == "A"
    names = {name for name, _ in answer.headers}
    assert names.isdisjoint({"connection", "x-hop", "keep-alive", "transfer-encoding"})
    assert all(name == name.lower() for name in names)
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 70_000])
def test_a_body_of_known_length_reaches_the_pod(client, pod, size):
    body = os.urandom(size)

    assert client.post(HOST, body).status == 200
    assert pod.last.body == body
    assert not pod.last.chunked


@pytest.mark.parametrize("pieces", [[b""], [b"hello"], [b"a" * 5000, b"b" * 5000, b""]])
def test_a_body_of_unknown_length_reaches_the_pod_in_chunks(client, pod, pieces):
    stream = client.request(HOST, "/", "POST", end=False)
    for piece in pieces[:-1]:
        client.send(stream, piece)
    client.send(stream, pieces[-1], end=True)

    assert client.answer(stream).status == 200
    assert pod.last.body == b"".join(pieces)
    assert pod.last.chunked


@pytest.mark.parametrize("answer, expected", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"he") + chunk(b"llo") + chunk(b""),
     b"hello"),
    (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"")])
def test_every_framing_of_a_response_ends_with_the_stream(ingot, pods, answer, expected):
    then = "close" if b"Length" not in answer and b"chunked" not in answer else "keep"
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(answer, then=then))))
    with Client(ingot.address) as client:
        got = client.get(HOST)

        assert got.ended and got.reset is None
        assert bytes(got.body) == expected
        assert client.get(HOST).ended


def test_head_has_a_length_and_no_body(client):
    answer = client.get(HOST, "/a", method="HEAD")

    assert answer.status == 200
    assert answer.header("content-length") == "7"
    assert not answer.body


def test_a_hundred_streams_at_once_get_their_own_answers(client):
    streams = [client.request(HOST, f"/{i}") for i in range(100)]

    for i, stream in enumerate(streams):
        assert bytes(client.answer(stream).body) == f"pod /{i}\n".encode()


def test_a_slow_answer_holds_nobody_up(ingot, pods):
    release = threading.Event()
    (pod,) = pods("pod", answer=lambda wire, request: (
        silent(release) if request.target == "/slow" else plain("quick"))(wire, request))
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        slow = client.request(HOST, "/slow")
        for _ in range(20):
            assert bytes(client.get(HOST, "/quick").body) == b"quick"
        assert not slow.is_over
        release.set()

        assert bytes(client.answer(slow).body) == b"released"


def test_trailers_of_chunks_reach_the_client(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(
        b"HTTP/1.1 200 OK\r\nTrailer: grpc-status\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
        b"Grpc-Status: 0\r\nGrpc-Message:  fine \r\nSet-Cookie: a=1\r\nContent-Length: 3\r\n\r\n"))))
    with Client(ingot.address) as client:
        answer = client.get(HOST, fields=[("te", "trailers")])

    assert bytes(answer.body) == b"ok"
    assert answer.trailers == [("grpc-status", "0"), ("grpc-message", "fine")]
    assert answer.ended


def test_trailers_of_a_request_stay_behind(client, pod):
    stream = client.request(HOST, "/", "POST", end=False)
    client.send(stream, b"hello")
    client.h2.send_headers(stream.number, [("x-late", "1")], end_stream=True)
    client.flush()

    assert client.answer(stream).status == 200
    assert pod.last.body == b"hello"
    assert pod.last.trailers == []


def test_leave_to_send_is_given(client, pod):
    stream = client.request(HOST, "/", "POST", [("expect", "100-continue"), ("content-length", "2")],
                            end=False)
    client.await_(lambda: stream.informational)
    assert dict(stream.informational[0])[":status"] == "100"
    client.send(stream, b"ok", end=True)

    assert client.answer(stream).status == 200
    assert pod.last.body == b"ok"


def test_hints_reach_the_client(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))))
    with Client(ingot.address) as client:
        answer = client.get(HOST)

    assert dict(answer.informational[0]) == {":status": "103", "link": "</a.css>"}
    assert (answer.status, bytes(answer.body)) == (200, b"ok")


@pytest.mark.parametrize("request_, status", [
    (dict(host="unknown.example"), 404), (dict(path="/%00"), 400), (dict(method="TRACE"), 405),
    (dict(method="OPTIONS", path="*"), 204), (dict(fields=[("x", "y" * 9000)]), 431),
    (dict(path="/" + "y" * 9000), 414), (dict(fields=[("x", "y")] * 101), 431)])
def test_ingot_answers_itself(client, request_, status):
    host = request_.pop("host", HOST)

    answer = client.get(host, **request_)

    assert answer.status == status
    assert answer.ended
    assert (str(status).encode() in answer.body) == (status != 204)
    assert client.get(HOST).status == 200


def test_a_redirect_says_where(ingot, pod):
    ingot.serve(ingress(HOST, "/foo/", to=[pod]))
    with Client(ingot.address) as client:
        answer = client.get(HOST, "/foo?a=b")

    assert answer.status == 301
    assert answer.header("location") == f"http://{HOST}/foo/?a=b"


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(make_ingot, pod):
    ingot = make_ingot(config={"proxy-body-size": "1k"}).serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        announced = client.request(HOST, "/", "POST", [("content-length", "2000")], end=False)
        assert client.answer(announced).status == 413
        client.await_(lambda: announced.reset == Code.NO_ERROR)
        streamed = client.request(HOST, "/", "POST", end=False)
        client.send(streamed, b"x" * 2000)
        assert client.answer(streamed).status == 413

        assert client.get(HOST).status == 200


def test_another_pod_gets_the_request_that_the_first_one_refused(ingot, pods):
    good, bad = pods("good", "bad")
    ingot.serve(ingress(HOST, to=[good, bad]))
    bad.stop()
    with Client(ingot.address) as client:
        assert [client.post(HOST, b"x" * 3000).pod for _ in range(10)] == ["good"] * 10


def test_the_log_and_the_figures_name_the_protocol(client, shop):
    client.get(HOST, "/a")

    line = h2_line(shop)
    assert '"GET /a HTTP/2.0" 200 7 ' in line
    assert re.search(r'" ([1-9][0-9]*) 0\.\d\d\d \[', line)
    assert shop.metrics().sum("ingot_requests_total", protocol="2") == 1


# ------------------------------------------------------------------ when something breaks off

@pytest.mark.parametrize("head", [b"Content-Length: 10\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_response_that_is_cut_ends_with_a_reset(ingot, pods, head):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n3\r\nab",
                                                        then="close"))))
    with Client(ingot.address) as client:
        answer = client.get(HOST)

        assert answer.status == 200
        assert answer.reset == Code.INTERNAL_ERROR
        assert not answer.ended
    assert ingot.metrics().sum("ingot_local_responses_total", reason="response_cut") == 1


def test_a_pod_that_closes_without_an_answer_is_a_502(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=raw(b"", then="close"))))
    with Client(ingot.address) as client:
        assert client.get(HOST, method="POST").status == 502


def test_what_the_client_gives_up_is_given_up_at_the_pod(ingot, pods):
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        pod.await_requests(1)
        client.reset(stream)

        eventually(lambda: pod.open_connections == 0)
        assert " 499 " in h2_line(ingot)


def test_a_connection_that_goes_takes_its_streams_with_it(ingot, pods):
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    client = Client(ingot.address)
    for _ in range(10):
        client.request(HOST)
    pod.await_requests(10)
    client.close()

    eventually(lambda: pod.open_connections == 0)
    assert all(" 499 " in line for line in ingot.log_lines(10))
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections", state="active") == 0)


@pytest.mark.parametrize("length, body", [("5", b"toolong"), ("5", b"abc")])
def test_a_body_that_is_not_as_long_as_it_says_is_never_completed(ingot, pods, length, body):
    seen = []

    def whole(wire, request):
        wire.read_body(request)
        seen.append(request.body)
        wire.respond("ok")

    ingot.serve(ingress(HOST, to=pods("pod", answer=whole)))
    with Client(ingot.address) as client:
        stream = client.request(HOST, "/", "POST", [("content-length", length)], end=False)
        client.raw(frame(0, 1, stream.number, body))

        assert client.answer(stream).reset == Code.PROTOCOL_ERROR
        assert client.get("unknown.example").status == 404
    assert seen == []


@pytest.mark.parametrize("fields", [
    [("connection", "close")], [("X-Upper", "a")], [("x", "a\x00b")], [("transfer-encoding", "chunked")],
    [(":late", "x")], [("te", "gzip")]])
def test_a_malformed_head_is_a_stream_error_and_in_the_log(client, shop, pod, fields):
    answer = client.get(HOST, fields=fields)

    assert answer.reset == Code.PROTOCOL_ERROR
    assert client.get(HOST).status == 200
    assert " 400 " in shop.log_lines(2)[0]
    assert len(pod.requests) == 1


# ------------------------------------------------------------------ tunnels

def open_tunnel(client, path="/", **more):
    return client.request(HOST, path, "CONNECT", [("sec-websocket-version", "13"), *more.get("fields", ())],
                          end=False, pseudo=[(":protocol", "websocket")])


@pytest.fixture
def chat(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=websocket.echoing)))
    with Client(ingot.address) as client:
        client.await_(lambda: client.h2.remote_settings.get(
            h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL) == 1)
        yield client


def test_messages_of_a_websocket_pass_both_ways(chat):
    tunnel = open_tunnel(chat, "/chat", fields=[("sec-websocket-key", "not used"), ("origin", "x")])
    chat.await_(lambda: tunnel.status == 200)
    assert tunnel.header("sec-websocket-accept") is None
    assert tunnel.header("upgrade") is None

    for message in (b"hello", b"x" * 200, b"y" * 70_000):
        before = len(tunnel.body)
        expected = websocket.frame(message, masked=False)
        chat.send(tunnel, websocket.frame(message))
        chat.await_(lambda: len(tunnel.body) - before == len(expected))
        assert bytes(tunnel.body[before:]) == expected


def test_a_close_ends_the_tunnel(chat):
    tunnel = open_tunnel(chat)
    chat.send(tunnel, websocket.frame(b"\x03\xe8", websocket.CLOSE))

    chat.await_(lambda: tunnel.ended)
    assert bytes(tunnel.body) == websocket.frame(b"\x03\xe8", websocket.CLOSE, masked=False)
    chat.send(tunnel, b"", end=True)
    other = open_tunnel(chat)
    chat.await_(lambda: other.status == 200)


def test_a_tunnel_that_the_pod_refuses_is_an_ordinary_answer(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=plain("no", "403 Forbidden"))))
    with Client(ingot.address) as client:
        answer = client.answer(open_tunnel(client))

    assert (answer.status, bytes(answer.body)) == (403, b"no")


def test_a_pod_that_says_200_opens_no_tunnel(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=plain("fine"))))
    with Client(ingot.address) as client:
        assert client.answer(open_tunnel(client)).status == 502


def test_a_client_that_goes_closes_the_tunnel_at_the_pod(ingot, pods):
    (pod,) = pods("pod", answer=websocket.echoing)
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        tunnel = open_tunnel(client)
        client.await_(lambda: tunnel.status == 200)
        client.reset(tunnel)

        eventually(lambda: pod.open_connections == 0)
    assert ingot.metrics().get("ingot_tunnels") == 0
