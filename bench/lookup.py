# SPDX-License-Identifier: Apache-2.0
"""The row about look-ups: instructions by callgrind, and time, in tables of growing size."""
import json
import re
import shutil
import subprocess

from programs import Failed
from result import Result

SIZES = (10, 100, 1_000, 10_000, 100_000)
COUNTED = 2_000         # look-ups under callgrind
TIMED = 500_000


def run_lookup(bench, before, *arguments):
    done = subprocess.run([*before, str(bench.build / "bench" / "lookup"), *map(str, arguments)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"lookup: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout), done.stderr


def instructions(bench, path):
    _, said = run_lookup(bench, [
        "valgrind", "--tool=callgrind", "--toggle-collect=routes_find",
        f"--callgrind-out-file={bench.new_directory('callgrind') / 'out'}"], "find", path, COUNTED)
    match = re.search(r"Collected : (\d+)", said)
    if not match or int(match[1]) == 0:
        raise Failed("callgrind did not see routes_find")
    return int(match[1]) / COUNTED


def look_up(bench):
    result = Result("look-up", "of a route, 10 to 100,000 hosts with two paths each")
    if shutil.which("valgrind") is None:
        raise Failed("valgrind is not installed; ./dev bench installs it")
    directory = bench.new_directory("lookup")
    result.table("hosts", "instructions", "ns", "table MB", "bytes a host")
    for hosts in SIZES:
        path = directory / f"routes-{hosts}"
        table, _ = run_lookup(bench, [], "write", path, hosts)
        timed, _ = run_lookup(bench, [], "find", path, TIMED)
        counted = instructions(bench, path)
        bench.progress(f"{hosts} hosts")
        result.runs.append({"hosts": hosts, "instructions": counted, "ns": timed["ns"],
                            "bytes": table["bytes"]})
        result.line(f"{hosts:,}", f"{counted:.0f}", f"{timed['ns']:.0f}",
                    f"{table['bytes'] / 1e6:.2f}", f"{table['bytes'] / hosts:.0f}")
    first, last = result.runs[0], result.runs[-1]
    result.goal("instructions, 100,000 hosts against 10", 1.1,
                last["instructions"] / first["instructions"], unit=" ×")
    result.note("One host in eight is not in the table. The nanoseconds are those of cache misses once the "
                "table is larger than the caches: hosts are asked for at random.")
    result.chart("instructions per look-up", "",
                 [(f"ingot {run['hosts']:,}", [run["instructions"]]) for run in result.runs])
    return result
