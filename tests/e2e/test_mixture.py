# SPDX-License-Identifier: Apache-2.0
"""Many exchanges of every kind at once, drawn by chance: what arrives must be what was sent, on both sides.

A failure prints the seed; INGOT_SEED=… repeats it.
"""
import hashlib
import os
import random
import threading

import pytest

from world import process
from world.backend import Backend
from world.client import Closed, Connection, chunk
from world.objects import endpoints, ingress
from world.wait import SANITIZED, eventually

HOST = "shop.example"
SEED = int(os.environ.get("INGOT_SEED") or random.randrange(1 << 32))
SIZES = [0, 1, 2, 100, 1000, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_535, 65_536, 200_000, 1_000_003]
KEPT_PIPES = 8      # descriptors of the empty pipes that a worker keeps for the next large body
EXCHANGES = 60 if SANITIZED else 150


def content(key, size):
    """Bytes that depend on everything that names them."""
    block = hashlib.sha256(key.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def pieces(chance, data):
    """The same bytes, cut at random."""
    while data:
        size = chance.choice([1, 7, 100, 1460, 4096, 20_000, len(data)])
        yield data[:size]
        data = data[size:]


def chunks(chance, body):
    return b"".join(chunk(piece) for piece in pieces(chance, body)) + b"0\r\n\r\n"


class Exchange:
    """One request and the answer to it: all of it follows from a number."""

    def __init__(self, number):
        chance = random.Random(f"{SEED}/{number}")
        self.number = number
        self.method = chance.choice(["GET", "HEAD", "POST", "PUT", "DELETE"])
        self.request_size = chance.choice(SIZES) if self.method in ("POST", "PUT") else 0
        self.request_framing = chance.choice(["length", "chunked"])
        self.status = chance.choice([200, 200, 200, 201, 204, 304, 404, 500])
        self.framing = chance.choice(["length", "length", "chunked", "close"])
        self.size = chance.choice(SIZES)
        self.hints = chance.choice([0, 0, 0, 1, 2])
        # answered before the body was read: small enough for Ingot to take the rest while it lingers
        self.early = chance.random() < 0.2 and 0 < self.request_size <= 16_384
        self.chance = chance

    @property
    def target(self):
        return f"/{self.number}?x={'y' * (self.number % 300)}"

    @property
    def request_body(self):
        return content(f"request {self.number}", self.request_size)

    @property
    def body(self):
        return content(f"response {self.number}", self.size)

    @property
    def has_body(self):
        return self.method != "HEAD" and self.status not in (204, 304)

    def request(self):
        head = f"{self.method} {self.target} HTTP/1.1\r\nHost: {HOST}\r\nX-Number: {self.number}\r\n"
        if self.request_size == 0 and self.method not in ("POST", "PUT"):
            return head.encode() + b"\r\n"
        if self.request_framing == "length":
            return head.encode() + b"Content-Length: %d\r\n\r\n" % self.request_size + self.request_body
        return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(self.chance, self.request_body)

    def response(self):
        head = f"HTTP/1.1 {self.status} X\r\nX-Number: {self.number}\r\n".encode()
        if self.early:
            head += b"Connection: close\r\n"
        hints = b"HTTP/1.1 103 Hint\r\nLink: </x>\r\n\r\n" * self.hints
        if not self.has_body:
            return hints + head + b"\r\n"
        if self.framing == "length":
            return hints + head + b"Content-Length: %d\r\n\r\n" % self.size + self.body
        if self.framing == "chunked":
            return hints + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(self.chance, self.body)
        return hints + head + b"\r\n" + self.body


class Pods:
    """Pods that answer as each exchange says, and note what they did not like."""

    def __init__(self, count):
        self.wrong = []
        self.pods = [Backend(f"pod{n}", self.answer) for n in range(count)]

    def answer(self, wire, request):
        exchange = Exchange(int(request.header("X-Number")))
        if not exchange.early:
            body = wire.read_body(request)
            if body != exchange.request_body:
                self.wrong.append(f"body of request {exchange.number}: {len(body)} bytes")
        if request.target != exchange.target:
            self.wrong.append(f"target of request {exchange.number}")
        for piece in pieces(exchange.chance, exchange.response()):
            wire.send(piece)
        if exchange.early:
            wire.linger()
        elif exchange.has_body and exchange.framing == "close":
            wire.close()

    def stop(self):
        for pod in self.pods:
            pod.stop()


class Client(threading.Thread):
    """Sends a share of the exchanges, one after the other or several at once, on connections kept as long as
    they last."""

    def __init__(self, ingot, numbers):
        super().__init__(daemon=True)
        self.ingot = ingot
        self.numbers = numbers
        self.wrong = []
        self.chance = random.Random(f"{SEED}/client/{numbers[0]}")

    def run(self):
        connection = None
        waiting = list(self.numbers)
        try:
            while waiting:
                group = self.next_group(waiting)
                if connection is None:
                    connection = Connection(self.ingot.address, timeout=20)
                done, keep = self.converse(connection, group)
                waiting = waiting[done:]
                if not keep or self.chance.random() < 0.1:
                    connection.close()
                    connection = None
        except Exception as error:  # noqa: BLE001 - whatever goes wrong fails the test
            self.wrong.append(f"at {waiting[:4]}: {error!r}")

    def next_group(self, waiting):
        """Exchanges to be pipelined; nothing may follow one that is answered early."""
        group = []
        for number in waiting[:self.chance.choice([1, 1, 2, 4])]:
            group.append(Exchange(number))
            if group[-1].early:
                break
        return group

    def converse(self, connection, group):
        """How many were answered, and whether the connection can be used again."""
        sender = threading.Thread(target=self.send, args=(connection, group), daemon=True)
        sender.start()
        done = 0
        for exchange in group:
            answer = connection.response(exchange.method)
            self.check(exchange, answer)
            done += 1
            if answer.header("Connection") == "close" or exchange.early:
                return done, False
        sender.join(20)
        return done, True

    def send(self, connection, group):
        data = b"".join(exchange.request() for exchange in group)
        try:
            for piece in pieces(self.chance, data):
                connection.send(piece)
        except OSError:
            pass    # an early answer closes; what was answered is checked all the same

    def check(self, exchange, answer):
        if answer.header("X-Number") != str(exchange.number) or answer.status != exchange.status:
            self.wrong.append(f"answer to {exchange.number}: {answer}")
        if answer.body != (exchange.body if exchange.has_body else b""):
            self.wrong.append(f"body of answer {exchange.number}: {len(answer.body)} bytes of "
                              f"{exchange.size}, {exchange.framing}")
        if len(answer.informational) != exchange.hints:
            self.wrong.append(f"hints of answer {exchange.number}: {answer.informational}")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_arrives_is_what_was_sent(make_ingot, workers):
    print(f"INGOT_SEED={SEED}")
    pods = Pods(3)
    ingot = make_ingot(workers=workers, config={"proxy_body_size": "0"})
    ingot.serve(ingress(HOST, to=pods.pods))
    clients = [Client(ingot, range(n * EXCHANGES + 1, (n + 1) * EXCHANGES + 1)) for n in range(8)]

    for client in clients:
        client.start()
    for turn in range(10):
        ingot.apply(endpoints(to=[pods.pods[turn % 3], pods.pods[(turn + 1) % 3]]))
    for client in clients:
        client.join(120)

    pods.stop()
    wrong = [line for client in clients for line in client.wrong] + pods.wrong
    assert not any(client.is_alive() for client in clients)
    assert wrong == []
    assert not any(pod.faults for pod in pods.pods)


# ------------------------------------------------------------------ the same with everybody misbehaving

class FaultyPods(Pods):
    """Pods that close, reset, fall silent or talk nonsense at any point, and end idle connections when they like."""

    def answer(self, wire, request):
        exchange = Exchange(int(request.header("X-Number")))
        chance = random.Random()
        whim = chance.choice(["well"] * 6 + ["close", "reset", "cut", "nonsense", "close idle"])
        if whim == "close":
            wire.close()
            return
        if whim == "reset":
            wire.reset()
            return
        wire.read_body(request)
        data = exchange.response()
        if whim == "cut":
            wire.send(data[:chance.randrange(len(data) + 1)])
            chance.choice([wire.close, wire.reset])()
        elif whim == "nonsense":
            # in a body of known length it would be body
            end = len(data) - exchange.size if exchange.framing == "length" and exchange.has_body else len(data)
            wire.send(data[:chance.randrange(end)] + b"\x00\r\nnonsense\r\n\r\n")
            wire.close()
        else:
            wire.send(data)
            if exchange.early or whim == "close idle" or (exchange.has_body and exchange.framing == "close"):
                wire.close()


class FaultyClient(Client):
    """A client that goes away in the middle of anything, and takes what it gets as long as it is not wrong."""

    def run(self):
        for number in self.numbers:
            exchange = Exchange(number)
            try:
                with Connection(self.ingot.address, timeout=20) as connection:
                    self.one(connection, exchange)
            except (Closed, OSError):
                pass            # the connection was cut: never a wrong answer
            except Exception as error:  # noqa: BLE001 - whatever else goes wrong fails the test
                self.wrong.append(f"{number}: {error!r}")

    def one(self, connection, exchange):
        data = exchange.request()
        if self.chance.random() < 0.2:
            connection.send(data[:self.chance.randrange(len(data))])
            self.chance.choice([connection.close, connection.reset, connection.half_close])()
            return
        self.send(connection, [exchange])
        if self.chance.random() < 0.1:
            connection.reset()
            return
        answer = connection.response(exchange.method)
        # whether a cut message of no length was whole, nobody can know: its connection ended it
        if answer.status not in (400, 408, 502, 504) and answer.framing != "close":
            self.check_number(exchange, answer)

    def check_number(self, exchange, answer):
        if answer.header("X-Number") != str(exchange.number):
            self.wrong.append(f"answer to {exchange.number}: {answer}")
        elif answer.framing == "length" and answer.body != exchange.body:
            self.wrong.append(f"body of answer {exchange.number}")


def test_misbehaviour_of_all_sides_leaves_nothing_behind(make_ingot):
    print(f"INGOT_SEED={SEED}")
    pods = FaultyPods(3)
    ingot = make_ingot(workers=2, config={"proxy_body_size": "0"})
    ingot.serve(ingress(HOST, to=pods.pods))
    pids = [*ingot.worker_pids, ingot.control_pid]
    before = [len(process.descriptors(pid)) for pid in pids]
    clients = [FaultyClient(ingot, range(n * EXCHANGES + 1, (n + 1) * EXCHANGES + 1)) for n in range(8)]

    for client in clients:
        client.start()
    for turn in range(10):
        ingot.apply(endpoints(to=[pods.pods[turn % 3], pods.pods[(turn + 1) % 3]]))
    for client in clients:
        client.join(120)
    for pod in pods.pods:
        pod.close_idle()

    assert [line for client in clients for line in client.wrong] + pods.wrong == []
    assert [*ingot.worker_pids, ingot.control_pid] == pids, "nobody died"

    def nothing_left():
        metrics = ingot.metrics()
        return (metrics.sum("ingot_downstream_connections") == 0 and
                metrics.sum("ingot_upstream_connections") == 0 and
                all(now <= then + 1 + KEPT_PIPES for now, then in zip(
                    (len(process.descriptors(pid)) for pid in pids), before, strict=True)))
    eventually(nothing_left, 10, "connections and descriptors all given back")
    well = Backend("well")
    ingot.apply(endpoints(to=[well]))
    assert ingot.get(HOST).pod == "well"
    well.stop()
    pods.stop()


def test_every_way_of_cutting_a_request_reads_the_same(ingot, pods):
    """A request with every feature, cut in two at each byte."""
    seen = []

    def note(wire, request):
        wire.read_body(request)
        seen.append((request.method, request.target, request.body, request.header("X-A")))
        wire.respond("ok")

    (pod,) = pods("pod", answer=note)
    ingot.serve(ingress(HOST, to=[pod]))
    request = (b"POST /a%20b/../c?d=e HTTP/1.1\r\nHost: shop.example\r\nX-A: \t v w \r\n"
               b"Transfer-Encoding: chunked\r\nConnection: keep-alive, X-B\r\nX-B: 1\r\n\r\n"
               b"3;x=\"y\"\r\nabc\r\n000a\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n")
    client = ingot.connect()

    for cut in range(1, len(request)):
        client.send(request[:cut])
        client.send(request[cut:])
        try:
            assert client.response().status == 200
        except Closed as error:
            raise AssertionError(f"cut at {cut}") from error

    assert set(seen) == {("POST", "/c?d=e", b"abc0123456789", "v w")}


def test_every_way_of_cutting_a_response_reads_the_same(ingot, pods):
    response = (b"HTTP/1.1 103 Hint\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nX-A: \t v w \r\n"
                b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n")
    cuts = iter(range(1, len(response)))

    def cut_in_two(wire, request):
        wire.read_body(request)
        cut = next(cuts)
        wire.send(response[:cut])
        wire.send(response[cut:])

    ingot.serve(ingress(HOST, to=pods("pod", answer=cut_in_two)))
    client = ingot.connect()

    for cut in range(1, len(response)):
        answer = client.request("/", HOST)
        assert (answer.status, answer.body, answer.header("X-A")) == (200, b"abc0123456789", "v w"), cut
        assert [hint.status for hint in answer.informational] == [103], cut
