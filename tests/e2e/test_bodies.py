# SPDX-License-Identifier: Apache-2.0
"""Bodies both ways: framing, trailers, Expect, responses without a body, answers that come early."""
import threading

import pytest

from world.backend import plain, raw, without_reading
from world.client import LAST_CHUNK, Closed, chunk, request_bytes
from world.objects import ingress

HOST = "shop.example"
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]))


def answering(ingot, pods, answer):
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))
    return pod


# ------------------------------------------------------------------ requests

@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "REPORT"])
def test_a_body_with_a_length_arrives_whatever_the_method(shop, pod, method):
    assert shop.get(HOST, method=method, body=b"hello").status == 200

    assert pod.last.method == method
    assert pod.last.body == b"hello"
    assert pod.last.header("Content-Length") == "5"


def test_a_request_without_body_goes_without_framing(shop, pod):
    shop.get(HOST)

    assert pod.last.header("Content-Length") is None
    assert pod.last.header("Transfer-Encoding") is None


def test_an_empty_body_of_a_post_stays_one(shop, pod):
    shop.get(HOST, method="POST", body=b"")

    assert pod.last.header("Content-Length") == "0"


def test_chunks_are_cut_anew_and_their_trailers_dropped(shop, pod):
    client = shop.connect()

    client.send(request_bytes("/", HOST, "POST", CHUNKED), b"1;ext=1\r\na\r\n", chunk(b"bc"),
                chunk(b"d" * 5000), b"0\r\nX-Trailer: 1\r\n\r\n")

    assert client.response().status == 200
    assert pod.last.body == b"abc" + b"d" * 5000
    assert pod.last.trailers == []
    assert pod.last.header("X-Trailer") is None


def test_a_large_body_of_each_framing_arrives_whole(make_ingot, pods):
    ingot = make_ingot(config={"proxy_body_size": "0"})
    (pod,) = pods("pod")
    ingot.serve(ingress(HOST, to=[pod]))
    body = bytes(range(256)) * 40_000   # 10 MB

    assert ingot.get(HOST, method="POST", body=body, timeout=30).status == 200
    assert pod.last.body == body

    client = ingot.connect(timeout=30)
    client.send(request_bytes("/", HOST, "POST", CHUNKED))
    for at in range(0, len(body), 77_777):
        client.send(chunk(body[at:at + 77_777]))
    client.send(LAST_CHUNK)
    assert client.response().status == 200
    assert pod.last.body == body


def test_a_body_is_passed_on_while_it_comes(ingot, pods):
    got = threading.Event()

    def first_half(wire, request):
        assert wire.reader.exactly(5) == b"first"
        got.set()
        wire.reader.exactly(5)
        wire.respond("whole")

    answering(ingot, pods, first_half)
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "10"}), b"first")
    assert got.wait(5), "the first half must not wait for the second"
    client.send(b"other")

    assert client.response().body == b"whole"


def test_a_client_that_goes_in_the_middle_of_its_body_takes_the_attempt_along(ingot, pods):
    ended = threading.Event()

    def watch(wire, request):
        try:
            wire.read_body(request)
        except (Closed, OSError):
            ended.set()
            raise

    pod = answering(ingot, pods, watch)
    client = ingot.connect()
    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "10"}), b"half")
    pod.await_requests(1)

    client.close()

    assert ended.wait(5)


# ------------------------------------------------------------------ Expect

def test_100_continue_is_ingots_own(shop, pod):
    client = shop.connect()

    client.send(request_bytes("/", HOST, "POST",
                              {"Expect": "100-continue", "Content-Length": "5"}))
    assert client.head().status == 100
    client.send(b"hello")

    assert client.response().status == 200
    assert pod.last.body == b"hello"
    assert pod.last.header("Expect") is None


def test_a_refused_request_gets_no_100(make_ingot, pod):
    ingot = make_ingot(config={"proxy_body_size": "4"})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST",
                              {"Expect": "100-continue", "Content-Length": "5"}))

    answer = client.response()
    assert answer.status == 413
    assert answer.informational == []
    assert client.is_closed()


def test_an_expectation_without_body_is_ignored(shop):
    answer = shop.get(HOST, headers={"Expect": "100-continue"})

    assert answer.status == 200
    assert answer.informational == []


def test_another_expectation_gets_417(shop):
    assert shop.get(HOST, headers={"Expect": "the-unexpected"}).status == 417


# ------------------------------------------------------------------ responses

def test_a_response_with_a_length_keeps_it(ingot, pods):
    answering(ingot, pods, plain("hello"))

    answer = ingot.get(HOST)

    assert answer.framing == "length"
    assert answer.body == b"hello"


def test_a_chunked_response_stays_chunked_and_the_connection_usable(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 1\r\n\r\n"))
    client = ingot.connect()

    for _ in range(3):
        answer = client.request("/", HOST)
        assert answer.framing == "chunked"
        assert answer.body == b"hello!"


def test_trailers_go_to_clients_that_ask_for_them(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nhi\r\n0\r\nX-Sum: 1\r\nSet-Cookie: no\r\n\r\n"))

    without = ingot.get(HOST)
    asked = ingot.get(HOST, headers=[("TE", "trailers"), ("Connection", "te")])

    assert without.trailers == []
    assert asked.body == b"hi"
    assert asked.trailers == [("X-Sum", "1")]


def test_a_body_of_trailers_alone_has_them(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 0\r\n\r\n"))
    client = ingot.connect()

    for _ in range(2):      # the connection stays
        answer = client.request("/", HOST, headers=[("TE", "trailers"), ("Connection", "te")])
        assert (answer.body, answer.trailers) == (b"", [("X-Sum", "0")])


def test_a_response_until_close_reaches_its_end_in_chunks(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\n\r\n", "hello", then="close"))
    client = ingot.connect()

    answer = client.request("/", HOST)

    assert answer.framing == "chunked"
    assert answer.body == b"hello"
    assert client.request("/", HOST).body == b"hello", "the client's connection lives on"


def test_head_gets_the_fields_and_no_body(ingot, pods):
    pod = answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    client = ingot.connect()

    for _ in range(2):
        answer = client.request("/", HOST, method="HEAD")
        assert answer.header("Content-Length") == "1000"
        assert answer.body == b""
    assert pod.last.method == "HEAD"
    assert pod.connections == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_responses_without_body_leave_both_connections_usable(ingot, pods, status):
    pod = answering(ingot, pods, raw(f"HTTP/1.1 {status}\r\nETag: \"x\"\r\n\r\n"))
    client = ingot.connect()

    for _ in range(3):
        answer = client.request("/", HOST)
        assert answer.status == int(status[:3])
        assert answer.header("ETag") == '"x"'
    assert pod.connections == 1


def test_a_length_with_204_is_dropped(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"))

    answer = ingot.get(HOST)

    assert answer.status == 204
    assert answer.header("Content-Length") is None


def test_a_response_is_passed_on_while_it_comes(ingot, pods):
    seen = threading.Event()

    def in_two(wire, request):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        seen.wait(5)
        wire.send("other")

    answering(ingot, pods, in_two)
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    head = client.head()
    assert client.reader.exactly(5) == b"first"

    seen.set()

    assert client.reader.exactly(5) == b"other"
    assert head.header("Content-Length") == "10"


# ------------------------------------------------------------------ 1xx

def test_100_and_102_of_a_pod_are_swallowed_and_103_passed_on(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 102 Processing\r\n\r\n"
                               "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))

    answer = ingot.get(HOST)

    assert answer.status == 200
    assert [hint.status for hint in answer.informational] == [103]
    assert answer.informational[0].header("Link") == "</a.css>"


def test_http_1_0_gets_no_1xx(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))

    answer = ingot.get(HOST, version="1.0")

    assert answer.informational == []
    assert answer.body == b"ok"


def test_endless_1xx_are_502(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 102 Processing\r\n\r\n" * 17 +
                               "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))

    assert ingot.get(HOST).status == 502


def test_101_that_nobody_asked_for_is_502(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\n\r\n"))

    assert ingot.get(HOST).status == 502


# ------------------------------------------------------------------ early answers

def test_an_early_answer_is_passed_on_and_neither_connection_is_used_again(ingot, pods):
    pod = answering(ingot, pods, without_reading(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", then="keep"))
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "900000"}), b"x" * 1000)

    answer = client.response()
    assert (answer.status, answer.body) == (403, b"no")
    assert client.is_closed()
    ingot.get(HOST)
    assert pod.connections == 2


def test_an_early_answer_and_a_reset_still_reach_the_client(ingot, pods):
    answering(ingot, pods, without_reading(
        "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
        then="close"))
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", {"Content-Length": "500000"}), b"x" * 100_000)

    assert client.response().status == 413


def test_an_answer_after_the_whole_body_keeps_the_connections(ingot, pods):
    pod = answering(ingot, pods, plain("ok"))
    client = ingot.connect()

    for _ in range(3):
        assert client.request("/", HOST, method="POST", body=b"x" * 100_000).status == 200

    assert pod.connections == 1


# ------------------------------------------------------------------ bodies that break

def test_a_response_that_ends_early_is_never_a_clean_end(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", then="close"))

    with pytest.raises((Closed, ConnectionResetError)):
        ingot.get(HOST)


def test_a_chunked_response_that_ends_early_gets_no_last_chunk(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\nhello\r\n", then="close"))

    with pytest.raises((Closed, ConnectionResetError)):
        ingot.get(HOST)


def test_a_bad_chunk_of_a_response_gets_no_last_chunk(ingot, pods):
    seen = threading.Event()

    def then_nonsense(wire, request):
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        seen.wait(5)
        wire.send("zz\r\n")

    answering(ingot, pods, then_nonsense)
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    assert client.head().status == 200
    assert client.reader.exactly(10) == b"5\r\nhello\r\n"

    seen.set()

    assert client.is_closed()


def test_a_bad_chunk_before_anything_left_is_502(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))

    assert ingot.get(HOST).status == 502


def test_a_response_head_of_20_kib_passes(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\n" + "".join(
        f"X-{n}: {'y' * 1000}\r\n" for n in range(20)) + "Content-Length: 0\r\n\r\n"))

    answer = ingot.get(HOST)

    assert answer.status == 200
    assert answer.header("X-19") == "y" * 1000


def test_a_bad_chunk_of_a_request_ends_both_sides(ingot, pods):
    pod = answering(ingot, pods, plain("ok"))
    client = ingot.connect()

    client.send(request_bytes("/", HOST, "POST", CHUNKED), b"5\r\nhello\r\nzz\r\n")

    assert client.response().status == 400
    assert client.is_closed()
    assert all(request.body is None for request in pod.requests)


@pytest.mark.parametrize("response", [
    "garbage\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "\x00\x01\x02\r\n\r\n",
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
    "HTTP/1.1 200 OK\r\n folded\r\n\r\n", "HTTP/1.1 099 Low\r\n\r\n",
])
def test_a_malformed_response_is_502(ingot, pods, response):
    answering(ingot, pods, raw(response, then="close"))

    assert ingot.get(HOST).status == 502


def test_a_response_head_that_is_too_large_is_502(ingot, pods):
    answering(ingot, pods, raw("HTTP/1.1 200 OK\r\n" + "".join(
        f"X-{n}: {'y' * 1000}\r\n" for n in range(60)) + "Content-Length: 0\r\n\r\n"))

    assert ingot.get(HOST).status == 502


def test_bytes_behind_a_response_are_never_an_answer(ingot, pods):
    pod = answering(ingot, pods, raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"
                                     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"))
    client = ingot.connect()

    for _ in range(3):
        assert client.request("/", HOST).body == b"true"

    assert pod.connections == 3
