# SPDX-License-Identifier: Apache-2.0
"""Start, stop, death and rebirth of processes."""
import os
import signal
import socket
import threading
import time

import pytest

from world import process
from world.client import Connection, request_bytes
from world.ingot import BUILD
from world.objects import endpoints, ingress, ingress_only, path_rule
from world.wait import PATIENCE, SANITIZED, eventually, never

HOST = "shop.example"


@pytest.fixture
def shop(make_ingot, pod):
    def make(**options):
        return make_ingot(**options).serve(ingress(HOST, to=[pod]))
    return make


class Gate:
    """A pod that answers when the test says so."""

    def __init__(self, pods):
        self.open = threading.Event()
        (self.pod,) = pods("gate", answer=self.answer)

    def answer(self, wire, request):
        wire.read_body(request)
        self.open.wait(30)
        wire.respond("through", headers=[("Pod", "gate")])


# ------------------------------------------------------------------ the end

def test_sigterm_lets_requests_finish_and_ends_with_0(make_ingot, pods):
    gate = Gate(pods)
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=[gate.pod]))
    client = ingot.connect(timeout=20)
    client.send(request_bytes("/", HOST))
    gate.pod.await_requests(1)

    ingot.signal(signal.SIGTERM)
    eventually(lambda: ingot.admin("/readyz").status == 503, what="readiness being taken back")
    gate.open.set()

    answer = client.response()
    assert answer.body == b"through"
    assert answer.header("Connection") == "close"
    assert ingot.wait() == 0


def test_sigterm_closes_the_listeners_and_idle_connections(make_ingot, pods):
    gate = Gate(pods)
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=[gate.pod]))
    gate.open.set()
    idle = ingot.connect()
    idle.request("/", HOST)
    gate.open.clear()
    busy = ingot.connect()
    busy.send(request_bytes("/", HOST))
    gate.pod.await_requests(2)

    ingot.signal(signal.SIGTERM)

    assert idle.is_closed()

    def refused():
        try:
            Connection(ingot.address).close()
        except ConnectionRefusedError:
            return True
        return False
    eventually(refused, what="the listeners closing")
    gate.open.set()
    assert busy.response().status == 200
    assert ingot.wait() == 0


def test_the_grace_period_bounds_the_wait(make_ingot, pods):
    gate = Gate(pods)
    ingot = make_ingot(flags=["--shutdown-grace-period", "1s"])
    ingot.serve(ingress(HOST, to=[gate.pod]))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    gate.pod.await_requests(1)

    ingot.signal(signal.SIGTERM)

    assert ingot.wait() == 0
    gate.open.set()


def test_a_second_sigterm_ends_at_once(make_ingot, pods):
    gate = Gate(pods)
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[gate.pod]))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    gate.pod.await_requests(1)

    ingot.signal(signal.SIGTERM)
    eventually(lambda: ingot.admin("/readyz").status == 503)
    began = time.monotonic()
    ingot.signal(signal.SIGTERM)
    ingot.wait()

    assert time.monotonic() - began < 2 * PATIENCE
    gate.open.set()


def test_metrics_are_there_while_it_drains(make_ingot, pods):
    gate = Gate(pods)
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[gate.pod]))
    client = ingot.connect()
    client.send(request_bytes("/", HOST))
    gate.pod.await_requests(1)

    ingot.signal(signal.SIGTERM)
    eventually(lambda: ingot.admin("/readyz").status == 503)

    assert ingot.metrics().sum("ingot_downstream_connections") == 1
    assert ingot.admin("/healthz").status == 500
    gate.open.set()
    assert client.response().status == 200


def test_no_process_is_left_behind(shop):
    ingot = shop(workers=2)
    pids = [ingot.pid, ingot.control_pid, *ingot.worker_pids]
    assert len(pids) == 4

    ingot.stop()

    eventually(lambda: not any(process.is_running(pid) for pid in pids))


def test_the_death_of_the_parent_takes_the_roles_along(shop):
    ingot = shop(workers=2)
    roles = [ingot.control_pid, *ingot.worker_pids]

    ingot.kill()

    eventually(lambda: not any(process.is_running(pid) for pid in roles))
    ingot.process = None


def test_sigint_is_as_good_as_sigterm(shop):
    ingot = shop()

    ingot.signal(signal.SIGINT)

    assert ingot.wait() == 0


# ------------------------------------------------------------------ death of a role

def test_a_killed_worker_is_replaced_and_its_queue_served(shop):
    ingot = shop()
    (worker,) = ingot.worker_pids
    os.kill(worker, signal.SIGSTOP)     # so that connections wait in its queue
    waiting = [ingot.connect() for _ in range(20)]
    for client in waiting:
        client.send(request_bytes("/", HOST))

    began = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    answers = [client.response() for client in waiting]
    took = time.monotonic() - began

    assert [answer.status for answer in answers] == [200] * 20
    assert took < (2.0 if SANITIZED else 0.2), "replaced within 100 ms, and the queue served"
    assert ingot.worker_pids != [worker]


def test_the_other_workers_do_not_notice(make_ingot, pod):
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=[pod]))
    clients = [ingot.connect() for _ in range(16)]
    for client in clients:
        assert client.request("/", HOST).status == 200
    victim = ingot.worker_pids[0]

    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in ingot.worker_pids and len(ingot.worker_pids) == 2)

    alive = 0
    for client in clients:
        try:
            alive += client.request("/", HOST).status == 200
        except (ConnectionError, EOFError):
            pass
    assert 0 < alive < 16
    assert ingot.get(HOST, times=20).statuses == {200: 20}


def test_a_replaced_worker_obeys_later_changes(shop, pods):
    ingot = shop()
    (other,) = pods("other")
    os.kill(ingot.worker_pids[0], signal.SIGKILL)
    eventually(lambda: ingot.admin("/readyz").status == 200 and ingot.worker_pids)
    assert ingot.get(HOST).pod == "pod"

    ingot.apply(endpoints(to=[other]))

    assert ingot.get(HOST).pod == "other"


def test_traffic_does_not_notice_the_death_of_control(shop, pods):
    ingot = shop()
    (other,) = pods("other")
    client = ingot.connect()
    client.request("/", HOST)
    control = ingot.control_pid

    os.kill(control, signal.SIGKILL)

    for _ in range(50):
        assert client.request("/", HOST).status == 200
    eventually(lambda: ingot.control_pid != control, what="a new control")
    eventually(lambda: ingot.admin("/readyz").status == 200)
    ingot.apply(endpoints(to=[other]))
    assert client.request("/", HOST).pod == "other"


def test_a_role_that_dies_again_and_again_is_restarted_with_pauses(shop):
    ingot = shop()
    seen = set()

    for _ in range(4):
        (worker,) = eventually(lambda: [pid for pid in ingot.worker_pids if pid not in seen], 10)
        seen.add(worker)
        os.kill(worker, signal.SIGKILL)

    assert eventually(lambda: ingot.get(HOST).status == 200, 10)


# ------------------------------------------------------------------ the start

def test_a_busy_port_is_told_in_one_line(make_ingot, pod):
    ingot = make_ingot()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", ingot.http_port))
        other.listen()
        ingot.start(ready=False)
        assert ingot.wait() != 0
        said = ingot.said()
        ingot.process = None

    assert f"127.0.0.1:{ingot.http_port}" in said
    assert "another program has the port" in said


def test_two_instances_do_not_share_a_port_by_accident(shop, make_ingot):
    first = shop()
    second = make_ingot()
    second.http_port = first.http_port
    second.start(ready=False)

    assert second.wait() != 0
    assert "another program has the port" in second.said()
    second.process = None
    assert first.get(HOST).status == 200


def test_the_stored_table_serves_before_the_manifests_are_there(make_ingot, pod):
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[pod]))
    eventually(lambda: ingot.state.exists() and any(ingot.state.iterdir()), 5, "a stored table")
    ingot.stop()
    hidden = ingot.manifests.with_name("elsewhere")
    ingot.manifests.rename(hidden)

    ingot.start(ready=False)

    eventually(lambda: ingot.get(HOST).pod == "pod", 10, "service from the stored table")
    hidden.rename(ingot.manifests)
    with_new = ingress_only("new", {"new.example": [path_rule("/", "web")]})
    eventually(lambda: ingot.admin("/readyz").status == 200, 10)
    ingot.apply(with_new)
    assert ingot.get("new.example").pod == "pod"


def damaged(content, damage):
    content = bytearray(content)
    if damage == "flip":
        content[len(content) // 2] ^= 0x40
    return {"cut": content[:len(content) // 2], "flip": content, "empty": b"", "noise": os.urandom(len(content))}[damage]


def stored_tables(ingot):
    """Files of the state directory that a start reads, once both tables are there."""
    eventually(lambda: len([file for file in ingot.state.glob("*.segment") if file.stat().st_size > 0]) == 2)
    return sorted(file for file in ingot.state.iterdir() if file.suffix in (".segment", ".previous"))


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "noise"])
def test_a_damaged_stored_table_is_refused_and_the_manifests_serve(make_ingot, pod, damage):
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[pod]))
    files = stored_tables(ingot)
    ingot.stop()
    for file in files:
        file.write_bytes(damaged(file.read_bytes(), damage))
    before = len(ingot.said())

    ingot.start()

    assert ingot.get(HOST).pod == "pod"
    said = [line for line in ingot.said()[before:].splitlines() if "damaged" in line]
    for file in files:
        assert any(f'file="{file}"' in line and "reason=" in line for line in said), f"{file}: {said}"
    assert ingot.state.joinpath("routes.segment.bad").exists()


def test_beside_a_damaged_stored_table_nothing_is_served_before_the_manifests_are_there(make_ingot, pod):
    ingot = make_ingot()
    ingot.serve(ingress(HOST, to=[pod]))
    files = stored_tables(ingot)
    ingot.stop()
    for file in files:
        if file.name.startswith("routes"):
            file.write_bytes(damaged(file.read_bytes(), "flip"))
    hidden = ingot.manifests.with_name("elsewhere")
    ingot.manifests.rename(hidden)

    ingot.start(ready=False)

    eventually(lambda: "damaged" in ingot.said())
    waiting = ingot.connect(timeout=20)
    waiting.send(request_bytes("/", HOST))
    never(waiting.has_news)
    hidden.rename(ingot.manifests)
    assert waiting.response().pod == "pod"


def test_a_state_directory_that_cannot_be_written_costs_nothing_but_a_warning(make_ingot, pod):
    ingot = make_ingot()
    ingot.state.write_text("a file, and no directory")

    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST).status == 200
    assert "state" in ingot.said()


def test_the_roles_run_from_the_same_build(shop):
    ingot = shop()

    proxy = process.executable(ingot.worker_pids[0])
    control = process.executable(ingot.control_pid)

    assert proxy == str(BUILD / "ingot")
    assert control == str(BUILD / "ingot-control")
