# SPDX-License-Identifier: Apache-2.0
"""Rows about the large cluster: start in it, and the time from a renamed file to its effect in every worker."""
import collections
import pathlib
import re
import shutil
import socket
import time

from cluster import (HOST, Manifests, config_map, endpoint_slice, ingress, ingress_class, service)
from machine import MB, Memory, children, cpu_time
from programs import Failed
from proxies import Ingot, pause
from result import Result, percentile

PROBE = f"probe.{HOST}"
WORKERS = 2
LOOK_PAUSE = 0.0001     # between two looks: a prober that never rests would compete with control
GIVE_UP = 30.0
PACE = 200              # changes a second
FILES = 100             # that the changes of Ingresses go round in


def request(host):
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: prober\r\n\r\n".encode()


class Probe:
    """A connection to one worker."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, host):
        """(status, pod) of the answer."""
        self.socket.sendall(request(host))
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self.socket.recv(65536)
            if not piece:
                raise Failed("a worker closed the prober's connection")
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        left = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1]) - len(body)
        while left > 0:
            left -= len(self.socket.recv(left))
        pod = re.search(rb"\r\nPod: (\w+)", head)
        return int(head.split()[1]), pod[1].decode() if pod else None

    def worker(self, pids):
        """Which of these processes has the other end."""
        address = self.socket.getsockname()
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[2].rpartition(":")[2], 16) == address[1]:
                link = f"socket:[{fields[9]}]"
                for pid in pids:
                    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                        try:
                            if str(entry.readlink()) == link:
                                return pid
                        except OSError:
                            continue
        return None


class Probes:
    """A connection to each worker: what is in effect for all of them is in effect."""

    def __init__(self, ingot):
        pids = ingot.role("proxy")
        self.by_worker = {}
        for _ in range(1000):
            probe = Probe(ingot.port)
            probe.ask(PROBE)    # accepted by then
            self.by_worker.setdefault(probe.worker(pids), probe)
            if set(self.by_worker) >= set(pids):
                return
        raise Failed("no connection to every worker")

    def all_say(self, host, wanted):
        return all(probe.ask(host) == wanted for probe in self.by_worker.values())


def drive(probes, changes, pace):
    """Puts changes into effect, one when the one before is in effect or, with a pace, at fixed times. Seconds from
    the rename to the first moment when every worker had given the new answer."""
    started, waiting, times = time.monotonic(), collections.deque(), []
    upcoming = iter(enumerate(changes))
    change = next(upcoming, None)
    while change or waiting:
        now = time.monotonic()
        due = started + change[0] / pace if change and pace else now
        if change and (now >= due if pace else not waiting):
            rename, host, wanted = change[1]()
            waiting.append((time.monotonic(), host, wanted))
            rename()
            change = next(upcoming, None)
        if waiting:
            began, host, wanted = waiting[0]
            if probes.all_say(host, wanted):
                times.append(time.monotonic() - began)
                waiting.popleft()
            elif time.monotonic() - began > GIVE_UP:
                raise Failed(f"{host} had no effect within {GIVE_UP:.0f} s")
        time.sleep(LOOK_PAUSE)
    return times


# ------------------------------------------------------------------ the world

class World:
    """The large cluster, and Ingot serving it; made once, for all rows that want it."""

    def __init__(self, bench, form="yaml"):
        self.bench = bench
        self.directory = bench.new_directory(f"world-{form}")
        self.manifests = Manifests(self.directory, form)
        self.ports = [bench.upstream_named("a"), bench.upstream_named("b")]
        began = time.monotonic()
        self.manifests.write("global", ingress_class(), config_map())
        self.manifests.write_world(bench.world_apps, bench.world_endpoints)
        self.manifests.write("probe", ingress("probe", PROBE, "probe"), service("probe"))
        self.move_probe(0)()
        bench.progress(f"wrote {bench.world_apps} manifests in {time.monotonic() - began:.0f} s")
        self.ingot = Ingot(bench, f"ingot-{form}", bench.program("ingot"), self.manifests, WORKERS)

    def move_probe(self, pod):
        return self.manifests.draft("probe-endpoints", endpoint_slice(
            "probe", ["127.0.0.1"], self.ports[pod]))

    def start(self):
        """Seconds until the probe's host is served."""
        began = time.monotonic()
        self.ingot.log = self.ingot.directory / "output.log"
        self.ingot.process = self.bench.spawn(self.ingot.command(), self.ingot.log)
        self.bench.await_true(self.is_served, "the world being served", 300, 0.002)
        return time.monotonic() - began

    def is_served(self):
        if self.ingot.process.poll() is not None:
            raise Failed(f"ingot ended: {self.ingot.log.read_text()[-400:]}")
        try:
            probe = Probe(self.ingot.port)
            try:
                return probe.ask(PROBE)[0] == 200
            finally:
                probe.socket.close()
        except OSError:
            return False

    def await_listed(self):
        """Until control has read everything, published it, and written it down."""
        self.ingot.await_ready(300)
        apps = self.bench.world_apps
        self.bench.await_true(
            lambda: self.ingot.metric("ingot_table_entries", kind="routes") > apps, "all routes", 300)
        writes, quiet_since = None, time.monotonic()
        while time.monotonic() - quiet_since < 2.5:
            now = self.ingot.metric("ingot_state_writes_total")
            if now != writes:
                writes, quiet_since = now, time.monotonic()
            pause(0.1)

    def stop(self):
        self.ingot.stop()

    def clear_state(self):
        shutil.rmtree(self.ingot.directory / "state", ignore_errors=True)


def get_world(bench):
    """The world in YAML, running, everything listed."""
    world = bench.once("world", lambda: World(bench))
    if world.ingot.process is None:
        world.start()
        world.await_listed()
    return world


def start_times(bench, world, rounds):
    """(cold, from the state directory): seconds of each round."""
    cold, warm = [], []
    for turn in range(rounds):
        world.ingot.stop()
        world.clear_state()
        cold.append(world.start())
        world.await_listed()
        world.ingot.stop()
        warm.append(world.start())
        world.await_listed()
        bench.progress(f"starts {turn + 1}: cold {cold[-1]:.2f} s, from state {warm[-1]:.2f} s")
    return cold, warm


def world(bench):
    apps, endpoints = bench.world_apps, bench.world_apps * bench.world_endpoints
    result = Result("world", f"{apps} Ingresses, {apps} Services, {endpoints} endpoints, "
                             f"{WORKERS} workers")
    place = bench.once("world", lambda: World(bench))
    bench.rest()
    cold, warm = start_times(bench, place, bench.starts)
    control = Memory(place.ingot.control())
    workers = [Memory(pid) for pid in place.ingot.role("proxy")]
    routes = place.ingot.metric("ingot_table_entries", kind="routes")
    held = place.ingot.metric("ingot_table_entries", kind="endpoints")
    table = {kind: place.ingot.metric("ingot_table_bytes", segment=kind)
             for kind in ("routes", "endpoints")}
    in_json = World(bench, "json")
    cold_json = in_json.start()
    in_json.ingot.stop()
    shutil.rmtree(in_json.directory, ignore_errors=True)

    largest = max(one.private for one in workers)
    result.goal("served after a cold start", 2, sorted(cold)[len(cold) // 2], unit=" s")
    result.goal("served from the state directory", 0.3, sorted(warm)[len(warm) // 2], unit=" s")
    result.goal("control", 120, control.private / MB, "{:.1f}", " MB")
    result.goal("a worker, private", 16, largest / MB, "{:.1f}", " MB")
    result.goal("table, shared", 1536, sum(table.values()) / routes, "{:.0f}", " bytes a route")
    result.table("figure", "value")
    for what, value in (
            ("cold start, YAML", ", ".join(f"{one:.2f} s" for one in cold)),
            ("cold start, JSON", f"{cold_json:.2f} s"),
            ("start from the state directory", ", ".join(f"{one:.2f} s" for one in warm)),
            ("control, private", f"{control.private / MB:.1f} MB"),
            ("control, tables", f"{control.table / MB:.1f} MB"),
            *((f"worker {i}, private", f"{one.private / MB:.1f} MB")
              for i, one in enumerate(workers)),
            ("worker 0, tables (shared)", f"{workers[0].table / MB:.1f} MB"),
            ("routes", f"{routes:.0f}"),
            ("endpoints", f"{held:.0f}"),
            *((f"segment {kind}", f"{size / MB:.2f} MB, {size / routes:.0f} bytes a route")
              for kind, size in table.items())):
        result.line(what, value)
    result.note("Start is from the exec of `ingot run` to the first 200 of a host that stands in the last file; "
                "manifests lie in the page cache.")
    result.runs.append({"cold": cold, "warm": warm, "cold_json": cold_json,
                        "control": vars(control), "workers": [vars(one) for one in workers],
                        "routes": routes, "endpoints": held, "table": table})
    result.chart("start in the large cluster", "s",
                 [("ingot, cold", cold), ("ingot, from state", warm)])
    return result


# ------------------------------------------------------------------ changes

def endpoint_changes(place, count):
    for number in range(count):
        pod = (number + 1) % 2
        yield lambda pod=pod: (place.move_probe(pod), PROBE, (200, "ab"[pod]))


def ingress_changes(place, count, series):
    """Each gives a host that was not there before to an Ingress: a new one, then one of those again."""
    for number in range(count):
        host = f"{series}{number}.{HOST}"
        draft = (f"change{number % FILES}", ingress(f"change{number % FILES}", host, "probe"))
        yield lambda host=host, draft=draft: (place.manifests.draft(*draft), host, (200, "a"))


class Acknowledged:
    """ingot_table_propagation_seconds, from here to stop(): how long tables took by the workers' own word."""

    def __init__(self, ingot, segment):
        self.ingot, self.segment = ingot, segment
        self.before = self.read()

    def read(self):
        buckets, total = {}, 0.0
        for line in self.ingot.admin("/metrics")[1].splitlines():
            match = re.match(r"ingot_table_propagation_seconds_(bucket|sum)\{(.*)\} (\S+)", line)
            if not match or f'segment="{self.segment}"' not in match[2]:
                continue
            if match[1] == "sum":
                total = float(match[3])
            else:
                buckets[float(re.search(r'le="([^"]+)"', match[2])[1])] = float(match[3])
        return buckets, total

    def stop(self):
        after, total = self.read()
        self.counts = {bound: after[bound] - self.before[0].get(bound, 0) for bound in after}
        self.count = self.counts.get(float("inf"), 0)
        self.mean = (total - self.before[1]) / self.count if self.count else None
        return self

    def bound(self, share):
        """The bucket that this share of all does not exceed."""
        for limit, count in sorted(self.counts.items()):
            if count >= share * self.count:
                return limit
        return None


def measure_changes(bench, place, changes, segment, pace=None):
    probes = Probes(place.ingot)
    place.move_probe(0)()
    bench.await_true(lambda: probes.all_say(PROBE, (200, "a")), "the probe's first pod")
    acknowledged = Acknowledged(place.ingot, segment)
    control = place.ingot.control()
    used, began = sum(cpu_time([control])), time.monotonic()
    times = drive(probes, changes, pace)
    seconds = time.monotonic() - began
    acknowledged.stop()
    return {"times_ms": [1000 * one for one in times], "seconds": seconds,
            "control_cpu": 100 * (sum(cpu_time([control])) - used) / seconds,
            "tables": acknowledged.count,
            "acknowledged_mean_ms": 1000 * (acknowledged.mean or 0),
            "acknowledged_p99_ms": 1000 * (acknowledged.bound(0.99) or 0)}


def report_changes(result, what, limit_ms, run):
    times = run["times_ms"]
    result.goal(f"{what}, p99 from outside", limit_ms, percentile(times, 0.99), unit=" ms")
    result.goal(f"{what}, p99 by acknowledgements", limit_ms, run["acknowledged_p99_ms"],
                unit=" ms (bucket)")
    result.line(what, len(times), *(f"{percentile(times, share):.2f}" for share in (0.5, 0.9, 0.99)),
                f"{max(times):.2f}", f"{run['acknowledged_mean_ms']:.2f}",
                f"{run['acknowledged_p99_ms']:g}", f"{run['tables']:.0f}",
                f"{run['control_cpu']:.1f}")
    result.runs.append({"what": what, **run})
    result.chart(f"{what}: time to effect in every worker", "ms",
                 [(f"ingot {label}", [percentile(times, share)])
                  for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))],
                 limit_ms)


COLUMNS = ("changes", "count", "p50 ms", "p90", "p99", "max", "acknowledged: mean ms", "p99 ≤",
           "tables", "control's CPU %")


def change_endpoint(bench):
    result = Result("change-endpoint", f"one changed endpoint among {bench.world_apps} Services, "
                                       f"{WORKERS} workers")
    place = get_world(bench)
    result.table(*COLUMNS)
    run = measure_changes(bench, place, endpoint_changes(place, bench.changes), "endpoints")
    report_changes(result, "one endpoint", 5, run)
    return result


def paced(bench):
    place = get_world(bench)
    return bench.once("changes at a pace", lambda: measure_changes(
        bench, place, ingress_changes(place, bench.changes, "paced"), "routes", PACE))


def change_ingress(bench):
    result = Result("change-ingress", f"one new or changed Ingress among {bench.world_apps}, "
                                      f"{WORKERS} workers")
    place = get_world(bench)
    result.table(*COLUMNS)
    run = measure_changes(bench, place, ingress_changes(place, bench.changes, "alone"), "routes")
    report_changes(result, "one Ingress", 10, run)
    report_changes(result, f"at {PACE} changes a second", 10, paced(bench))
    return result


def control_cpu(bench):
    result = Result("control-cpu", f"control's CPU at {PACE} changed Ingresses a second among "
                                   f"{bench.world_apps}")
    run = paced(bench)
    kept_up = len(run["times_ms"]) / run["seconds"]
    result.goal("control's CPU", 10, run["control_cpu"], "{:.1f}", " %")
    result.table("changes", "a second, all in effect", "tables", "control's CPU %")
    result.line(len(run["times_ms"]), f"{kept_up:.0f}", f"{run['tables']:.0f}",
                f"{run['control_cpu']:.1f}")
    if kept_up < 0.9 * PACE:
        result.note(f"Changes took effect at {kept_up:.0f} a second: the CPU is that of catching up.")
    result.runs.append({key: run[key] for key in ("seconds", "control_cpu", "tables")})
    return result
