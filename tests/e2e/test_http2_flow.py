# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 under load and over time: back-pressure, streams beside each other, and how connections end."""
import hashlib
import os
import signal
import subprocess
import threading

import h2.settings
import pytest

from world import process
from world.backend import counting, gigabytes, plain, silent
from world.certificates import Certificate, secret
from world.http2 import Client, Code, tls_context
from world.objects import config_map, ingress
from world.wait import eventually, never

HOST = "shop.example"
MIB = 1 << 20
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


def by_path(**answers):
    """Another behaviour for each first element of the path."""
    def answer(wire, request):
        answers[request.target.split("/")[1].split("?")[0]](wire, request)
    return answer


def echo(wire, request):
    wire.read_body(request)
    wire.respond(request.body)


def open_wide(client):
    """The windows of a client that takes whatever comes."""
    client.h2.increment_flow_control_window(8 * MIB)
    client.flush()


# ------------------------------------------------------------------ bodies

def test_an_upload_of_64_kilobytes_waits_for_nobody(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=echo)))
    with Client(ingot.address) as client:
        assert client.get(HOST).status == 200   # settings are agreed on
        stream = client.request(HOST, method="POST", end=False)

        assert client.h2.local_flow_control_window(stream.number) == 64 << 10


def test_bodies_pass_unchanged_both_ways_at_once(make_ingot, pods):
    ingot = make_ingot(config={"proxy-body-size": "0"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=echo)))
    bodies = [os.urandom(MIB + i * 1000) for i in range(6)]
    with Client(ingot.address, timeout=20) as client:
        streams = [client.request(HOST, f"/{i}", "POST", end=False) for i in range(6)]
        for at in range(0, len(bodies[-1]), 100_000):
            for stream, body in zip(streams, bodies):
                client.send(stream, body[at:at + 100_000])
        for stream in streams:
            client.send(stream, b"", end=True)

        for stream, body in zip(streams, bodies):
            assert hashlib.sha256(client.answer(stream).body).digest() == hashlib.sha256(body).digest()


def test_a_large_download_and_a_large_upload_pass_beside_each_other(make_ingot, pods):
    size = 64 * MIB
    got = []
    ingot = make_ingot(config={"proxy-body-size": "0"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=by_path(down=gigabytes(size),
                                                            up=counting(got.append)))))
    block = b"x" * (256 * 1024)
    with Client(ingot.address, timeout=30, keep=False) as client:
        open_wide(client)
        down = client.request(HOST, "/down")
        up = client.request(HOST, "/up", "POST", [("content-length", str(size))], end=False)
        for i in range(size // len(block)):
            client.send(up, block, end=i == size // len(block) - 1)

        assert client.answer(up, 30).status == 200
        assert client.answer(down, 30).received == size
    assert got[-1] == size


@pytest.mark.parametrize("client_command", ["curl", "nghttp"])
def test_real_clients_get_large_bodies(make_ingot, pods, place, client_command):
    sent = place / "sent"
    sent.write_bytes(os.urandom(5 * MIB))
    ingot = make_ingot(config={"proxy-body-size": "0"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=echo)))
    url = f"http://127.0.0.1:{ingot.http_port}/"
    command = {"curl": ["curl", "-s", "--http2-prior-knowledge", "-H", f"Host: {HOST}", "-H", "Expect:",
                        "--data-binary", f"@{sent}", url],
               "nghttp": ["nghttp", "-H", f":authority: {HOST}", "-d", str(sent), url]}[client_command]

    done = subprocess.run(command, capture_output=True, timeout=30, check=True)

    assert done.stdout == sent.read_bytes()


def test_h2load_gets_every_answer(make_ingot, pods):
    ingot = make_ingot(config={"keep-alive-requests": "100000"})
    ingot.serve(ingress(HOST, to=pods("a", "b")))

    done = subprocess.run(["h2load", "-n", "3000", "-c", "10", "-m", "20", "-H", f":authority: {HOST}",
                           f"http://127.0.0.1:{ingot.http_port}/"],
                          capture_output=True, text=True, timeout=60, check=True)

    assert "3000 succeeded, 0 failed, 0 errored" in done.stdout


@pytest.mark.parametrize("size", [1, 100_000, 32 * MIB])
def test_a_body_over_tls_reaches_a_client_that_stops_and_goes_on(make_ingot, pods, size):
    """The kernel takes a part of what was encrypted, and later the rest."""
    body = os.urandom(1 << 16) * (size // (1 << 16) + 1)

    def send(wire, request):
        wire.read_body(request)
        wire.respond(body[:size])

    ingot = make_ingot(tls=True).serve(
        secret("shop-tls", Certificate(HOST)),
        ingress(HOST, to=pods("pod", answer=send), tls=[{"hosts": [HOST], "secretName": "shop-tls"}]))
    with Client(("127.0.0.1", ingot.https_port), tls=tls_context(), server_name=HOST, timeout=20,
                settings={WINDOW: 4 * MIB}) as client:
        client.h2.increment_flow_control_window(4 * MIB)
        streams = [client.request(HOST) for _ in range(2)]
        eventually(lambda: ingot.metrics().get("ingot_attempts_total") == 2)

        for stream in streams:
            assert client.answer(stream).status == 200
            assert hashlib.sha256(stream.body).digest() == hashlib.sha256(body[:size]).digest()


# ------------------------------------------------------------------ back-pressure

def test_a_stream_that_takes_nothing_stops_neither_its_pod_nor_the_others(ingot, pods):
    sent = [0]

    def measured(wire, request):
        wire.read_body(request)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        wire.sock.settimeout(60)
        while True:
            sent[0] += wire.sock.send(b"x" * 65536)

    ingot.serve(ingress(HOST, to=pods("pod", answer=by_path(big=measured, small=plain("ok")))))
    with Client(ingot.address) as client:
        stalled = client.request(HOST, "/big")
        stalled.takes = False
        client.await_(lambda: stalled.received == 65535)
        open_wide(client)
        for _ in range(50):
            assert bytes(client.get(HOST, "/small").body) == b"ok"

        assert stalled.received == 65535
        # what the kernel's buffers between pod and worker hold, and not the whole body
        assert sent[0] < 64 * MIB


def test_a_client_that_reads_nothing_holds_one_connection_and_not_the_worker(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=by_path(big=gigabytes(1 << 30), small=plain("ok")))))
    (worker,) = ingot.worker_pids
    before = process.resident_bytes(worker)
    with Client(ingot.address, settings={WINDOW: (1 << 31) - 1}) as client:
        client.h2.increment_flow_control_window((1 << 31) - 1 - 65535)
        client.flush()
        for _ in range(50):
            client.request(HOST, "/big")
        for _ in range(20):
            assert ingot.get(HOST, "/small").body == b"ok"

        assert process.resident_bytes(worker) - before < 64 * MIB


def test_a_pod_that_reads_nothing_holds_its_stream_and_no_other(make_ingot, pods):
    ingot = make_ingot(config={"proxy-body-size": "0"})
    release = threading.Event()

    def never_reads(wire, request):
        release.wait(30)
        wire.close()

    ingot.serve(ingress(HOST, to=pods("pod", answer=by_path(stuck=never_reads, other=echo))))
    try:
        with Client(ingot.address) as client:
            stuck = client.request(HOST, "/stuck", "POST", end=False)
            while client.h2.local_flow_control_window(stuck.number) > 0:
                room = min(client.h2.local_flow_control_window(stuck.number), 16384)
                client.h2.send_data(stuck.number, b"x" * room)
                client.flush()
                client.read(0.1)
            for _ in range(20):
                body = os.urandom(50_000)
                assert bytes(client.post(HOST, body, "/other").body) == body

            assert not stuck.is_over
    finally:
        release.set()


def test_others_are_served_while_one_connection_takes_all_it_can(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=by_path(big=gigabytes(1 << 30), small=plain("ok")))))
    with Client(ingot.address, settings={WINDOW: (1 << 31) - 1}, keep=False) as client:
        client.h2.increment_flow_control_window((1 << 31) - 1 - 65535)
        client.flush()
        streams = [client.request(HOST, "/big") for _ in range(4)]
        running = True

        def take():
            while running and not client.closed:
                client.read(0.1)

        reader = threading.Thread(target=take)
        reader.start()
        try:
            eventually(lambda: all(stream.received > 0 for stream in streams), 10, "bytes of each stream")
            before = sum(stream.received for stream in streams)
            for _ in range(50):
                assert ingot.get(HOST, "/small").body == b"ok"
            eventually(lambda: sum(stream.received for stream in streams) > before, 10, "more bytes")
        finally:
            running = False
            reader.join()


# ------------------------------------------------------------------ how connections end

def test_streams_in_flight_are_answered_when_the_worker_stops(ingot, pods):
    release = threading.Event()
    (pod,) = pods("pod", answer=silent(release))
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        streams = [client.request(HOST) for _ in range(5)]
        pod.await_requests(5)

        ingot.signal(signal.SIGTERM)
        client.await_(lambda: client.goaways == [(Code.NO_ERROR, (1 << 31) - 1)])
        late = client.request(HOST)     # it was on its way when the client heard of it
        pod.await_requests(6)
        client.await_(lambda: client.goaways[-1] == (Code.NO_ERROR, late.number))
        release.set()

        for stream in (*streams, late):
            assert bytes(client.answer(stream).body) == b"released"
        client.await_end()
    assert ingot.wait() == 0


def test_an_idle_connection_is_told_when_the_worker_stops(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        client.get(HOST)
        ingot.signal(signal.SIGTERM)

        assert client.await_end()[-1] == (Code.NO_ERROR, 1)
    assert ingot.wait() == 0


def test_an_idle_connection_ends_after_its_time(make_ingot, pod):
    ingot = make_ingot(config={"keep-alive": "1"}).serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        client.get(HOST)

        assert client.await_end() == [(Code.NO_ERROR, 1)]
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections") == 0)


def test_a_connection_ends_after_its_number_of_requests(make_ingot, pod):
    ingot = make_ingot(config={"keep-alive-requests": "3"}).serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        for _ in range(3):
            assert client.get(HOST).status == 200

        client.await_(lambda: client.goaways)
        client.await_end()


def test_without_keep_alive_each_connection_gets_one_answer(make_ingot, pod):
    ingot = make_ingot(config={"keep-alive": "0"}).serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        assert client.get(HOST).status == 200
        client.await_end()


def test_a_client_that_says_goodbye_gets_what_it_has_asked_for(ingot, pods):
    release = threading.Event()
    (pod,) = pods("pod", answer=silent(release))
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        pod.await_requests(1)
        client.raw(b"\0\0\x08\x07\0\0\0\0\0" + bytes(8))
        release.set()

        assert bytes(client.answer(stream).body) == b"released"
        client.await_end()


def test_connections_are_counted_as_active_or_idle(ingot, pods):
    release = threading.Event()
    (pod,) = pods("pod", answer=silent(release))
    ingot.serve(ingress(HOST, to=[pod]))

    def gauges():
        found = ingot.metrics()
        return tuple(found.get("ingot_downstream_connections", state=state)
                     for state in ("active", "idle"))

    with Client(ingot.address) as client:
        eventually(lambda: gauges() == (0, 1))
        streams = [client.request(HOST) for _ in range(3)]
        eventually(lambda: gauges() == (1, 0))
        release.set()
        for stream in streams:
            client.answer(stream)
        eventually(lambda: gauges() == (0, 1))
    eventually(lambda: gauges() == (0, 0))


def test_a_change_of_routes_reaches_a_connection_that_is_open(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress(HOST, to=[a]))
    with Client(ingot.address) as client:
        assert client.get(HOST).pod == "a"
        ingot.apply(ingress(HOST, to=[b]))

        assert client.get(HOST).pod == "b"


def test_a_time_out_of_the_pod_is_a_504_and_the_others_go_on(ingot, pods):
    ingot.serve(config_map(**{"proxy-read-timeout": "1"}),
                ingress(HOST, to=pods("pod", answer=by_path(never=silent(), other=plain("ok")))))
    with Client(ingot.address) as client:
        late = client.request(HOST, "/never", "POST")
        assert client.get(HOST, "/other").status == 200

        assert client.answer(late).status == 504


def test_a_body_that_does_not_come_is_a_408(make_ingot, pods):
    ingot = make_ingot(config={"client-body-timeout": "1"})
    ingot.serve(ingress(HOST, to=pods("pod", answer=echo)))
    with Client(ingot.address) as client:
        stream = client.request(HOST, "/", "POST", [("content-length", "10")], end=False)
        client.send(stream, b"12345")

        assert client.answer(stream).status == 408
        assert bytes(client.post(HOST, b"whole").body) == b"whole"


def test_the_last_second_of_a_worker_cuts_what_is_left(make_ingot, pods):
    ingot = make_ingot(flags=["--shutdown-grace-period", "1s"])
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        pod.await_requests(1)
        ingot.signal(signal.SIGTERM)

        assert client.answer(stream).status == 503
        client.await_end()
    assert ingot.wait() == 0
