# SPDX-License-Identifier: Apache-2.0
"""When something runs out: descriptors, memory, a reader of the log, time."""
import contextlib
import json
import os
import signal
import socket
import ssl
import threading

import pytest

from world import process
from world.backend import plain
from world.client import Connection, request_bytes
from world.objects import ingress
from world.wait import SANITIZED, eventually

HOST = "shop.example"


def limited(ingot, count):
    """`ingot run` with a hard limit of descriptors."""
    command = ingot.command
    ingot.command = lambda: ["prlimit", f"--nofile={count}:{count}", *command()]
    return ingot


def test_more_clients_than_descriptors_harm_nobody_for_long(make_ingot, pod):
    ingot = limited(make_ingot(), 256)
    ingot.serve(ingress(HOST, to=[pod]))
    crowd = []

    for _ in range(400):
        try:
            crowd.append(Connection(ingot.address, timeout=2))
        except OSError:
            break
    for client in crowd:
        client.close()

    assert eventually(lambda: ingot.get(HOST).status == 200, 10)
    assert ingot.metrics().sum("ingot_worker_restarts_total") == 0


def test_clients_beyond_the_limit_are_told_or_wait(make_ingot, pod):
    ingot = limited(make_ingot(), 256)
    ingot.serve(ingress(HOST, to=[pod]))
    held = [ingot.connect() for _ in range(60)]

    answers = [client.request("/", HOST) for client in held]

    assert {answer.status for answer in answers} <= {200, 503}


def let_no_more_descriptors(ingot):
    """From now on the worker gets a descriptor only by closing one."""
    (worker,) = ingot.worker_pids
    end = max(process.descriptor_numbers(worker)) + 1
    while set(range(end)) - process.descriptor_numbers(worker):
        before = len(process.descriptor_numbers(worker))
        ingot.connect()
        eventually(lambda: len(process.descriptor_numbers(worker)) > before)
    end = max(process.descriptor_numbers(worker)) + 1
    process.limit_descriptors(worker, end)


def together(ingot, host, count):
    """That many clients whose requests are at the pods at one time, so that each takes a connection of its own."""
    clients = [ingot.connect() for _ in range(count)]
    for client in clients:
        client.send(request_bytes("/", host))
    return clients


def held(count, barrier):
    """Answers only when that many requests are there."""
    def answer(wire, request):
        barrier.wait(20)
        wire.respond("held")
    return answer


def test_pooled_connections_make_room_for_new_ones_to_pods(ingot, pods):
    barrier = threading.Barrier(4)
    (often,) = pods("often", answer=held(4, barrier))
    (seldom,) = pods("seldom")
    ingot.serve(ingress(HOST, to=[often], name="often"), ingress("b.example", to=[seldom], name="seldom"))
    clients = together(ingot, HOST, 4)
    assert {client.response().status for client in clients} == {200}
    let_no_more_descriptors(ingot)

    answer = clients[0].request("/", "b.example")

    assert answer.status == 200
    eventually(lambda: often.open_connections == 3)
    assert not any(client.has_news() for client in clients)


def test_pooled_connections_make_room_for_new_clients(ingot, pods):
    barrier = threading.Barrier(4)
    (pod,) = pods("pod", answer=held(4, barrier))
    ingot.serve(ingress(HOST, to=[pod]))
    clients = together(ingot, HOST, 4)
    assert {client.response().status for client in clients} == {200}
    pod.answer = plain("ok")
    let_no_more_descriptors(ingot)

    assert ingot.connect().request("/", HOST).status == 200

    eventually(lambda: pod.open_connections == 3)
    assert not any(client.has_news() for client in clients)
    assert ingot.metrics().sum("ingot_downstream_connections_refused_total") == 0


def test_the_client_that_idled_longest_makes_room_where_nothing_is_pooled(make_ingot, pods):
    ingot = make_ingot(config={"upstream_keepalive_connections": 0})
    (pod,) = pods("pod")
    ingot.serve(ingress(HOST, to=[pod]))
    clients = [ingot.connect() for _ in range(4)]
    for client in clients:
        assert client.request("/", HOST).status == 200
    eventually(lambda: pod.open_connections == 0)
    let_no_more_descriptors(ingot)

    # one makes room for the client, another one for its connection to the pod
    assert ingot.connect().request("/", HOST).status == 200

    assert clients[0].is_closed()
    assert clients[1].is_closed()
    assert not clients[2].has_news()
    assert not clients[3].has_news()
    assert ingot.metrics().sum("ingot_downstream_connections_refused_total") == 0


def test_a_client_that_idles_makes_room_at_the_limit_of_connections(make_ingot, pod):
    ingot = limited(make_ingot(), 160)      # a worker takes 16 connections then, the least
    ingot.serve(ingress(HOST, to=[pod]))
    clients = [ingot.connect() for _ in range(16)]
    for client in clients:
        assert client.request("/", HOST).status == 200

    assert ingot.connect().request("/", HOST).status == 200

    assert clients[0].is_closed()
    assert not any(client.has_news() for client in clients[1:])


def test_a_client_that_says_nothing_makes_room_on_the_port_of_tls_too(make_ingot, pod):
    ingot = limited(make_ingot(tls=True), 160)      # a worker takes 16 connections then, the least
    ingot.serve(ingress(HOST, to=[pod]))
    hello, hello_sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(hello, hello_sent, server_hostname=HOST).do_handshake()
    silent = [socket.create_connection(("127.0.0.1", ingot.https_port), 5) for _ in range(16)]
    silent[0].sendall(hello_sent.read())
    assert silent[0].recv(1)        # its handshake has begun, and waits for the client

    assert ingot.connect().request("/", HOST).status == 200

    assert Connection.over(silent[0]).reader.rest() is not None     # its end, long before the time of handshakes is over
    assert ingot.metrics().sum("ingot_downstream_connections_refused_total") == 0


def test_a_log_that_nobody_reads_costs_lines_and_no_request(make_ingot, pod, place):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    ingot = make_ingot(flags=["--access-log", str(fifo)])
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()

    for number in range(1500):
        assert client.request("/" + "x" * 200, HOST).status == 200, number
        if number % 900 == 899:
            client = ingot.connect()

    eventually(lambda: ingot.metrics().sum("ingot_access_log_lines_dropped_total") > 0)
    os.close(reader)
    assert ingot.get(HOST).status == 200


def test_a_reader_of_the_log_that_goes_away_kills_nobody(make_ingot, pod, place):
    fifo = place / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    ingot = make_ingot(flags=["--access-log", str(fifo)])
    ingot.serve(ingress(HOST, to=[pod]))
    (worker,) = ingot.worker_pids

    os.close(reader)

    for _ in range(50):
        assert ingot.get(HOST).status == 200
    assert ingot.worker_pids == [worker]


def test_a_stopped_worker_that_goes_on_closes_no_healthy_connection(make_ingot, pod):
    """Time in which the process did not run counts for nobody."""
    ingot = make_ingot(config={"keep_alive": 2})
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect()
    assert client.request("/", HOST).status == 200
    (worker,) = ingot.worker_pids

    os.kill(worker, signal.SIGSTOP)
    threading.Event().wait(3)           # longer than the connection may be idle: that is the case
    os.kill(worker, signal.SIGCONT)

    assert client.request("/", HOST).status == 200


@pytest.mark.skipif(SANITIZED, reason="shadow memory hides the figure")
def test_idle_connections_own_no_buffers(make_ingot, pod):
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[pod]))
    (worker,) = ingot.worker_pids

    def hold(count):
        clients = [ingot.connect() for _ in range(count)]
        for client in clients:
            # one at a time: the buffers of many at once would stay with the worker
            assert client.request("/", HOST).status == 200
        return clients
    hold(500)
    before = process.resident_bytes(worker)

    hold(3000)

    # buffers that exchanges used meanwhile go back; what is left belongs to connections
    assert eventually(lambda: (process.resident_bytes(worker) - before) / 3000 < 1536, 5,
                      "at most 1.5 KiB of memory an idle connection")


def test_slow_heads_do_not_hold_up_others(make_ingot, pod):
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[pod]))
    slow = [ingot.connect() for _ in range(300)]
    for client in slow:
        client.send("GET / HTTP/1.1\r\nHost: shop.exa")

    assert ingot.get(HOST, times=100).statuses == {200: 100}

    for client in slow:
        client.send("mple\r\n\r\n")
    assert {client.response().status for client in slow} == {200}


class Tight:
    """A pod that has room for little and reads nothing; it resets when nothing more comes in."""

    def __init__(self, stack):
        self.listener = stack.enter_context(socket.socket())
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)    # little room at the sender, too
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.address, self.port = self.listener.getsockname()
        stack.callback(self.listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                unread = [-1]

                def is_full():
                    unread.append(len(client.recv(1 << 20, socket.MSG_PEEK)))
                    return unread[-1] == unread[-2]
                eventually(is_full)
                client.close()


def test_a_full_arena_is_the_fault_of_no_pod(make_ingot):
    """Each attempt keeps what the pod did not take of the head, until there is no room for that any more."""
    ingot = make_ingot(log="json", config={"large_client_header_buffers": "32 8k", "proxy_next_upstream_tries": 15})
    with contextlib.ExitStack() as stack:
        ingot.serve(ingress(HOST, to=[Tight(stack)]))

        answer = ingot.get(HOST, headers=[(f"X-{n}", "y" * 7900) for n in range(31)], timeout=20)

    assert answer.status == 503
    (line,) = ingot.log_lines(1)
    assert json.loads(line)["reason"] == "out_of_memory"
