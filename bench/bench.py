#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Ingot beside nginx, HAProxy and a raw TCP forwarder, and says which goals are met.

Every row of the goals is a benchmark; `bench.py ROW…` runs some, without names all of them. Nothing here fails because
a goal is missed. README.md says how figures are made and how to read them.
"""
import argparse
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import certificates
import chart
import lookup
import memory
import pick
import swaps
import tls
import traffic
import world
from machine import cpu_list, describe, raise_descriptors
from programs import Failed, Programs, environment, stop
from proxies import KINDS, find_program
from result import Result, as_markdown, as_text, goal_table

HERE = pathlib.Path(__file__).resolve().parent
README = HERE / "README.md"
CHARTS = HERE / "charts"
MARKS = ("<!-- the last full run begins -->", "<!-- the last full run ends -->")

ROWS = {
    "small-request": traffic.small_request,
    "syscalls": traffic.syscalls,
    "saturation": traffic.saturation,
    "latency": traffic.latency,
    "new-connection": traffic.new_connection,
    "big-body": traffic.big_body,
    "idle-memory": memory.idle_memory,
    "start-memory": memory.start_memory,
    "world": world.world,
    "change-endpoint": world.change_endpoint,
    "change-ingress": world.change_ingress,
    "control-cpu": world.control_cpu,
    "look-up": lookup.look_up,
    "pick": pick.pick,
    "swaps": swaps.swaps,
    "tls-handshake": tls.tls_handshake,
    "tls-request": tls.tls_request,
    "tls-body": tls.tls_body,
    "h2-front": tls.h2_front,
    "tls-idle-memory": memory.tls_idle_memory,
    "certificates": certificates.certificates,
}

# full, quick
SIZES = {"rounds": (5, 1), "duration": (4.0, 1.0), "warm": (0.5, 0.3), "idle_wanted": (50_000, 5_000),
         "idle_tls_wanted": (8_000, 1_000), "secrets": (10_000, 1_000), "renewals": (100, 20),
         "world_apps": (10_000, 10_000), "world_endpoints": (5, 5), "starts": (3, 1),
         "changes": (1_000, 100), "swaps": (1_000, 100), "reloads": (swaps.RELOADS, 5)}


class Bench:
    """What the rows share: programs, ports, directories, and proxies that are started when first asked for."""

    def __init__(self, options):
        for name in SIZES:
            setattr(self, name, getattr(options, name))
        self.options = options
        self.build = pathlib.Path(options.build).resolve()
        self.proxy_cpus = cpu_list(options.proxy_cpus)
        self.load_cpus = cpu_list(options.load_cpus)
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="ingot-bench-"))
        self.scratch.chmod(0o755)
        self.descriptors = raise_descriptors()
        self.programs = Programs(self.build / "bench", self.load_cpus)
        self.next_port = options.port
        self.shared, self.proxies, self.made, self.spawned, self.named = {}, {}, [], [], {}
        self.peers = {"nginx": find_program(self, "nginx"), "haproxy": find_program(self, "haproxy")}
        for kind in ("nginx", "haproxy"):
            for number, path in enumerate(getattr(options, kind), 2):
                self.peers[f"{kind}-{number}"] = path
        self.peer_names = list(self.peers)
        self.upstream = self.new_port()
        self.programs.responder(self.upstream)

    # ---------------------------------------------------------- places

    def new_directory(self, name):
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch))
        directory.chmod(0o755)
        return directory

    def new_port(self):
        while True:
            port, self.next_port = self.next_port, self.next_port + 1
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue

    def upstream_named(self, name):
        """The port of an upstream that names itself in its answers."""
        if name not in self.named:
            self.named[name] = self.new_port()
            self.programs.responder(self.named[name], name)
        return self.named[name]

    # ---------------------------------------------------------- proxies

    def program(self, kind):
        return find_program(self, kind)

    def class_of(self, name):
        return KINDS[name.split("-")[0]]

    def make(self, name, **more):
        """name: of a peer, or with the way it is tuned behind it: nginx-64k."""
        kind, variant = self.class_of(name), more.pop("variant", "")
        program = self.peers.get(name)
        if program is None:
            base, _, tuned = name.rpartition("-")
            program = self.peers.get(base) or find_program(self, kind.kind)
            variant = variant or (tuned if base else "")
        self.made.append(kind(self, name, program, variant=variant, **more))
        return self.made[-1]

    def certificate(self, key):
        return tls.certificate(self, key)

    def proxy(self, name):
        """The one that stays up for all rows about requests."""
        if name not in self.proxies:
            self.proxies[name] = self.make(name).start(self.proxy_cpus)
        return self.proxies[name]

    def fresh(self, name, **more):
        """One that a row starts for itself, and stops."""
        return self.make(name, **more).start(self.proxy_cpus)

    def rest(self):
        """Nothing runs: pages of a program that is mapped twice do not count as private."""
        for proxy in self.proxies.values():
            proxy.stop()
        self.proxies.clear()
        for one in self.shared.values():
            if hasattr(one, "stop"):
                one.stop()

    def spawn(self, command, log):
        """A process on any CPU."""
        with log.open("ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       env=environment())
        self.spawned.append(process)    # a row that fails half-way leaves it to close()
        return process

    # ---------------------------------------------------------- course

    def once(self, key, make):
        """What several rows read, made by the first that asks."""
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def await_true(self, condition, what, seconds=30, look=0.005):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failed(f"{what} did not come within {seconds} s")
            time.sleep(look)

    def progress(self, text):
        print(f"#   {text}", file=sys.stderr, flush=True)

    def close(self):
        self.rest()
        for proxy in self.made:
            proxy.stop()
        for process in self.spawned:
            stop(process)
        self.programs.stop_all()
        shutil.rmtree(self.scratch, ignore_errors=True)


def versions(bench):
    found = {"ingot": bench.make("ingot").version}
    for name in bench.peer_names:
        found[name] = bench.make(name).version
    return found


# ------------------------------------------------------------------ reports

def headline(run):
    machine = run["machine"]
    peers = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    text = (f"{machine['date']}, {machine['cpu']}, {machine['cpus']} CPUs, "
            f"Linux {machine['kernel']}, revision {machine['revision']}; {peers}; {run['sizes']}; proxy "
            f"on CPU {run['proxy_cpus']}, load on CPU {run['load_cpus']}")
    return text + ("; **a quick run: for the form, not for the figures**" if run["quick"] else "")


def write_charts(results, directory):
    """{row: [(file name, title)]}"""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.svg"):
        old.unlink()
    names = {}
    for result in results:
        for number, one in enumerate(result.charts, 1):
            name = f"{result.name}{'' if len(result.charts) == 1 else f'-{number}'}.svg"
            (directory / name).write_text(chart.draw(one))
            names.setdefault(result.name, []).append((name, one["title"]))
    return names


def markdown(run, results, chart_folder, names):
    parts = [headline(run) + ".\n", goal_table(results)]
    for result in results:
        parts.append(as_markdown(result, [(f"{chart_folder}{name}", title)
                                          for name, title in names.get(result.name, [])]))
    return "\n".join(parts)


def save(run, results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    names = write_charts(results, directory)
    run["results"] = [result.as_json() for result in results]
    (directory / "results.json").write_text(json.dumps(run, indent=1) + "\n")
    (directory / "results.md").write_text(markdown(run, results, "", names))


def report(path):
    """Puts a saved run into README.md, its charts beside it."""
    run = json.loads(pathlib.Path(path).read_text())
    results = [Result.from_json(fields) for fields in run["results"]]
    text = markdown(run, results, "charts/", write_charts(results, CHARTS))
    before, _, rest = README.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    README.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")
    print(f"wrote {README.relative_to(HERE.parent)} and {len(list(CHARTS.glob('*.svg')))} charts")


# ------------------------------------------------------------------ main

def measure(bench, name):
    """A row that cannot be measured here says why; the others go on."""
    print(f"# {name}", file=sys.stderr, flush=True)
    try:
        return ROWS[name](bench)
    except (Failed, OSError) as error:
        result = Result(name, "not measured")
        result.table("why")
        result.line(str(error).replace("\n", " "))
        result.goals.append({"what": "all", "goal": "–", "figure": "–", "met": None})
        return result


def read_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--quick", action="store_true", help="a short look at every row")
    parser.add_argument("--report", metavar="JSON", help="put a saved run into README.md, run nothing")
    parser.add_argument("--out", default="build-bench/results", help="directory for results (%(default)s)")
    parser.add_argument("--build", default="build-bench", help="build directory (%(default)s)")
    for kind in ("nginx", "haproxy"):
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="PATH",
                            help=f"another {kind} beside the one that is installed; repeatable")
    parser.add_argument("--proxy-cpus", default="0")
    parser.add_argument("--load-cpus", default=None, help="(default: all others)")
    parser.add_argument("--port", type=int, default=18000, help="first port used (%(default)s)")
    for name, (full, quick) in SIZES.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(full), default=None,
                            help=f"({full}; with --quick {quick})")
    options = parser.parse_args()
    for name, sizes in SIZES.items():
        if getattr(options, name) is None:
            setattr(options, name, sizes[options.quick])
    if options.load_cpus is None:
        options.load_cpus = ",".join(map(str, sorted(other_cpus(options.proxy_cpus))))
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {' '.join(unknown)} (there are: {' '.join(ROWS)})")
    return options


def other_cpus(text):
    return (os.sched_getaffinity(0) - cpu_list(text)) or cpu_list(text)


def run_rows(options):
    bench = Bench(options)
    results = []
    try:
        run = {"machine": describe(HERE.parent), "versions": versions(bench), "quick": options.quick,
               "proxy_cpus": options.proxy_cpus, "load_cpus": options.load_cpus,
               "sizes": f"{options.rounds} rounds of {options.duration:g} s"}
        print(headline(run), flush=True)
        for name in options.rows or ROWS:
            results.append(measure(bench, name))
            print(as_text(results[-1]), flush=True)
            save(run, results, pathlib.Path(options.out))
    finally:
        bench.close()
    print("\n" + goal_table(results))
    print(f"saved: {options.out}/results.json, results.md and charts")


def main():
    options = read_options()
    if options.report:
        report(options.report)
    else:
        run_rows(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
