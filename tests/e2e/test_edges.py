# SPDX-License-Identifier: Apache-2.0
"""Edges: heads that fill their buffer to the byte, bytes where none should be, time-outs of what flows, ends of
what has begun. Each was a fault once."""
import contextlib
import os
import signal
import socket
import threading

import pytest

from world import process, websocket
from world.backend import first_time, plain, silent
from world.client import Connection, chunk, request_bytes
from world.figures import endpoint_loads
from world.ingot import stopped
from world.objects import IN_TURN, ingress
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


class Refusing:
    """A pod that neither accepts nor refuses: its queue is full, and the kernel leaves further ones unanswered."""

    def __init__(self, stack):
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        self.address, self.port = full.getsockname()


def test_a_retry_takes_no_time_out_of_the_body_along(make_ingot, pods):
    """The client pauses within its body, its pod goes, and the next one does not accept: that is not the client's
    fault. One of two clients meets the pods in this order, the other one in reverse."""
    (leaving,) = pods("leaving", answer=lambda wire, request: wire.close())
    ingot = make_ingot(config={"client_body_timeout": 1, "proxy_connect_timeout": 2, "proxy_next_upstream_tries": 2})
    with contextlib.ExitStack() as stack:
        ingot.serve(ingress(HOST, to=[leaving, Refusing(stack)], annotations=IN_TURN))
        clients = [ingot.connect(timeout=10) for _ in range(2)]
        with stopped(ingot):    # so that both have their turn before the first one is tried again
            for client in clients:
                client.send(request_bytes("/", HOST, "PUT", {"Content-Length": "10"}), b"half")

        assert sorted(client.response().status for client in clients) == [502, 504]


def test_a_pipelined_request_is_not_lost_to_the_clients_end_in_the_same_turn(ingot, pods):
    go_on = threading.Event()

    def answer(wire, request):
        go_on.wait(20)
        wire.respond(request.target)
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    client.send(request_bytes("/a", HOST) + request_bytes("/b", HOST))
    pod.await_requests(1)

    with stopped(ingot):
        go_on.set()
        eventually(lambda: pod.wires[0].sent > 0)
        client.half_close()

    assert [client.response().body for _ in range(2)] == [b"/a", b"/b"]


def test_a_pipelined_request_has_a_time_of_its_own(make_ingot, pods):
    """In one turn, first the pod's time for the first request is over, then what is left of the client's time."""
    (pod,) = pods("pod", answer=first_time(silent(), plain("ok")))
    ingot = make_ingot(config={"client_header_timeout": 2, "proxy_read_timeout": 1, "proxy_next_upstream": "off"})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()            # has 2.0 s for its head
    threading.Event().wait(0.75)
    client.send(request_bytes("/a", HOST) + request_bytes("/b", HOST))      # the pod has until 1.75 s
    threading.Event().wait(0.65)

    with stopped(ingot):
        threading.Event().wait(0.9)     # until 2.3 s

    assert [client.response().status for _ in range(2)] == [504, 200]


def test_the_last_words_of_a_pod_pass_through_a_tunnel_that_its_client_writes_to(ingot, pods):
    go_on = threading.Event()

    def answer(wire, request):
        wire.send(websocket.switching(request.header("Sec-WebSocket-Key")))
        go_on.wait(20)
        wire.send(websocket.frame("bye", masked=False))
        wire.reset()
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    client.send(websocket.handshake(HOST))
    assert client.head().status == 101

    with stopped(ingot):
        client.send(websocket.frame("one more"))
        go_on.set()
        eventually(lambda: not pod.wires[0].is_open)

    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"bye")


def tight(sock):
    """Little room on the way to that socket: small segments make the sender's buffer small, too."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)


def test_a_broken_request_is_told_while_nothing_of_the_response_has_left(ingot, pods):
    """The response begins in the turn in which the broken part of the body is read."""
    stuck, drain, answered = threading.Event(), threading.Event(), threading.Event()

    def answer(wire, request):
        stuck.set()
        drain.wait(20)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        wire.sock.settimeout(0.5)       # what is on its way comes; more does not, the worker is stopped
        with contextlib.suppress(TimeoutError):
            while wire.sock.recv(1 << 20):
                pass
        wire.respond("too early")
        answered.wait(20)
        wire.close()
    (pod,) = pods("pod", answer=answer)
    tight(pod.listener)
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect(timeout=10)
    client.send(request_bytes("/", HOST, "POST", {"Transfer-Encoding": "chunked"}), chunk(b"x" * 180_000), b"nonsense")
    assert stuck.wait(20)
    eventually(lambda: stands_still(ingot))

    with stopped(ingot):
        drain.set()
        eventually(lambda: pod.wires[0].sent > 0)

    assert client.response().status == 400
    answered.set()


def stands_still(ingot):
    """The worker has nothing to do: two looks a little apart find that it used no time."""
    (worker,) = ingot.worker_pids
    before = process.run_nanoseconds(worker)
    threading.Event().wait(0.05)
    return process.run_nanoseconds(worker) == before


def test_interim_responses_that_the_client_takes_late_come_whole(ingot, pods):
    def answer(wire, request):
        for number in range(8):
            wire.send("HTTP/1.1 103 Early Hints\r\nLink: " + str(number) * 30_000 + "\r\n\r\n")
        wire.respond("ok")
    ingot.serve(ingress(HOST, to=pods("pod", answer=answer)))
    with socket.socket() as sock:
        tight(sock)
        sock.settimeout(20)
        sock.connect(ingot.address)
        client = Connection.over(sock)

        client.send(request_bytes("/", HOST))
        eventually(lambda: endpoint_loads(ingot).requests == 1 and stands_still(ingot))
        answer = client.response()

    assert (answer.status, answer.body) == (200, b"ok")
    links = [hint.header("Link") for hint in answer.informational]
    assert links == [str(number) * 30_000 for number in range(len(links))]
    assert 0 < len(links) < 8, "all of them were taken at once: nothing was tested"
