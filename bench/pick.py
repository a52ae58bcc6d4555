# SPDX-License-Identifier: Apache-2.0
"""The row about choosing endpoints: instructions by callgrind, and time, for each algorithm."""
import json
import re
import shutil
import subprocess

from programs import Failed
from result import Result

ALGORITHMS = ("ewma", "least_requests", "round_robin", "hash", "bounded", "subset",
              "ewma-weighted", "least_requests-weighted", "round_robin-weighted", "hash-weighted")
SIZES = (2, 10, 1_000)
COUNTED = 20_000        # picks under callgrind
TIMED = 3_000_000


def run_pick(bench, before, *arguments):
    done = subprocess.run([*before, str(bench.build / "bench" / "pick"), *map(str, arguments)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"pick: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout), done.stderr


def instructions(bench, algorithm, endpoints):
    _, said = run_pick(bench, [
        "valgrind", "--tool=callgrind", "--toggle-collect=balance_pick",
        f"--callgrind-out-file={bench.new_directory('callgrind') / 'out'}"], algorithm, endpoints, COUNTED)
    match = re.search(r"Collected : (\d+)", said)
    if not match or int(match[1]) == 0:
        raise Failed("callgrind did not see balance_pick")
    return int(match[1]) / COUNTED


def pick(bench):
    result = Result("pick", "of an endpoint among 2, 10 and 1,000")
    if shutil.which("valgrind") is None:
        raise Failed("valgrind is not installed; ./dev bench installs it")
    result.table("algorithm", *(f"instructions at {size:,}" for size in SIZES), *(f"ns at {size:,}" for size in SIZES))
    for algorithm in ALGORITHMS:
        counted = [instructions(bench, algorithm, size) for size in SIZES]
        times = [min(run_pick(bench, [], algorithm, size, TIMED)[0]["ns"] for _ in range(bench.rounds))
                 for size in SIZES]
        bench.progress(algorithm)
        result.runs.append({"algorithm": algorithm, "instructions": counted, "ns": times})
        result.line(algorithm, *(f"{count:.0f}" for count in counted), *(f"{time:.0f}" for time in times))
    for run in result.runs:
        result.goal(f"{run['algorithm']}, 1,000 endpoints", 150, run["ns"][-1], "{:.0f}", " ns")
    result.note("The least of the rounds. Branches are those of load that differs; figures lie in the caches.")
    result.chart("a pick among 1,000", "ns", [(run["algorithm"], [run["ns"][-1]]) for run in result.runs], goal=150)
    return result
