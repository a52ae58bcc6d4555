# SPDX-License-Identifier: Apache-2.0
"""What processes hold and map, and how the binaries are built."""
import re
import subprocess
import threading

import pytest

from world import process
from world.client import Connection
from world.ingot import BUILD
from world.objects import endpoints, ingress
from world.wait import SANITIZED, eventually

HOST = "shop.example"
BINARIES = ["ingot", "ingot-control"]


@pytest.fixture
def shop(make_ingot, pod):
    return make_ingot(workers=1).serve(ingress(HOST, to=[pod]))


def libraries(pid):
    return {re.sub(r"[-.].*", "", path.rsplit("/", 1)[1])
            for path in process.mapped_files(pid) if ".so" in path}


def test_a_worker_maps_nothing_that_reads_objects(shop):
    mapped = libraries(shop.worker_pids[0])

    assert "libc" in mapped
    assert not mapped & {"libyaml", "libjansson", "libcurl", "libmicrohttpd", "libgnutls"}


def test_the_parent_maps_nothing_that_reads_objects(shop):
    assert not libraries(shop.pid) & {"libyaml", "libjansson", "libcurl", "libmicrohttpd"}


def test_control_maps_no_resolver_of_names_in_traffic(shop):
    assert not libraries(shop.control_pid) & {"libcares", "libnghttp2"}


def test_there_are_no_threads(shop):
    import os
    for pid in (shop.pid, shop.control_pid, *shop.worker_pids):
        assert len(os.listdir(f"/proc/{pid}/task")) == 1


def test_a_worker_holds_sockets_and_memory_and_no_file_but_the_log(shop):
    shop.get(HOST)

    kinds = process.descriptors(shop.worker_pids[0])

    files = [kind for kind in kinds if kind.startswith("/") and
             not kind.startswith(("/dev/null", "/memfd:", "/dev/shm"))]
    assert set(files) <= {str(shop.access_log), str(shop.stderr)}


def test_a_worker_has_only_its_own_listeners(make_ingot, pod):
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=[pod]))
    listening = subprocess.run(["ss", "-Hltnp", f"sport = :{ingot.http_port}"],
                               capture_output=True, text=True, check=True).stdout
    process.descriptors(ingot.worker_pids[0])       # who may see them also sees the owners of sockets

    for worker in ingot.worker_pids:
        assert listening.count(f"pid={worker},") == 1


def status_of(pid, field):
    for line in open(f"/proc/{pid}/status", encoding="ascii", errors="replace"):
        if line.startswith(field + ":"):
            return line.split()[1]
    raise AssertionError(f"no {field}")


def test_no_role_can_gain_privileges(shop):
    for pid in (shop.control_pid, *shop.worker_pids):
        assert status_of(pid, "NoNewPrivs") == "1"


@pytest.mark.skipif(SANITIZED, reason="sanitizers need more system calls than a worker")
def test_a_worker_lives_behind_a_filter_of_system_calls(shop):
    (worker,) = shop.worker_pids

    assert status_of(worker, "Seccomp") == "2"


@pytest.mark.skipif(SANITIZED, reason="sanitizers map memory as they like")
def test_no_memory_of_a_role_is_writable_and_executable(shop):
    for pid in (shop.pid, shop.control_pid, *shop.worker_pids):
        assert process.mapping_count(pid, " rwxp ") == 0


def test_load_leaks_no_descriptor(shop, pod):
    pids = [shop.pid, shop.control_pid, *shop.worker_pids]
    shop.get(HOST, times=10)

    def count():
        return [len(process.descriptors(pid)) for pid in pids]
    before = eventually(lambda: pod.open_connections == 1 and count())

    for _ in range(10):
        clients = [Connection(shop.address) for _ in range(50)]
        for client in clients:
            client.request("/", HOST)
        for number, client in enumerate(clients):
            client.reset() if number % 2 else client.close()
        pod.close_idle()
        shop.admin("/metrics")

    eventually(lambda: max(now - then for now, then in zip(count(), before, strict=True)) <= 1,
               what=f"descriptors falling back to {before}")


def test_changes_leak_neither_descriptors_nor_mappings(shop, pods):
    a, b = pods("a", "b")
    (worker,) = shop.worker_pids

    def held():
        return (process.mapping_count(worker, "memfd"), len(process.descriptors(worker)),
                len(process.descriptors(shop.control_pid)))
    shop.apply(endpoints(to=[a]))
    before = held()

    for turn in range(60):
        shop.apply(endpoints(to=[[a, b], [b]][turn % 2]))

    eventually(lambda: all(now <= then + 2 for now, then in zip(held(), before, strict=True)),
               what=f"{before} again")


def test_load_and_changes_leak_no_memory(shop, pods):
    a, b = pods("a", "b")
    pids = [shop.control_pid, *shop.worker_pids]

    def churn(turns):
        for turn in range(turns):
            shop.apply(endpoints(to=[[a, b], [b]][turn % 2]))
            shop.get(HOST, times=20)
    churn(30)
    before = [process.resident_bytes(pid) for pid in pids]

    churn(60)

    after = [process.resident_bytes(pid) for pid in pids]
    allowed = (64 << 20) if SANITIZED else (2 << 20)
    assert all(now - then < allowed for now, then in zip(after, before, strict=True)), (before, after)


def test_an_idle_instance_costs_no_cpu(shop):
    shop.get(HOST)
    pids = [shop.pid, shop.control_pid, *shop.worker_pids]
    before = sum(process.cpu_seconds(pid) for pid in pids)

    threading.Event().wait(1.0)     # a second of idling is what is measured

    assert sum(process.cpu_seconds(pid) for pid in pids) - before <= (0.2 if SANITIZED else 0.03)


# ------------------------------------------------------------------ the binaries

def readelf(name, *flags):
    return subprocess.run(["readelf", "-W", *flags, BUILD / name], capture_output=True, text=True,
                          check=True).stdout


@pytest.mark.parametrize("name", BINARIES)
@pytest.mark.skipif(SANITIZED, reason="sanitized builds are not hardened")
def test_a_binary_is_hardened(name):
    header, segments, dynamic = readelf(name, "-h"), readelf(name, "-l"), readelf(name, "-d")

    assert "DYN (Position-Independent Executable file)" in header
    assert "GNU_RELRO" in segments
    assert re.search(r"\(FLAGS\).*BIND_NOW|\(BIND_NOW\)", dynamic)
    assert re.search(r"FLAGS_1\).*NOW", dynamic)
    assert not re.search(r"RPATH|RUNPATH", dynamic)
    assert re.search(r"GNU_STACK.* RW ", segments)
    assert not re.search(r"LOAD.* RWE ", segments)


@pytest.mark.parametrize("name", BINARIES)
@pytest.mark.skipif(SANITIZED, reason="sanitized builds are not hardened")
def test_a_binary_guards_its_stack_and_its_copies(name):
    symbols = readelf(name, "--dyn-syms")

    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk", symbols)


@pytest.mark.skipif(SANITIZED, reason="sanitizers are linked in")
def test_the_command_is_linked_with_nothing_that_reads_objects():
    needed = set(re.findall(r"Shared library: \[lib([a-z]+)", readelf("ingot", "-d")))

    assert not needed & {"yaml", "jansson", "curl", "microhttpd"}, needed


@pytest.mark.parametrize("name", BINARIES)
def test_no_function_of_ours_has_the_name_of_a_librarys(name):
    """The linker would take ours for theirs, without a word."""
    archives = sorted(BUILD.glob("src/**/*.a"))
    listing = subprocess.run(["nm", "-g", "--defined-only", *archives], capture_output=True, text=True,
                             check=True).stdout
    ours = set(re.findall(r"^[0-9a-f]+ T (\w+)$", listing, re.M))
    linked = subprocess.run(["ldd", BUILD / name], capture_output=True, text=True, check=True).stdout
    assert len(ours) > 100

    for library in re.findall(r"=> (/\S+)", linked):
        if re.search(r"lib(asan|ubsan)", library):
            continue
        symbols = subprocess.run(["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True,
                                 check=True).stdout
        theirs = set(re.findall(r" FUNC +(?:GLOBAL|WEAK) +DEFAULT +\d+ (\w+)", symbols))
        assert not ours & theirs, library
