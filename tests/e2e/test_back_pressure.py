# SPDX-License-Identifier: Apache-2.0
"""Large bodies in constant memory, however slow either side is."""
import hashlib
import threading

import pytest

from world import process
from world.backend import counting, gigabytes
from world.client import chunk, request_bytes
from world.objects import ingress
from world.wait import SANITIZED, eventually

HOST = "shop.example"
SIZE = (256 << 20) if SANITIZED else (2 << 30)
BLOCK = b"x" * (1 << 18)

# What the memory of a worker may grow by, whatever the size of a body; shadow memory counts several times.
GROWTH = (192 << 20) if SANITIZED else (8 << 20)


def worker_memory(ingot):
    (worker,) = ingot.worker_pids
    return process.resident_bytes(worker)


class Sampled:
    """The largest memory of the worker while something goes on."""

    def __init__(self, ingot):
        self.ingot = ingot
        self.largest = 0
        self.before = worker_memory(ingot)
        self.running = True
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self):
        pause = threading.Event()
        while self.running:
            self.largest = max(self.largest, worker_memory(self.ingot))
            pause.wait(0.02)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    @property
    def growth(self):
        return self.largest - self.before


@pytest.mark.slow
def test_a_huge_download_passes_in_constant_memory(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=gigabytes(SIZE))))
    client = ingot.connect(timeout=60)
    client.send(request_bytes("/", HOST))
    head = client.head()
    left = int(head.header("Content-Length")) - len(client.reader.take(1 << 20))

    with Sampled(ingot) as memory:
        buffer = bytearray(1 << 20)
        while left > 0:
            got = client.sock.recv_into(buffer)
            assert got > 0
            left -= got

    assert left == 0
    assert memory.growth < GROWTH


@pytest.mark.slow
def test_a_huge_upload_passes_in_constant_memory(make_ingot, pods):
    ingot = make_ingot(config={"proxy_body_size": "0"})
    got = []
    ingot.serve(ingress(HOST, to=pods("pod", answer=counting(lambda total: got.append(1)))))
    client = ingot.connect(timeout=60)

    with Sampled(ingot) as memory:
        client.send(request_bytes("/", HOST, "POST", {"Content-Length": str(SIZE)}))
        for _ in range(SIZE // len(BLOCK)):
            client.send(BLOCK)
        answer = client.response()

    assert answer.body == str(SIZE).encode()
    assert memory.growth < GROWTH


def test_a_pod_runs_no_further_ahead_than_the_buffers_of_a_slow_client(ingot, pods):
    sent = [0]

    def measured(wire, request):
        wire.read_body(request)
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")
        wire.sock.settimeout(60)
        while sent[0] < SIZE:
            sent[0] += wire.sock.send(BLOCK)

    ingot.serve(ingress(HOST, to=pods("pod", answer=measured)))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    client.head()

    still = settled(lambda: sent[0])

    # kernel buffers of four socket ends at most; the rest waits in the pod
    assert still < 64 << 20


def test_a_client_runs_no_further_ahead_than_the_buffers_of_a_slow_pod(make_ingot, pods):
    ingot = make_ingot(config={"proxy_body_size": "0"})
    release = threading.Event()

    def never_reads(wire, request):
        release.wait(30)
        wire.close()

    ingot.serve(ingress(HOST, to=pods("pod", answer=never_reads)))
    client = ingot.connect()
    client.send(request_bytes("/", HOST, "POST", {"Content-Length": str(SIZE)}))
    client.sock.setblocking(False)
    sent = [0]

    def push():
        try:
            while sent[0] < SIZE:
                sent[0] += client.sock.send(BLOCK)
        except BlockingIOError:
            pass
        return sent[0]

    still = settled(push)
    release.set()

    assert still < 64 << 20


def settled(figure):
    """The figure once it no longer changes over several looks."""
    seen = []

    def look():
        seen.append(figure())
        return len(seen) > 40 and len(set(seen[-40:])) == 1 and seen[-1] > 0
    eventually(look, 20, "a figure that stands still")
    return seen[-1]


def test_a_download_read_in_small_pieces_arrives_unharmed(ingot, pods):
    body = bytes(hashlib.sha256(b"seed").digest()) * 40_000

    def send(wire, request):
        wire.read_body(request)
        wire.respond(body)

    ingot.serve(ingress(HOST, to=pods("pod", answer=send)))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    head = client.head()
    pieces = []

    while sum(map(len, pieces)) < len(body):
        pieces.append(client.reader.exactly(min(777, len(body) - sum(map(len, pieces)))))
        if len(pieces) > 64:
            pieces = [b"".join(pieces)]

    assert head.status == 200
    assert b"".join(pieces) == body


def test_many_slow_downloads_do_not_hold_up_a_quick_request(ingot, pods):
    (large,) = pods("large", answer=gigabytes(64 << 20))
    (small,) = pods("small")
    ingot.serve(ingress(HOST, to=[large], name="large"),
                ingress("quick.example", to=[small], name="small"))
    stuck = [ingot.connect() for _ in range(30)]
    for client in stuck:
        client.send(request_bytes("/", HOST))
        client.head()

    assert ingot.get("quick.example", times=50).statuses == {200: 50}


def test_chunked_uploads_are_held_back_as_well(make_ingot, pods):
    ingot = make_ingot(config={"proxy_body_size": "0"})
    release = threading.Event()
    (pod,) = pods("pod")
    usual = pod.answer

    def late(wire, request):
        release.wait(30)
        usual(wire, request)

    pod.answer = late
    ingot.serve(ingress(HOST, to=[pod]))
    client = ingot.connect(timeout=30)
    client.send(request_bytes("/", HOST, "POST", {"Transfer-Encoding": "chunked"}))
    sender = threading.Thread(target=lambda: client.send(
        *[chunk(BLOCK)] * 100, b"0\r\n\r\n"), daemon=True)
    with Sampled(ingot) as memory:
        sender.start()
        pod.await_requests(1)
        release.set()
        assert client.response().status == 200

    assert len(pod.last.body) == 100 * len(BLOCK)
    assert memory.growth < GROWTH
