# SPDX-License-Identifier: Apache-2.0
"""Attacks on HTTP/2, played against the whole: each costs its connection, and nobody else (security spec, 4 and 5.1)."""
import struct
import threading

import h2.settings
import pytest

from world import process
from world.backend import gigabytes, plain, silent
from world.http2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY,
                         RST_STREAM, SETTINGS, WINDOW_UPDATE, Client, Code, Raw, frame, head_block,
                         literal)
from world.objects import ingress
from world.wait import eventually

HOST = "shop.example"
MIB = 1 << 20


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]))


def request(stream, end=True, **more):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, head_block(HOST, **more))


def code(number):
    return struct.pack(">I", number)


def ids(count, first=1):
    return range(first, first + 2 * count, 2)


def is_served(ingot):
    return ingot.get(HOST).status == 200


def await_angry_end(client, *codes):
    """Closed, and if the client could still read why, for that reason: who sends on when all is over gets a reset,
    which takes what was unread with it."""
    assert client.await_end() in (None, Code.ENHANCE_YOUR_CALM, *codes)


def answered(client, stream):
    return any(flags & END_STREAM for _, flags, _, _ in client.of(DATA, stream) + client.of(HEADERS, stream))


# ------------------------------------------------------------------ streams that are made and thrown away

def test_rapid_reset_reaches_few_pods_and_ends_the_connection(ingot, pods):
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    with Raw(ingot.address) as client:
        for stream in ids(2000):
            client.send(request(stream) + frame(RST_STREAM, 0, stream, code(Code.CANCEL)))

        await_angry_end(client)
    # a head and its reset that come in one read reach nobody; 200 glitches allow for 100 resets
    assert pod.connections <= 130
    eventually(lambda: pod.open_connections == 0)


def test_no_more_than_the_announced_streams_reach_pods_at_a_time(ingot, pods):
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    with Raw(ingot.address, acknowledges=False) as client:
        for stream in ids(150):
            client.send(request(stream))

        client.await_(lambda: len(client.resets()) == 22)
        assert set(client.resets()) == {Code.REFUSED_STREAM}
        pod.await_requests(128)
    eventually(lambda: pod.open_connections == 0)


@pytest.mark.parametrize("provocation", [
    lambda stream: frame(WINDOW_UPDATE, 0, stream, code(0)),
    lambda stream: frame(WINDOW_UPDATE, 0, stream, code(0x7fffffff)),
    lambda stream: frame(PRIORITY, 0, stream, b"\0\0\0"),
    lambda stream: frame(DATA, END_STREAM, stream, b"beyond")],
                         ids=["no increment", "window beyond bounds", "short priority", "too long"])
def test_making_ingot_reset_streams_is_no_better(ingot, pods, provocation):
    """CVE-2025-8671: the server is made to reset, and its own count of streams goes down."""
    (pod,) = pods("pod", answer=silent())
    ingot.serve(ingress(HOST, to=[pod]))
    with Raw(ingot.address) as client:
        for stream in ids(1000):
            client.send(request(stream, end=False, fields=[("content-length", "1")]) + provocation(stream))

        await_angry_end(client, Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR)
    assert pod.connections <= 130
    eventually(lambda: pod.open_connections == 0)
    eventually(lambda: ingot.metrics().get("ingot_downstream_connections", state="active") == 0)


def test_more_streams_than_announced_are_refused_and_the_rest_served(make_ingot, pods):
    release = threading.Event()
    (pod,) = pods("pod", answer=silent(release))
    ingot = make_ingot(config={"http2-max-concurrent-streams": "4"}).serve(ingress(HOST, to=[pod]))
    with Raw(ingot.address, acknowledges=False) as client:
        for stream in ids(6):
            client.send(request(stream))
        client.await_(lambda: len(client.resets()) == 2)
        assert [found[2] for found in client.of(RST_STREAM)] == [9, 11]
        release.set()

        client.await_(lambda: all(answered(client, stream) for stream in ids(4)))
        settings = client.of(SETTINGS)[0][3]
        assert code(4) == settings[settings.index(b"\0\x03") + 2:][:4]


def test_any_number_of_streams_may_be_configured(make_ingot, pod):
    ingot = make_ingot(config={"http2-max-concurrent-streams": "1000000"}).serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        assert client.post(HOST, b"x" * 10_000).status == 200
        assert client.h2.remote_settings.max_concurrent_streams == 1024


# ------------------------------------------------------------------ heads

def test_a_section_that_never_ends_is_ended(shop, pod):
    with Raw(shop.address) as client:
        client.send(frame(HEADERS, END_STREAM, 1, head_block(HOST)))
        for i in range(20):
            client.send(frame(CONTINUATION, 0, 1, literal("x", str(i))))

        await_angry_end(client)
    assert not pod.requests
    assert is_served(shop)


def test_a_section_that_dribbles_is_ended(shop):
    with Raw(shop.address) as client:
        client.send(frame(HEADERS, END_STREAM, 1, head_block(HOST)))

        assert client.await_end(10) == Code.ENHANCE_YOUR_CALM


def test_a_section_that_unfolds_is_refused_before_it_is_stored(shop, pod):
    """CVE-2016-6581: one entry of the table, named again and again by one byte each."""
    (worker,) = shop.worker_pids
    before = process.resident_bytes(worker)
    big = b"\x40\x01x\x7f" + bytes([4000 - 127 & 0x7f | 0x80, 4000 - 127 >> 7]) + b"y" * 4000
    with Raw(shop.address) as client:
        client.send(request(1))
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, head_block(HOST) + big))
        for stream in ids(20, 5):
            client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream,
                              head_block(HOST) + b"\xbe" * 8000))

        client.await_(lambda: answered(client, 1) and (client.goaway is not None or
                                                       all(answered(client, s) for s in ids(20, 5))))
    assert len(pod.requests) <= 2
    assert process.resident_bytes(worker) - before < 16 * MIB
    assert is_served(shop)


def test_a_malformed_head_costs_more_than_a_good_one(shop):
    with Raw(shop.address) as client:
        for stream in ids(200):
            client.send(request(stream, fields=[("connection", "close")]))

        await_angry_end(client)
    assert is_served(shop)


# ------------------------------------------------------------------ frames without use

@pytest.mark.parametrize("useless", [
    frame(PING, 0, 0, bytes(8)), frame(SETTINGS), frame(PRIORITY, 0, 1, b"\0\0\0\3\1"),
    frame(WINDOW_UPDATE, 0, 0, code(1)), frame(0x77, 0, 0, b"x"), frame(DATA, 0, 1, b"")],
                         ids=["ping", "settings", "priority", "small window", "unknown", "empty data"])
def test_a_flood_of_frames_without_use_ends_the_connection(ingot, pods, useless):
    ingot.serve(ingress(HOST, to=pods("pod", answer=lambda wire, request_: (
        silent() if request_.method == "POST" else plain("ok"))(wire, request_))))
    with Raw(ingot.address) as client:
        client.send(request(1, end=False, method="POST"))
        for _ in range(100):
            client.send(useless * 100)

        await_angry_end(client)
    assert ingot.get(HOST).status == 200


def test_a_flood_of_pings_that_nobody_reads_is_not_kept(shop):
    (worker,) = shop.worker_pids
    before = process.resident_bytes(worker)
    with Raw(shop.address) as client:
        client.sock.settimeout(0.5)
        try:
            for _ in range(1000):
                client.sock.sendall(frame(PING, 0, 0, bytes(8)) * 1000)
        except OSError:
            pass

        assert process.resident_bytes(worker) - before < 8 * MIB
        assert is_served(shop)


def test_who_speaks_no_http_2_behind_its_preface_is_cut_off(shop):
    with Raw(shop.address, hello=False) as client:
        client.send(PREFACE + b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n" * 3)

        assert client.await_end() in (Code.PROTOCOL_ERROR, Code.FRAME_SIZE_ERROR)


def test_who_says_nothing_behind_its_preface_is_cut_off(shop):
    with Raw(shop.address, hello=False) as client:
        client.send(PREFACE)

        assert client.await_end(10) == Code.PROTOCOL_ERROR


# ------------------------------------------------------------------ stalls

def test_zero_windows_hold_their_streams_and_a_small_memory(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("pod", answer=lambda wire, request_: (
        gigabytes(1 << 30) if request_.target == "/big" else plain("ok"))(wire, request_))))
    (worker,) = ingot.worker_pids
    before = process.resident_bytes(worker)
    with Client(ingot.address) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        client.flush()
        client.await_(lambda: client.h2.local_settings.initial_window_size == 0)
        streams = [client.request(HOST, "/big") for _ in range(100)]
        client.await_(lambda: all(stream.status == 200 for stream in streams))

        assert all(stream.received == 0 for stream in streams)
        assert process.resident_bytes(worker) - before < 32 * MIB
        assert ingot.get(HOST).body == b"ok"
        client.reset(streams[0])
        quick = client.request(HOST, "/small")
        client.h2.increment_flow_control_window(1000, quick.number)
        client.flush()
        assert bytes(client.answer(quick).body) == b"ok"


@pytest.mark.slow
def test_a_stream_that_takes_nothing_for_a_minute_is_reset(ingot, pods):
    (pod,) = pods("pod", answer=gigabytes(1 << 30))
    ingot.serve(ingress(HOST, to=[pod]))
    with Client(ingot.address) as client:
        stream = client.request(HOST)
        stream.takes = False

        assert client.answer(stream, 70).reset == Code.CANCEL
    eventually(lambda: pod.open_connections == 0)
    assert " 200 " in ingot.log_lines(1)[0]
