# SPDX-License-Identifier: Apache-2.0
"""Rows about requests: CPU time, system calls, rate, latency, new connections, large bodies."""
import re
import shutil
import signal
import subprocess
import time

from machine import Cpus, cpu_time
from programs import Failed, Load
from result import Result, median, spread

CONNECTIONS = 50
BIG = 10 << 20
PEERS = ("nginx", "haproxy")


def is_peer(name):
    return name.split("-")[0] in PEERS


class Meter:
    """CPU seconds of a proxy, and what else its CPU did, from here to stop()."""

    def __init__(self, bench, proxy):
        self.bench, self.proxy = bench, proxy
        self.before = self.read()

    def read(self):
        return (cpu_time(self.proxy.pids()), cpu_time([self.proxy.worker()]),
                Cpus(self.bench.proxy_cpus), time.monotonic())

    def stop(self):
        before, after = self.before, self.read()
        self.user, self.system = (end - start for start, end in zip(before[0], after[0]))
        self.worker_user, self.worker_system = (end - start
                                                for start, end in zip(before[1], after[1]))
        self.seconds = after[3] - before[3]
        busy, stolen = after[2].busy - before[2].busy, after[2].stolen - before[2].stolen
        self.busy = busy / self.seconds
        self.others = 100 * max(0, busy - self.user - self.system + stolen) / self.seconds
        return self


def loaded(bench, proxy, *arguments):
    """One run of a load against one proxy: its figures, and what CPU time a request cost."""
    meter = Meter(bench, proxy)
    run = bench.programs.loadgen("-w", bench.warm, "-d", bench.duration, *arguments)
    meter.stop()
    if run["requests"] == 0:
        raise Failed(f"{proxy.name} answered nothing")
    per = 1e6 / run["requests"]
    run.update(proxy=proxy.name, busy=meter.busy, others=meter.others,
               cpu_s=meter.user + meter.system, seconds_in_all=meter.seconds,
               cpu_us=(meter.user + meter.system) * per,
               user_us=meter.user * per, system_us=meter.system * per,
               worker_us=(meter.worker_user + meter.worker_system) * per,
               worker_user_us=meter.worker_user * per,
               worker_system_us=meter.worker_system * per)
    return run


def interleaved(bench, names, measure, rounds=None):
    """{name: [run, …]}: every proxy once a round, each round beginning with another."""
    runs = {name: [] for name in names}
    for turn in range(rounds or bench.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            run = measure(bench.proxy(name))
            bench.progress(f"{name} {turn + 1}")
            runs[name].append(run)
    return runs


def of(runs, name, figure):
    return median([run[figure] for run in runs[name]])


def best_peer(runs, figure, choose=min):
    """(name, median) of the best nginx or HAProxy of the run."""
    names = [name for name in runs if is_peer(name)]
    name = choose(names, key=lambda one: of(runs, one, figure))
    return name, of(runs, name, figure)


def cells(runs, name, *figures):
    return [spread([run[figure] for run in runs[name]], form) for figure, form in figures]


def ratios(runs, name, figure, to):
    return [f"{of(runs, name, figure) / of(runs, other, figure):.2f}"
            if of(runs, other, figure) > 0 else "–" for other in to]


def noise(runs, name):
    return f"{of(runs, name, 'others'):.0f}"


def keep_runs(result, runs):
    """Every run goes into the JSON, and what failed is said."""
    result.runs += [run for of_one in runs.values() for run in of_one]
    for name, of_one in runs.items():
        failed = sum(run["cut"] + run["refused"] + run["unexpected"] for run in of_one)
        if failed:
            result.note(f"{failed} requests to {name} failed.")


def closed_loop(bench):
    """The runs that small-request and saturation are read from."""
    def measure(proxy):
        return loaded(bench, proxy, "-c", CONNECTIONS, proxy.port)
    return bench.once("closed loop", lambda: interleaved(
        bench, ["raw", *bench.peer_names, "ingot"], measure))


def small_request(bench):
    result = Result("small-request", "CPU per small keep-alive request, HTTP/1.1, 50 connections")
    runs = closed_loop(bench)
    keep_runs(result, runs)
    peer, peer_us = best_peer(runs, "cpu_us")
    ours = of(runs, "ingot", "cpu_us")
    result.goal(f"CPU against the best peer ({peer})", 0.78, ours / peer_us, unit=" ×")
    result.goal("CPU against the raw forwarder", 1.15, ours / of(runs, "raw", "cpu_us"), unit=" ×")
    result.goal("user time of the worker", 1.2, of(runs, "ingot", "worker_user_us"), unit=" µs")
    others = ["raw", *bench.peer_names]
    result.table("proxy", "CPU µs/request", "user", "system", "requests/s",
                 *[f"CPU / {name}" for name in others], "others %")
    for name in runs:
        result.line(name, *cells(runs, name, ("cpu_us", "{:.2f}"), ("user_us", "{:.2f}"),
                                 ("system_us", "{:.2f}"), ("rps", "{:.0f}")),
                    *ratios(runs, name, "cpu_us", others), noise(runs, name))
    worker = cells(runs, "ingot", ("worker_us", "{:.2f}"), ("worker_user_us", "{:.2f}"),
                   ("worker_system_us", "{:.2f}"))
    result.line("ingot, the worker alone", *worker, *["" for _ in range(len(others) + 2)])
    result.chart("CPU per small request", "µs",
                 [(name, [run["cpu_us"] for run in runs[name]]) for name in runs],
                 min(0.78 * peer_us, 1.15 * of(runs, "raw", "cpu_us")))
    return result


def saturation(bench):
    result = Result("saturation", "requests a second that one worker can do, closed loop")
    runs = closed_loop(bench)
    keep_runs(result, runs)
    peer, rate = best_peer(runs, "rps", max)
    result.goal(f"rate against the best peer ({peer})", 1.25, of(runs, "ingot", "rps") / rate,
                unit=" ×", at_least=True)
    result.table("proxy", "requests/s", "rate / best peer", "a whole CPU would do",
                 "its CPU busy %", "others %")
    for name in runs:
        result.line(name, *cells(runs, name, ("rps", "{:.0f}")),
                    f"{of(runs, name, 'rps') / rate:.2f}",
                    f"{1e6 / of(runs, name, 'cpu_us'):.0f}",
                    f"{100 * of(runs, name, 'busy') / len(bench.proxy_cpus):.0f}",
                    noise(runs, name))
        if of(runs, name, "busy") < 0.95 * len(bench.proxy_cpus):
            result.note(f"{name} did not fill its CPU: the load beside it, or other programs, "
                        "were the limit, so its rate is too low here.")
    result.chart("requests a second (more is better)", "1/s",
                 [(name, [run["rps"] for run in runs[name]]) for name in runs], 1.25 * rate)
    return result


def latency(bench):
    result = Result("latency", "at 5,000 requests a second and at half of saturation, open loop")
    peak = of(closed_loop(bench), best_peer(closed_loop(bench), "rps", max)[0], "rps")
    half = round(peak / 2, -2)
    names = ["raw", *bench.peer_names, "ingot"]
    result.table("rate", "proxy", "p50 µs", "p90", "p99", "p99.9", "CPU µs/request", "others %")
    result.note(f"Half of saturation is that of the best peer: {half:.0f} requests a second for all.")
    for rate, called in ((5000, "5,000/s"), (half, "half of saturation")):
        def measure(proxy):
            return loaded(bench, proxy, "-c", CONNECTIONS, "-r", rate, proxy.port)
        runs = interleaved(bench, names, measure)
        keep_runs(result, runs)
        _, peer_p99 = best_peer(runs, "p99_us")
        result.goal(f"p50 against the raw forwarder, {called}", 1.05,
                    of(runs, "ingot", "p50_us") / of(runs, "raw", "p50_us"), unit=" ×")
        result.goal(f"p99 against the best peer, {called}", 1,
                    of(runs, "ingot", "p99_us") / peer_p99, unit=" ×")
        for name in runs:
            result.line(called, name, *cells(
                runs, name, ("p50_us", "{:.0f}"), ("p90_us", "{:.0f}"), ("p99_us", "{:.0f}"),
                ("p999_us", "{:.0f}"), ("cpu_us", "{:.1f}")), noise(runs, name))
            if of(runs, name, "rps") < 0.98 * rate:
                result.note(f"{name} did not keep up at {called}: its latencies are those of a queue.")
        for share in ("p50", "p99"):
            result.chart(f"latency, {share}, {called}", "µs",
                         [(name, [run[f"{share}_us"] for run in runs[name]]) for name in runs])
    return result


def new_connection(bench):
    result = Result("new-connection", "a new connection for each request")

    def measure(proxy):
        return loaded(bench, proxy, "-c", CONNECTIONS, "-k", proxy.port)
    runs = interleaved(bench, ["raw", *bench.peer_names, "ingot"], measure)
    keep_runs(result, runs)
    peer, peer_us = best_peer(runs, "cpu_us")
    result.goal(f"CPU against the best peer ({peer})", 0.90,
                of(runs, "ingot", "cpu_us") / peer_us, unit=" ×")
    result.table("proxy", "CPU µs/connection", "user", "system", "connections/s",
                 *[f"CPU / {name}" for name in bench.peer_names], "others %")
    for name in runs:
        result.line(name, *cells(runs, name, ("cpu_us", "{:.2f}"), ("user_us", "{:.2f}"),
                                 ("system_us", "{:.2f}"), ("rps", "{:.0f}")),
                    *ratios(runs, name, "cpu_us", bench.peer_names), noise(runs, name))
    result.note("The raw forwarder opens an upstream connection for each of the client's, where the "
                "others keep theirs: it is no limit in this row.")
    result.chart("CPU per new connection", "µs",
                 [(name, [run["cpu_us"] for run in runs[name]]) for name in runs], 0.9 * peer_us)
    return result


def big_body(bench):
    result = Result("big-body", "10 MiB bodies on 4 connections")

    def measure(proxy):
        run = loaded(bench, proxy, "-c", 4, proxy.port, f"/big/{BIG}")
        # by the bytes that passed, not by the requests that ended
        gigabytes = run["bytes"] / 1e9
        run.update(per_gb=run["cpu_s"] / gigabytes, gbps=gigabytes / run["seconds_in_all"])
        return run

    names = ["raw", "raw-splice"]
    for name in bench.peer_names:
        names += [name] + ([f"{name}-64k"] if name.startswith("nginx") else [f"{name}-splice"])
    runs = interleaved(bench, names + ["ingot"], measure)
    keep_runs(result, runs)
    limit = of(runs, "raw-splice", "per_gb")
    result.goal("CPU against the splicing forwarder", 1.1, of(runs, "ingot", "per_gb") / limit,
                unit=" ×")
    result.table("proxy", "CPU s/GB", "GB/s", "CPU / raw-splice", "others %")
    for name in runs:
        result.line(name, *cells(runs, name, ("per_gb", "{:.3f}"), ("gbps", "{:.2f}")),
                    *ratios(runs, name, "per_gb", ["raw-splice"]), noise(runs, name))
    result.chart("CPU for large bodies", "s/GB",
                 [(name, [run["per_gb"] for run in runs[name]]) for name in runs], 1.1 * limit)
    return result


# ------------------------------------------------------------------ system calls

MOVES = ("recv", "send", "read", "write", "splice")
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "io_uring_enter")


def trace(bench, proxy):
    """{system call: how many a request}, counted by strace on the process that carries traffic."""
    load = Load(bench.programs, "-g", "-c", CONNECTIONS, "-w", 0.5, "-d", bench.duration,
                proxy.port)
    load.await_gate()
    strace = subprocess.Popen(["strace", "-qq", "-f", "-c", "-U", "name,calls", "-p",
                               str(proxy.worker())], stderr=subprocess.PIPE, text=True)
    try:
        bench.await_true(lambda: is_traced(proxy.worker()), "strace")
        run = load.open_gate()
    finally:
        strace.send_signal(signal.SIGINT)
        report = strace.communicate()[1]
        load.close()
    calls = {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", report, re.M)
             if name != "total"}
    if not calls or run["gated"] == 0:
        raise Failed(f"strace counted nothing: {report[-200:]}")
    return {name: count / run["gated"] for name, count in calls.items()}


def is_traced(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return re.search(r"TracerPid:\s+[1-9]", status.read()) is not None


def group(calls, prefixes):
    return sum(count for name, count in calls.items() if name.startswith(prefixes))


def syscalls(bench):
    result = Result("syscalls", "system calls per small keep-alive request, 50 connections")
    if shutil.which("strace") is None:
        raise Failed("strace is not installed; ./dev bench installs it")
    names = ["raw", *bench.peer_names, "ingot"]
    result.table("proxy", "receive and send", "waits", "others", "which others")
    for name in names:
        calls = trace(bench, bench.proxy(name))
        bench.progress(name)
        result.runs.append({"proxy": name, "calls": calls})
        moves, waits = group(calls, MOVES), group(calls, WAITS)
        others = sum(calls.values()) - moves - waits
        which = ", ".join(f"{call} {count:.2f}" for call, count in sorted(
            calls.items(), key=lambda entry: -entry[1])
            if not call.startswith(MOVES + WAITS) and count >= 0.005)
        result.line(name, f"{moves:.2f}", f"{waits:.2f}", f"{others:.2f}", which or "–")
        if name == "ingot":
            # half a hundredth: what the edges of the measured time let through
            result.goal("calls but for waits", 4.05, moves + others, unit="")
            result.goal("waits: shared by a batch", 1, waits, unit="")
    result.note("strace slows everything down, which makes batches larger for all alike.")
    return result
