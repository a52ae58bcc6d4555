# SPDX-License-Identifier: Apache-2.0
"""A swap of tables costs nobody anything: no request, no connection, no memory. The short form of the benchmark
`swaps`, which does it a thousand times under full load."""
import pytest

from world import process, websocket
from world.load import Load
from world.objects import backend_of, endpoints, ingress, ingress_only, path_rule
from world.wait import SANITIZED, eventually
from world.websocket import frame, handshake, read_frame

HOST, CHAT = "shop.example", "chat.example"
WORKERS = 2
SWAPS = 60
WEBSOCKETS = 40
CLIENTS = 4
GROWTH = 128 << 10      # bytes; a thousand and some left behind by each swap would show


@pytest.fixture
def shop(make_ingot, pods):
    """Two workers, a host for requests and one for WebSockets, connections that no limit of requests ends."""
    ingot = make_ingot(workers=WORKERS, config={"keep_alive_requests": 1_000_000})
    (chat,) = pods("chat", answer=websocket.echoing)
    ingot.pods = pods("a", "b")
    return ingot.serve(ingress(HOST, to=ingot.pods[:1]), ingress(CHAT, to=[chat], name="chat"),
                       backend_of("other", ingot.pods[1:]))


def swap_routes(ingot, number):
    ingot.apply(ingress_only("swap", {f"swap{number}.example": [path_rule("/", "other")]}))


def swap_endpoints(ingot, number):
    ingot.apply(endpoints(to=[ingot.pods[(number + 1) % 2]]))


def open_websocket(ingot):
    client = ingot.connect()
    client.send(handshake(CHAT))
    assert client.head().status == 101
    return client


def still_talks(client):
    client.send(frame("still there"))
    return read_frame(client.reader) == (websocket.TEXT, b"still there")


def mapped_segments(ingot):
    """As the workers count them, which must be as many as the kernel has mapped for tables."""
    counted = ingot.metrics().get("ingot_table_segments_mapped")
    mapped = sum(process.mapping_count(pid, "memfd:ingot-routes") +
                 process.mapping_count(pid, "memfd:ingot-endpoints") +
                 process.mapping_count(pid, "memfd:ingot-certificates") for pid in ingot.worker_pids)
    assert mapped == counted
    return counted


def anonymous_bytes(pid):
    return process.status_bytes(pid, "RssAnon")


@pytest.mark.parametrize("swap", [swap_routes, swap_endpoints])
def test_no_request_fails_and_no_connection_is_closed_by_a_swap(shop, swap):
    websockets = [open_websocket(shop) for _ in range(WEBSOCKETS)]

    with Load(shop, HOST, CLIENTS) as load:
        for number in range(SWAPS):
            swap(shop, number)
        asked = len(load.answers)
        # the last table is obeyed while the load goes on
        eventually(lambda: len(load.answers) > asked + 20)

    assert load.failures == []
    assert len(load.connections) == CLIENTS
    assert all(still_talks(client) for client in websockets)


def test_workers_keep_no_more_tables_than_requests_use(shop):
    """A worker has one segment of each kind, and an older one of routes as long as an exchange that began with it."""
    at_rest = mapped_segments(shop)
    websockets = [open_websocket(shop) for _ in range(WEBSOCKETS)]

    for number in range(SWAPS):
        swap_routes(shop, number)

    assert at_rest == 3 * WORKERS
    assert mapped_segments(shop) <= at_rest + WORKERS
    for client in websockets:
        client.close()
    eventually(lambda: mapped_segments(shop) == at_rest)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed")
def test_memory_does_not_grow_with_swaps(shop):
    def swap_all():
        for number in range(SWAPS):
            swap_routes(shop, number)
            swap_endpoints(shop, number)
        return {pid: anonymous_bytes(pid) for pid in [*shop.worker_pids, shop.control_pid]}

    websockets = [open_websocket(shop) for _ in range(WEBSOCKETS)]
    with Load(shop, HOST, CLIENTS):
        settled = swap_all()
        after = swap_all()

    growth = {pid: after[pid] - settled[pid] for pid in settled}
    assert max(growth.values()) <= GROWTH, growth
    assert all(still_talks(client) for client in websockets)


def test_descriptors_do_not_grow_with_swaps(shop):
    def count():
        return [len(process.descriptors(pid)) for pid in [*shop.worker_pids, shop.control_pid]]

    swap_routes(shop, SWAPS)
    before = count()
    for number in range(SWAPS):
        swap_routes(shop, number)
        swap_endpoints(shop, number)

    # either count may see a request of the test's own to control
    eventually(lambda: all(now <= then for now, then in zip(count(), before, strict=True)),
               what=f"no more descriptors than before, {before}")
