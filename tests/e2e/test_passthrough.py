# SPDX-License-Identifier: Apache-2.0
"""TLS that is passed on as it is: by the name in ClientHello to a pod that ends it, or doesn't."""
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import types

import pytest

from world import process
from world.certificates import Certificate, secret
from world.client import Connection
from world.figures import endpoint_loads
from world.objects import (backend_of, config_map, endpoints, external_name, ingress, ingress_only,
                           path_rule)
from world.wait import PATIENCE, eventually, free_port

PASS = {"nginx.ingress.kubernetes.io/ssl-passthrough": "true"}
ENDED = "ended.example"     # whose TLS Ingot ends
PASSED = "passed.example"   # whose TLS a pod ends
MEGABYTE = 1 << 20


@pytest.fixture
def make(make_ingot):
    def with_flag(**options):
        options.setdefault("flags", ["--enable-ssl-passthrough"])
        return make_ingot(tls=True, **options)
    return with_flag


@pytest.fixture
def ingot(make):
    return make()


@pytest.fixture
def tls_pod(pods, place):
    """tls_pod("name"): a pod with a certificate of its own for PASSED."""
    def new(name="pod", *names, answer=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = Certificate(*(names or [PASSED]), subject=name)
        (place / f"{name}.pem").write_text(certificate.pem + certificate.key)
        context.load_cert_chain(place / f"{name}.pem")
        pod = pods(name, tls=context, answer=answer)[0]
        pod.certificate = certificate
        return pod
    return new


class RawPod:
    """A pod of bytes: behave(socket) is called in a thread for each connection."""

    def __init__(self, behave):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address, self.port = self.listener.getsockname()
        self.behave = behave
        self.socks = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.socks.append(sock)
            threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        with contextlib.suppress(OSError), sock:
            self.behave(sock)

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in self.socks:
            sock.close()


@pytest.fixture
def raw_pod():
    made = []

    def new(behave):
        made.append(RawPod(behave))
        return made[-1]
    yield new
    for pod in made:
        pod.stop()


def passed(*pods, host=PASSED, name="passed", **more):
    return ingress(host, to=pods, name=name, annotations=PASS, **more)


def ended(pod):
    return [secret("ended-tls", Certificate(ENDED)),
            ingress(ENDED, to=[pod], name="ended",
                    tls=[{"hosts": [ENDED], "secretName": "ended-tls"}])]


def dial(ingot, timeout=5.0):
    sock = socket.create_connection(("127.0.0.1", ingot.https_port), timeout * PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def client_context(authority=None):
    context = ssl.create_default_context(cadata=authority.pem) if authority else ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def connect(ingot, name=PASSED, authority=None, before=b""):
    sock = dial(ingot)
    sock.sendall(before)
    return Connection.over(client_context(authority).wrap_socket(sock, server_hostname=name))


def hello(name=PASSED, context=None):
    """The bytes of a ClientHello."""
    out = ssl.MemoryBIO()
    context = context or client_context()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def split_records(sent, size):
    """The same handshake message in records of that size."""
    message = sent[5:]
    pieces = [message[at:at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)


def received(sock, count):
    taken = bytearray()
    while len(taken) < count:
        piece = sock.recv(count - len(taken))
        if not piece:
            break
        taken += piece
    return bytes(taken)


def everything(sock):
    taken = bytearray()
    while piece := sock.recv(1 << 16):
        taken += piece
    return bytes(taken)


def by_reset(sock):
    """Waits for the end of a connection on which nothing more is said; whether it is a reset."""
    try:
        assert sock.recv(1) == b""
        return False
    except ConnectionResetError:
        return True


def fault(ingot, reason):
    return ingot.metrics().get("ingot_local_responses_total", reason=reason)


def open_now(ingot):
    return ingot.metrics().get("ingot_passthroughs")


# ------------------------------------------------------------------ which names

def test_a_host_that_is_passed_on_shows_the_pods_own_certificate(ingot, tls_pod):
    pod = tls_pod()
    ingot.serve(passed(pod))

    with connect(ingot, authority=pod.certificate) as client:
        answer = client.request("/anywhere", PASSED)

    assert answer.status == 200 and answer.pod == "pod"
    # nothing was added: nobody looked inside
    assert pod.last.header("X-Real-IP") is None


def test_other_names_on_the_same_port_are_ended_here(ingot, pods, tls_pod):
    (plain,) = pods("plain")
    ingot.serve(passed(tls_pod()), ended(plain))

    with connect(ingot, ENDED) as client:
        assert client.request("/", ENDED).pod == "plain"
    with connect(ingot, PASSED) as client:
        assert client.request("/", PASSED).pod == "pod"
    with connect(ingot, "nobody.example") as client:
        assert client.request("/", "nobody.example").status == 404
    with connect(ingot, None) as client:
        assert client.request("/", ENDED).status == 200


def test_the_name_counts_and_not_how_it_is_written(ingot, tls_pod):
    ingot.serve(passed(tls_pod()))

    with connect(ingot, "PASSED.Example") as client:
        assert client.request("/", PASSED).pod == "pod"


def test_a_wildcard_is_passed_on_but_for_names_of_their_own(ingot, pods, tls_pod):
    (plain,) = pods("plain")
    ingot.serve(passed(tls_pod("pod", "*.example"), host="*.example"), ended(plain))

    with connect(ingot, "any.example") as client:
        assert client.request("/", "any.example").pod == "pod"
    with connect(ingot, ENDED) as client:
        assert client.request("/", ENDED).pod == "plain"


def test_without_the_flag_tls_is_ended_here(make, tls_pod):
    ingot = make(flags=[])
    ingot.serve(passed(tls_pod()))

    with connect(ingot) as client:
        # 502 would be plain HTTP at a pod that speaks TLS
        assert client.sock.getpeercert(binary_form=True)
        assert client.request("/", PASSED).status in (400, 502)
    eventually(lambda: "--enable-ssl-passthrough" in ingot.said())


def test_plain_requests_reach_the_pod_by_tls(ingot, tls_pod):
    pod = tls_pod()
    ingot.serve(passed(pod))

    assert ingot.get(PASSED).pod == "pod"
    assert pod.last.header("X-Forwarded-Proto") == "http"


def test_the_path_of_the_root_decides_and_no_other(ingot, tls_pod):
    root, cart = tls_pod("root"), tls_pod("cart")
    ingot.serve(ingress_only("two", {PASSED: [path_rule("/cart", "cart"), path_rule("/", "root")]},
                             annotations=PASS), backend_of("root", [root]), backend_of("cart", [cart]))

    with connect(ingot) as client:
        assert client.request("/cart", PASSED).pod == "root"
    assert ingot.get(PASSED, "/cart").pod == "cart"


def test_what_it_needs_is_told(ingot, pod):
    ingot.serve(ingress(PASSED, "/only", to=[pod], annotations=PASS))

    eventually(lambda: "has no path / that TLS could be passed on by" in ingot.said())
    with connect(ingot) as client:
        assert client.request("/", PASSED).status == 404


# ------------------------------------------------------------------ hellos

HELLOS = {
    "whole": lambda sent: [sent],
    "single-bytes": lambda sent: [bytes([byte]) for byte in sent],
    "records": lambda sent: [split_records(sent, 20)],
    "records-of-one-byte": lambda sent: [split_records(sent, 1)],
    "records-in-segments": lambda sent: [split_records(sent, 100)[at:at + 33]
                                         for at in range(0, len(split_records(sent, 100)), 33)],
}


@pytest.mark.parametrize("form", HELLOS)
def test_a_hello_in_any_form_arrives_byte_for_byte(ingot, raw_pod, form):
    pieces = HELLOS[form](hello())
    sent = b"".join(pieces)
    arrived = []
    ingot.serve(passed(raw_pod(lambda sock: (arrived.append(received(sock, len(sent))),
                                             sock.sendall(b"seen")))))

    with dial(ingot) as sock:
        for piece in pieces:
            sock.sendall(piece)
        assert received(sock, 4) == b"seen"

    assert arrived == [sent]


def test_what_follows_the_hello_in_its_segment_arrives_too(ingot, raw_pod):
    sent = hello() + b"whatever follows" * 1000
    arrived = []
    ingot.serve(passed(raw_pod(lambda sock: (arrived.append(received(sock, len(sent))),
                                             sock.sendall(b"seen")))))

    with dial(ingot) as sock:
        sock.sendall(sent)
        assert received(sock, 4) == b"seen"

    assert arrived == [sent]


@pytest.mark.parametrize("bytes_sent", [
    b"GET / HTTP/1.1\r\nHost: passed.example\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\x00\x00",
    b"\x16\x03\x01\x40\x01" + b"\x01" * 100, b"\x16\x02\x00\x00\x10" + b"\x01" * 16,
    b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00"],
    ids=["http", "zeros", "empty-record", "long-record", "version", "no-hello"])
def test_garbage_is_for_tls_to_refuse(ingot, raw_pod, bytes_sent):
    pod = raw_pod(lambda sock: sock.sendall(b"never"))
    ingot.serve(passed(pod))

    with dial(ingot) as sock:
        sock.sendall(bytes_sent)
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            said = everything(sock)
            assert said == b"" or said[0] == 21     # an alert

    assert not pod.socks


def test_a_hello_that_is_too_long_is_not_waited_for(ingot, raw_pod):
    pod = raw_pod(lambda sock: sock.sendall(b"never"))
    ingot.serve(passed(pod))
    # a hello of 60,000 bytes, in records of 16,000, whose name would come last
    body = b"\x01" + struct.pack("!I", 60_000)[1:] + b"\x03\x03" + b"r" * 32 + b"\0" + \
        b"\0\2\x13\x01\1\0" + struct.pack("!HHH", 59_000, 21, 50_000) + b"\0" * 50_000
    sent = b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece
                    for piece in (body[at:at + 16_000] for at in range(0, len(body), 16_000)))

    with dial(ingot) as sock:
        with contextlib.suppress(OSError):      # whoever is refused may be cut off while it sends
            sock.sendall(sent)
            sock.shutdown(socket.SHUT_WR)
            said = everything(sock)
            assert said == b"" or said[0] == 21

    assert not pod.socks


def test_a_hello_that_is_cut_is_for_tls_to_refuse(ingot, raw_pod):
    pod = raw_pod(lambda sock: sock.sendall(b"never"))
    ingot.serve(passed(pod))

    with dial(ingot) as sock:
        sock.sendall(hello()[:-10])
        sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            everything(sock)

    assert not pod.socks


def test_a_hello_that_never_ends_is_given_up(ingot, raw_pod):
    pod = raw_pod(lambda sock: sock.sendall(b"never"))
    ingot.serve(passed(pod))

    with dial(ingot, 20) as slow, dial(ingot, 20) as silent:
        slow.sendall(hello()[:-10])

        assert by_reset(slow)       # what came was not taken
        assert not by_reset(silent)

    assert not pod.socks


def test_two_names_are_for_tls_to_refuse(ingot, raw_pod):
    pod = raw_pod(lambda sock: sock.sendall(b"never"))
    ingot.serve(passed(pod))
    sent = hello()
    entry = b"\0\0" + struct.pack("!HHBH", len(PASSED) + 5, len(PASSED) + 3, 0, len(PASSED)) + \
        PASSED.encode()
    at = sent.index(entry)
    twice = bytearray(sent[:at] + entry + sent[at:])
    for where, size in ((3, 2), (6, 3)):
        number = int.from_bytes(twice[where:where + size], "big") + len(entry)
        twice[where:where + size] = number.to_bytes(size, "big")
    extensions = at_extensions(sent)
    number = int.from_bytes(twice[extensions:extensions + 2], "big") + len(entry)
    twice[extensions:extensions + 2] = number.to_bytes(2, "big")

    with dial(ingot) as sock:
        sock.sendall(bytes(twice))
        assert received(sock, 1) == b"\x15"

    assert not pod.socks


def at_extensions(sent):
    """Where the length of the extensions stands in a hello of one record."""
    at = 5 + 4 + 2 + 32
    at += 1 + sent[at]
    at += 2 + int.from_bytes(sent[at:at + 2], "big")
    return at + 1 + sent[at]


# ------------------------------------------------------------------ bytes both ways

def test_a_lot_passes_both_ways_at_once(ingot, raw_pod):
    size = 32 * MEGABYTE
    first = hello()
    up, down = [], []

    def behave(sock):
        assert received(sock, len(first)) == first
        sender = threading.Thread(target=lambda: (sock.sendall(b"d" * size),
                                                  sock.shutdown(socket.SHUT_WR)))
        sender.start()
        up.append(len(everything(sock)))
        sender.join()
        sock.close()
    ingot.serve(passed(raw_pod(behave)))

    with dial(ingot) as sock:
        sock.sendall(first)
        sender = threading.Thread(target=lambda: (sock.sendall(b"u" * size),
                                                  sock.shutdown(socket.SHUT_WR)))
        sender.start()
        down.append(len(everything(sock)))
        sender.join()

    eventually(lambda: up == [size])
    assert down == [size]
    metrics = eventually(lambda: (m := ingot.metrics()).get("ingot_passthroughs") == 0 and m)
    assert metrics.get("ingot_passthroughs_total") == 1
    assert metrics.get("ingot_passthrough_received_bytes_total") == size + len(first)
    assert metrics.get("ingot_passthrough_sent_bytes_total") == size


def test_a_client_that_takes_nothing_holds_the_pod_back(ingot, raw_pod):
    sent = []

    def behave(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        sock.settimeout(1)
        with contextlib.suppress(socket.timeout):
            while sum(sent) < 256 * MEGABYTE:
                sent.append(sock.send(b"x" * 65536))
        sent.append(0)
    ingot.serve(passed(raw_pod(behave)))

    with dial(ingot) as sock:
        sock.sendall(hello())
        eventually(lambda: sent and sent[-1] == 0, 20, "a pod that can send no more")

    assert sum(sent) < 64 * MEGABYTE


@pytest.mark.parametrize("side", ["client", "pod"])
def test_each_side_may_end_its_half_first(ingot, raw_pod, side):
    first = hello()

    def behave(sock):
        received(sock, len(first))
        if side == "pod":
            sock.sendall(b"my last")
            sock.shutdown(socket.SHUT_WR)
            assert everything(sock) == b"the client's last"
        else:
            assert everything(sock) == b"the client's last"
            sock.sendall(b"my last")
        sock.close()
    ingot.serve(passed(raw_pod(behave)))

    with dial(ingot) as sock:
        sock.sendall(first)
        if side == "client":
            sock.sendall(b"the client's last")
            sock.shutdown(socket.SHUT_WR)
            assert everything(sock) == b"my last"
        else:
            assert everything(sock) == b"my last"
            sock.sendall(b"the client's last")
            sock.shutdown(socket.SHUT_WR)

    eventually(lambda: open_now(ingot) == 0)
    assert fault(ingot, "upstream_reset") == fault(ingot, "client_closed") == 0


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_reset_of_the_pod_is_one_for_the_client(ingot, raw_pod):
    first = hello()
    ingot.serve(passed(raw_pod(lambda sock: (received(sock, len(first)), reset(sock)))))

    with dial(ingot) as sock:
        sock.sendall(first)

        assert by_reset(sock)
    assert fault(ingot, "upstream_reset") == 1


def test_a_reset_of_the_client_is_one_for_the_pod(ingot, raw_pod):
    first = hello()
    ends = []
    ingot.serve(passed(raw_pod(lambda sock: (received(sock, len(first)), sock.sendall(b"x"),
                                             ends.append(by_reset(sock))))))
    sock = dial(ingot)
    sock.sendall(first)
    assert received(sock, 1) == b"x"

    reset(sock)

    eventually(lambda: ends == [True])
    assert fault(ingot, "client_closed") == 1


def test_one_that_idles_ends(make, raw_pod):
    ingot = make(config={"proxy-stream-timeout": "1"})
    ingot.serve(passed(raw_pod(lambda sock: everything(sock))))

    with dial(ingot) as sock:
        sock.sendall(hello())

        assert sock.recv(1) == b""
    assert fault(ingot, "response_stalled") == 1


# ------------------------------------------------------------------ endpoints

class Dead:
    """A pod that refuses connections."""

    def __init__(self):
        self.address, self.port = "127.0.0.1", free_port()


def test_a_pod_that_refuses_is_passed_over(make, tls_pod):
    ingot = make(config={"load-balance": "round_robin"})
    ingot.serve(passed(Dead(), tls_pod(), Dead()))

    for _ in range(6):
        with connect(ingot) as client:
            assert client.request("/", PASSED).pod == "pod"

    metrics = ingot.metrics()
    assert metrics.get("ingot_retries_total") >= 2
    assert metrics.get("ingot_upstream_connection_failures_total") >= 2


def test_a_pod_that_is_known_to_be_away_at_once_is_no_load(ingot, tls_pod):
    pod = tls_pod("pod")
    away = types.SimpleNamespace(address="255.255.255.255", port=pod.port)  # connect() itself refuses it
    ingot.serve(passed(away, pod))

    for _ in range(20):
        with connect(ingot) as client:
            assert client.request("/", PASSED).pod == "pod"

    eventually(lambda: ingot.metrics().get("ingot_passthroughs") == 0)
    assert ingot.metrics().get("ingot_retries_total") > 0
    assert endpoint_loads(ingot).in_flight == 0


def test_no_more_pods_are_tried_than_the_key_says(make, tls_pod):
    ingot = make(config={"proxy-stream-next-upstream-tries": "2"})
    ingot.serve(passed(*[Dead() for _ in range(5)]))

    with dial(ingot) as sock:
        sock.sendall(hello())
        assert by_reset(sock)

    assert ingot.metrics().get("ingot_attempts_total") == 2
    assert fault(ingot, "connect_refused") == 1


def test_none_is_tried_again_where_the_key_says_so(make):
    ingot = make(config={"proxy-stream-next-upstream": "false"})
    ingot.serve(passed(*[Dead() for _ in range(5)]))

    with dial(ingot) as sock:
        sock.sendall(hello())
        assert by_reset(sock)

    assert ingot.metrics().get("ingot_attempts_total") == 1


def test_the_only_pod_is_tried_once(ingot):
    ingot.serve(passed(Dead()))

    with dial(ingot) as sock:
        sock.sendall(hello())
        assert by_reset(sock)

    assert ingot.metrics().get("ingot_attempts_total") == 1


def test_without_a_pod_the_connection_is_reset(ingot):
    ingot.serve(passed())

    with dial(ingot) as sock:
        sock.sendall(hello())
        assert by_reset(sock)

    assert fault(ingot, "no_endpoints") == 1


def test_connections_are_dealt_out(make, tls_pod):
    ingot = make(config={"load-balance": "round_robin"})
    pods = [tls_pod(name) for name in "abc"]
    ingot.serve(passed(*pods))

    seen = []
    for _ in range(6):
        with connect(ingot) as client:
            seen.append(client.request("/", PASSED).pod)

    assert sorted(seen) == sorted("abc" * 2)


def test_a_pod_that_leaves_keeps_its_connections_and_gets_no_new_one(ingot, tls_pod):
    a, b = tls_pod("a"), tls_pod("b")
    ingot.serve(passed(a))
    with connect(ingot) as old:
        assert old.request("/", PASSED).pod == "a"

        ingot.apply(endpoints("passed", [b]))

        assert old.request("/", PASSED).pod == "a"
        with connect(ingot) as new:
            assert new.request("/", PASSED).pod == "b"
        assert old.request("/", PASSED).pod == "a"


def test_an_external_name_is_resolved(ingot, tls_pod):
    pod = tls_pod()
    ports = [(pod.port, "https", None)]
    ingot.serve(ingress_only("out", {PASSED: [path_rule("/", "out", pod.port)]}, annotations=PASS),
                external_name("out", "127.0.0.1", ports=ports))

    with connect(ingot) as client:
        assert client.request("/", PASSED).pod == "pod"


# ------------------------------------------------------------------ changes

def test_it_is_switched_on_and_off_while_connections_are_open(ingot, tls_pod, pods):
    pod = tls_pod()
    ingot.serve(ingress(PASSED, to=[pod], name="passed", age=0))
    with connect(ingot) as ended_here:
        assert ended_here.request("/", PASSED).status >= 400

        ingot.apply(ingress_only("passed", {PASSED: [path_rule("/", "passed")]}, age=0,
                                 annotations=PASS))

        with connect(ingot, authority=pod.certificate) as through:
            assert through.request("/", PASSED).pod == "pod"
            # what began here goes on here; its pod is spoken to by TLS now
            assert ended_here.request("/", PASSED).pod == "pod"

            ingot.apply(ingress_only("passed", {PASSED: [path_rule("/", "passed")]}, age=0))

            assert through.request("/", PASSED).pod == "pod"
            with connect(ingot) as again:
                assert again.request("/", PASSED).status >= 400
            assert through.request("/", PASSED).pod == "pod"
    eventually(lambda: open_now(ingot) == 0)


def test_a_drain_lets_them_end(ingot, tls_pod):
    ingot.serve(passed(tls_pod()))
    with connect(ingot) as client:
        assert client.request("/", PASSED).pod == "pod"
        ingot.signal(signal.SIGTERM)
        eventually(lambda: refused(ingot), 5, "listeners that are closed")

        assert client.request("/", PASSED).pod == "pod"

    assert ingot.wait() == 0


def refused(ingot):
    try:
        dial(ingot).close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_end_of_the_grace_period_cuts_them(make, raw_pod):
    ingot = make(flags=["--enable-ssl-passthrough", "--shutdown-grace-period", "1s"], log="json")
    ingot.serve(passed(raw_pod(lambda sock: (sock.sendall(b"x"), everything(sock)))))
    with dial(ingot) as sock:
        sock.sendall(hello())
        assert received(sock, 1) == b"x"
        ingot.signal(signal.SIGTERM)

        assert by_reset(sock)
        ingot.wait()

    assert json.loads(ingot.log_lines(1)[-1])["reason"] == "shutdown"


def test_a_worker_that_dies_takes_its_own_along_alone(make, tls_pod):
    ingot = make(workers=2)
    ingot.serve(passed(tls_pod()))
    clients = [connect(ingot) for _ in range(16)]
    for client in clients:
        assert client.request("/", PASSED).pod == "pod"

    os.kill(ingot.worker_pids[0], signal.SIGKILL)
    eventually(lambda: len(ingot.worker_pids) == 2 and ingot.admin("/readyz").status == 200)

    alive = sum(is_alive(client) for client in clients)
    assert 0 < alive < 16
    for client in clients:
        client.close()


def is_alive(client):
    try:
        return client.request("/", PASSED).pod == "pod"
    except Exception:  # pylint: disable=broad-except # however it fails
        return False


# ------------------------------------------------------------------ PROXY header first

def test_a_proxy_header_comes_first_and_does_not_reach_the_pod(make, raw_pod):
    ingot = make(config={"use-proxy-protocol": "true"}, log="json")
    header = b"PROXY TCP4 203.0.113.7 198.51.100.1 40000 443\r\n"
    first = hello()
    arrived = []
    ingot.serve(passed(raw_pod(lambda sock: (arrived.append(received(sock, len(first))),
                                             sock.sendall(b"seen")))))

    for pieces in ([header + first], [header, first], [bytes([byte]) for byte in header + first]):
        with dial(ingot) as sock:
            for piece in pieces:
                sock.sendall(piece)
            assert received(sock, 4) == b"seen"

    assert arrived == [first] * 3
    assert json.loads(ingot.log_lines(3)[0])["client.address"] == "203.0.113.7"


# ------------------------------------------------------------------ what is told

def test_each_has_a_line_in_the_log(ingot, raw_pod):
    first = hello()
    ingot.serve(passed(raw_pod(lambda sock: (received(sock, len(first)), sock.sendall(b"x" * 1000),
                                             sock.close()))))

    with dial(ingot) as sock:
        sock.sendall(first)
        assert len(everything(sock)) == 1000

    (line,) = ingot.log_lines(1)
    assert line.startswith("[127.0.0.1] [") and f"] TCP 200 1000 {len(first)} 0." in line


def test_the_line_in_json_knows_the_route(make, raw_pod):
    ingot = make(log="json")
    first = hello()
    pod = raw_pod(lambda sock: (received(sock, len(first)), sock.sendall(b"x" * 10), sock.close()))
    ingot.serve(passed(pod))

    with dial(ingot) as sock:
        sock.sendall(first)
        assert len(everything(sock)) == 10

    line = json.loads(ingot.log_lines(1)[0])
    assert line["network.transport"] == "tcp"
    assert line["server.address"] == PASSED
    assert (line["bytes_sent"], line["bytes_received"]) == (10, len(first))
    assert (line["k8s.namespace.name"], line["ingress"], line["service"]) == ("shop", "passed", "passed")
    assert line["endpoint"] == f"127.0.0.1:{pod.port}"
    assert line["reason"] == "ok"


def test_no_line_is_written_where_the_log_is_off(make, raw_pod, pods):
    ingot = make(config={"disable-access-log": "true"})
    first = hello()
    ingot.serve(passed(raw_pod(lambda sock: (received(sock, len(first)), sock.close()))))
    with dial(ingot) as sock:
        sock.sendall(first)
        assert everything(sock) == b""

    ingot.apply(config_map(**{"disable-access-log": "false"}))
    with dial(ingot) as sock:
        sock.sendall(first)
        assert everything(sock) == b""

    assert len(ingot.log_lines(1)) == 1


# ------------------------------------------------------------------ real servers

def test_openssl_ends_it_and_asks_for_client_certificates(ingot, place):
    """What Ingot could not do for it: the pod itself wants a certificate of the client."""
    certificate = Certificate(PASSED)
    mine = Certificate("me")
    (place / "server.pem").write_text(certificate.pem + certificate.key)
    (place / "mine.pem").write_text(mine.pem + mine.key)
    pod = Dead()
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", f"127.0.0.1:{pod.port}", "-cert", place / "server.pem",
         "-Verify", "1", "-verify_return_error", "-CAfile", place / "mine.pem", "-www", "-quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: socket.create_connection((pod.address, pod.port), 1).close() is None)
        ingot.serve(passed(pod))
        context = client_context(certificate)
        context.load_cert_chain(place / "mine.pem")
        with context.wrap_socket(dial(ingot), server_hostname=PASSED) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"Client certificate" in everything(sock)
    finally:
        server.kill()
        server.wait()


def test_curl_speaks_http2_with_nginx_behind_it(ingot, place):
    certificate = Certificate(PASSED)
    (place / "both.pem").write_text(certificate.pem + certificate.key)
    (place / "body").write_bytes(os.urandom(4 * MEGABYTE))
    pod = Dead()
    (place / "nginx.conf").write_text(f"""
daemon off; pid {place}/nginx.pid; error_log stderr; master_process off;
events {{}}
http {{
    access_log off; client_body_temp_path {place}/t1; proxy_temp_path {place}/t2;
    fastcgi_temp_path {place}/t3; uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
    server {{
        listen 127.0.0.1:{pod.port} ssl http2;
        ssl_certificate {place}/both.pem; ssl_certificate_key {place}/both.pem;
        location / {{ root {place}; }}
    }}
}}""")
    server = subprocess.Popen(["nginx", "-c", str(place / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: socket.create_connection((pod.address, pod.port), 1).close() is None)
        ingot.serve(passed(pod))
        done = subprocess.run(
            ["curl", "-s", "--http2", "--cacert", str(certificate.save(place)), "--resolve",
             f"{PASSED}:{ingot.https_port}:127.0.0.1", "-w", "%{http_version}", "-o",
             str(place / "got"), f"https://{PASSED}:{ingot.https_port}/body"],
            capture_output=True, timeout=20 * PATIENCE, check=True)
    finally:
        server.kill()
        server.wait()

    assert done.stdout == b"2"
    assert (place / "got").read_bytes() == (place / "body").read_bytes()


def test_an_idle_one_holds_neither_pipe_nor_buffer(ingot, raw_pod):
    """Pipes are descriptors: after a large transfer they are not kept by those that idle."""
    first = hello()
    ingot.serve(passed(raw_pod(lambda sock: (received(sock, len(first)), sock.sendall(b"x" * MEGABYTE),
                                             everything(sock)))))
    (worker,) = ingot.worker_pids
    before = len(os.listdir(f"/proc/{worker}/fd"))
    socks = [dial(ingot) for _ in range(20)]
    for sock in socks:
        sock.sendall(first)
        assert len(received(sock, MEGABYTE)) == MEGABYTE

    # two sockets each, and the few pipes in store
    eventually(lambda: len(os.listdir(f"/proc/{worker}/fd")) <= before + 40 + 8)
    assert process.children(worker) == []
    for sock in socks:
        sock.close()
