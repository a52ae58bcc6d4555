# SPDX-License-Identifier: Apache-2.0
"""`ingot echo`, the backend for trying things out."""
import json
import signal
import subprocess

import pytest

from world import websocket
from world.client import Connection, chunk, request_bytes
from world.ingot import BINARY
from world.wait import PATIENCE, eventually, free_port


@pytest.fixture
def echo():
    """The address of a running `ingot echo`."""
    port = free_port()
    process = subprocess.Popen([BINARY, "echo", "--listen", f"127.0.0.1:{port}", "--name", "me"],
                               stderr=subprocess.PIPE, text=True)
    address = ("127.0.0.1", port)
    eventually(lambda: Connection(address).close() is None)
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait(5 * PATIENCE) == 0
    assert "Sanitizer" not in process.stderr.read()


def ask(address, target="/", **more):
    with Connection(address) as client:
        return client.request(target, "echo.example", **more)


def test_it_says_what_it_received(echo):
    answer = json.loads(ask(echo, "/a?b=c", method="PUT", headers=[("X-One", "1"), ("x-one", "2")],
                            body=b'say "hi"').body)

    assert answer["name"] == "me"
    assert answer["method"] == "PUT"
    assert answer["target"] == "/a?b=c"
    assert answer["version"] == "1.1"
    assert answer["remote"].startswith("127.0.0.1:")
    assert ["X-One", "1"] in answer["headers"]
    assert ["x-one", "2"] in answer["headers"]
    assert answer["body_length"] == 8
    assert answer["body"] == 'say "hi"'


def test_it_shows_the_beginning_of_a_large_body_and_counts_all_of_it(echo):
    answer = json.loads(ask(echo, method="POST", body=b"x" * 300_000).body)

    assert answer["body_length"] == 300_000
    assert answer["body"] == "x" * 65_536


def test_it_reads_chunks(echo):
    with Connection(echo) as client:
        client.send(request_bytes("/", "a", "POST", {"Transfer-Encoding": "chunked"}),
                    chunk(b"one "), chunk(b"two"), b"0\r\nTrailer: x\r\n\r\n")

        assert json.loads(client.response().body)["body"] == "one two"


def test_it_keeps_connections_and_pipelines(echo):
    with Connection(echo) as client:
        client.send(*(request_bytes(f"/{n}", "a") for n in range(20)))

        assert [json.loads(client.response().body)["target"] for _ in range(20)] == \
            [f"/{n}" for n in range(20)]


def test_it_asks_for_a_body_that_waits(echo):
    with Connection(echo) as client:
        client.send(request_bytes("/", "a", "POST",
                                  {"Expect": "100-continue", "Content-Length": "2"}))
        assert client.head().status == 100
        client.send("ok")

        assert json.loads(client.response().body)["body"] == "ok"


def test_switches_change_the_answer(echo):
    assert ask(echo, "/?status=503").status == 503
    assert ask(echo, "/?bytes=1000000").body == b"x" * 1_000_000
    assert ask(echo, "/?delay=20ms&status=201").status == 201
    assert ask(echo, "/?status=204").status == 204
    assert ask(echo, "/?unknown=1").status == 200


@pytest.mark.parametrize("query", ["status=100", "status=abc", "delay=soon", "bytes=-1"])
def test_a_switch_that_is_none_is_told(echo, query):
    answer = ask(echo, f"/?{query}")

    assert answer.status == 400
    assert query.split("=")[0] in json.loads(answer.body)["error"]


def test_head_has_the_length_and_no_body(echo):
    answer = ask(echo, method="HEAD")

    assert answer.status == 200
    assert int(answer.header("Content-Length")) > 100


def test_malformed_requests_are_refused_with_a_reason(echo):
    with Connection(echo) as client:
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n")
        answer = client.response()

        assert answer.status == 400
        assert "field" in json.loads(answer.body)["error"]
        assert client.is_closed()


def test_messages_of_a_websocket_come_back(echo):
    key = websocket.new_key()
    with Connection(echo) as client:
        client.send(websocket.handshake("a", key=key))
        head = client.head()
        assert head.status == 101
        assert head.header("Sec-WebSocket-Accept") == websocket.accept_for(key)

        for message in (b"", b"hello", b"x" * 1000):
            client.send(websocket.frame(message))
            assert websocket.read_frame(client.reader) == (websocket.TEXT, message)
        client.send(websocket.frame("are you there", websocket.PING))
        assert websocket.read_frame(client.reader) == (websocket.PONG, b"are you there")
        client.send(websocket.frame(b"\x03\xe8", websocket.CLOSE))
        assert websocket.read_frame(client.reader) == (websocket.CLOSE, b"\x03\xe8")
        assert client.is_closed()


@pytest.mark.parametrize("frame, code", [
    (websocket.frame("unmasked", masked=False), b"\x03\xea"),
    (websocket.frame(b"x" * 40_000), b"\x03\xf1"),
    (b"\xf1\x80\x00\x00\x00\x00", b"\x03\xea"),
], ids=["unmasked", "too large", "reserved bits"])
def test_a_frame_that_it_cannot_take_closes_the_websocket(echo, frame, code):
    with Connection(echo) as client:
        client.send(websocket.handshake("a"))
        assert client.head().status == 101

        client.send(frame)

        assert websocket.read_frame(client.reader) == (websocket.CLOSE, code)


def test_an_answer_in_progress_is_finished_at_the_end():
    port = free_port()
    process = subprocess.Popen([BINARY, "echo", "--listen", f"127.0.0.1:{port}", "--name", "me"],
                               stderr=subprocess.DEVNULL)
    client = eventually(lambda: Connection(("127.0.0.1", port)))
    client.send(request_bytes("/?delay=300ms", "a"))

    process.send_signal(signal.SIGTERM)

    assert client.response().status == 200
    assert process.wait(5 * PATIENCE) == 0


@pytest.mark.parametrize("flags, word", [
    ([], "--listen"), (["--listen", "127.0.0.1:9999"], "--name"),
    (["--listen", "nowhere", "--name", "x"], "nowhere"), (["--lisen", "x"], "--listen"),
])
def test_wrong_usage_is_one_line_and_status_2(flags, word):
    run = subprocess.run([BINARY, "echo", *flags], capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
    assert word in run.stderr


def test_a_busy_address_is_one_line_and_status_2(echo):
    run = subprocess.run([BINARY, "echo", "--listen", f"127.0.0.1:{echo[1]}", "--name", "x"],
                         capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert "another program has the port" in run.stderr
