# SPDX-License-Identifier: Apache-2.0
"""Edges: heads that fill their buffer to the byte, bytes where none should be, time-outs of what flows, ends of
what has begun. Each was a fault once."""
import os
import signal
import threading

import pytest

from world import websocket
from world.objects import ingress
from world.wait import SANITIZED, eventually

HOST = "shop.example"
BUFFER = 16_384     # bytes: the room of a buffer


@pytest.mark.parametrize("size", [BUFFER - 4096, BUFFER - 4, BUFFER - 1, BUFFER])
def test_a_tunnel_opens_behind_a_head_that_fills_its_buffer(ingot, pods, size):
    (pod,) = pods("pod", answer=websocket.echoing)
    ingot.serve(ingress(HOST, to=[pod]))
    workers = ingot.worker_pids
    head = websocket.handshake(HOST, **{"X-A": "a" * 4000, "X-B": "b" * 5000})
    head = head[:-2] + b"X-C: " + b"c" * (size - len(head) - len("X-C: \r\n")) + b"\r\n\r\n"
    assert len(head) == size

    client = ingot.connect()
    client.send(head)

    assert client.head().status == 101
    client.send(websocket.frame("hello"))
    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"hello")
    assert ingot.worker_pids == workers


def test_a_head_that_moved_is_not_answered_from_where_it_was(make_ingot, pods):
    (pod,) = pods("pod")
    ingot = make_ingot(config={"client_header_timeout": "1"})
    ingot.serve(ingress(HOST, to=[pod]))
    start = b"GET / HTTP/1.1\r\nHost: shop.example\r\nA: bbb\r\nX-Request-ID: " + b"a" * 36 + b"\r\n"
    start += b"X-B: " + b"b" * 7000 + b"\r\nX-C: " + b"c" * 7000 + b"\r\nX-D: "
    slow = ingot.connect()
    slow.send(start + b"d" * (BUFFER - len(start)))
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections", state="active") == 1)

    other = ingot.connect()
    other.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n"
               b"Authorization: Bearer SECRET-OF-ANOTHER-CLIENT-0123456789-0123456789\r\n")
    answer = slow.response()

    assert answer.status == 408
    assert "SECRET" not in str(answer.headers)
    assert not any("SECRET" in line for line in ingot.log_lines(1))


def head_and_body(total):
    """A response of exactly that many bytes."""
    size = total
    while True:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        if len(head) + size == total:
            return head + b"x" * size
        size = total - len(head)


@pytest.mark.parametrize("total", [BUFFER, 2 * BUFFER, 1_000_000])
def test_bytes_behind_a_response_are_nobodys_answer(ingot, pods, total):
    behind = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"

    def answer(wire, request):
        if request.target == "/evil":
            wire.send(head_and_body(total) + behind)
        else:
            wire.respond(f"honest {request.target}")
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))

    for turn in range(10):
        client = ingot.connect()
        client.request("/evil", HOST)
        answers = [ingot.get(HOST, f"/{turn}/{name}").body for name in "ab"]

        assert answers == [f"honest /{turn}/{name}".encode() for name in "ab"]


def test_a_pod_that_speaks_first_holds_nobody_up(make_ingot):
    import socket
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        kept = []

        def speak_first():
            try:
                while True:
                    kept.append(listener.accept()[0])
                    kept[-1].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
            except OSError:
                pass
        threading.Thread(target=speak_first, daemon=True).start()
        pod = type("Pod", (), {"address": "127.0.0.1", "port": listener.getsockname()[1]})()
        ingot = make_ingot(config={"proxy_read_timeout": "4", "upstream_keepalive_connections": "0",
                                   "proxy_next_upstream": "off"})
        ingot.serve(ingress(HOST, to=[pod]))
        clients = [ingot.connect(timeout=20) for _ in range(60)]
        (worker,) = ingot.worker_pids

        os.kill(worker, signal.SIGSTOP)
        for client in clients:
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        os.kill(worker, signal.SIGCONT)

        assert {client.response().status for client in clients} <= {200, 502}     # never 504


@pytest.mark.skipif(SANITIZED, reason="too slow to be quicker than its client")
def test_a_download_that_flows_is_not_cut_by_an_old_time_out(make_ingot, pods):
    piece = b"x" * (1 << 20)
    count = 3000

    def answer(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (count * len(piece)))
        for _ in range(count):
            wire.send(piece)
    ingot = make_ingot(config={"proxy_read_timeout": "1"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))
    client = ingot.connect(timeout=30)
    client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert client.head().status == 200
    left = count * len(piece)

    space = bytearray(1 << 20)
    left -= len(client.reader.bytes)
    while left > 0:
        got = client.sock.recv_into(space)
        assert got > 0, f"{left} bytes are missing"
        left -= got

    assert left == 0


def test_requests_that_wait_at_sigterm_are_answered(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod")))
    (worker,) = ingot.worker_pids
    os.kill(worker, signal.SIGSTOP)
    waiting = [ingot.connect() for _ in range(5)]
    for client in waiting:
        client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")

    ingot.signal(signal.SIGTERM)
    eventually(lambda: "stopping" in ingot.said())
    os.kill(worker, signal.SIGCONT)

    assert [client.response().status for client in waiting] == [200] * 5
    assert ingot.wait() == 0


def test_a_kept_connection_does_not_hold_the_stop(make_ingot, pods):
    go_on = threading.Event()

    def answer(wire, request):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        go_on.wait(20)
        wire.send(b"cd")
    ingot = make_ingot(flags=["--shutdown-grace-period", "60"])
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))
    client = ingot.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert client.head().status == 200

    ingot.signal(signal.SIGTERM)
    eventually(lambda: "stopping" in ingot.said())
    go_on.set()

    assert ingot.wait() == 0        # within the deadline of wait, long before the grace period


def test_tunnels_that_are_reset_are_no_longer_counted(ingot, pods):
    (pod,) = pods("pod", answer=websocket.echoing)
    ingot.serve(ingress(HOST, to=[pod]))
    for _ in range(3):
        client = ingot.connect()
        client.send(websocket.handshake(HOST))
        assert client.head().status == 101
        client.reset()

    eventually(lambda: ingot.metrics().sum("ingot_tunnels") == 0)


def test_a_large_body_can_be_sent_again_while_none_of_it_has_gone(ingot, pods):
    used = []

    def answer(wire, request):
        used.append(request)
        if len(used) == 2:      # the pooled connection: closed as its second request comes
            wire.close()
            return
        wire.read_body(request)
        wire.respond("ok")
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))
    assert ingot.raw(b"PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1\r\n\r\nx").status == 200

    client = ingot.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 200000\r\n\r\n")
    eventually(lambda: len(used) >= 3)
    client.send(b"x" * 200_000)

    assert client.response().status == 200


@pytest.mark.parametrize("name, status", [("X_Request_ID", 200), ("x_forwarded_for", 200), ("Keep_Alive", 200),
                                          ("X.Scheme", 200), ("Content_Length", 502)])
def test_odd_names_of_a_response_are_judged_as_a_responses(ingot, pods, name, status):
    def answer(wire, request):
        wire.respond("ok", headers=[(name, "3")])
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))

    assert ingot.get(HOST).status == status


@pytest.mark.parametrize("host", ["a b", "x/y", "a_b, c@d", ""])
def test_a_trusted_forwarded_host_that_is_none_is_not_believed(make_ingot, pods, host):
    (pod,) = pods("pod")
    ingot = make_ingot(config={"use_forwarded_headers": "true", "proxy_real_ip_cidr": "127.0.0.0/8"})
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST, headers={"X-Forwarded-Host": host}).status == 200

    assert pod.last.header("Host") in (HOST, "a_b")
    assert ingot.metrics().sum("ingot_writer_check_failures_total") == 0


@pytest.mark.parametrize("first", [b"\r", b"\r\n"])
@pytest.mark.parametrize("then, status", [(b"", 200), (b"\r\n", 400), (b"\n", 400)])
def test_one_empty_line_before_a_request_is_skipped_however_long_it_lay(ingot, pod, first, then, status):
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    assert client.request("/", HOST).status == 200
    client.send(first)
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections", state="idle") == 1)

    client.send(b"\r\n"[len(first):] + then + b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")

    assert client.response().status == status
