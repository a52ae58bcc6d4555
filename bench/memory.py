# SPDX-License-Identifier: Apache-2.0
"""Rows about memory: of idle connections, and at start."""
from machine import MB, Memory, private_bytes
from programs import Failed, Holder
from proxies import pause
from result import Result

IDLE_WANTED = 50_000
SPARE_DESCRIPTORS = 600     # for listeners, pooled upstream connections and what a program keeps


def idle_count(bench, proxy_class, wanted):
    """How many idle connections the limit of descriptors leaves to a proxy of that kind."""
    most = (bench.descriptors - SPARE_DESCRIPTORS) / proxy_class.descriptors_each
    return min(wanted, int(most))


def hold(bench, proxy, count):
    """Private bytes before and while so many connections are idle after one request each, over TLS where the proxy
    has a port for it."""
    bench.programs.loadgen("-c", 10, "-w", 0, "-d", 0.5, proxy.port)
    if proxy.tls_port:
        Holder(bench.programs, proxy.tls_port, 10, bench.descriptors, "tls").close()
    pause(0.5)
    before = private_bytes(proxy.pids())
    holder = Holder(bench.programs, proxy.tls_port or proxy.port, count, bench.descriptors,
                    "tls" if proxy.tls_port else "request")
    try:
        pause(1.5)
        during = private_bytes(proxy.pids())
        answered, lost = holder.ask()
    finally:
        holder.close()
    pause(0.5)
    return {"proxy": proxy.name, "connections": count, "before": before, "during": during,
            "after": private_bytes(proxy.pids()), "each": (during - before) / count,
            "answered": answered, "lost": lost}


def hold_all(bench, result, names, wanted, limit):
    """Each proxy, fresh, with as many connections as it may have: a line each, and the goal for Ingot's bytes each.
    The runs, by name."""
    runs = {}
    result.table("proxy", "connections", "bytes each", "MB before", "MB during", "MB after",
                 "still answered")
    bench.rest()
    for name in names:
        count = idle_count(bench, bench.class_of(name), wanted)
        # nginx closes idle connections where less than a sixteenth of its own are free
        proxy = bench.fresh(name, connections=count + count // 8 + 600)
        try:
            run = hold(bench, proxy, count)
        except Failed as error:
            result.note(f"{name} did not hold {count} connections: {error}")
            if name.startswith("ingot"):
                result.goal("bytes per connection", limit, None)
            continue
        finally:
            proxy.stop()
        bench.progress(name)
        runs[name] = run
        result.runs.append(run)
        result.line(name, count, f"{run['each']:.0f}", f"{run['before'] / MB:.1f}",
                    f"{run['during'] / MB:.1f}", f"{run['after'] / MB:.1f}", run["answered"])
        if name.startswith("ingot"):
            result.goal("bytes per connection", limit, run["each"], "{:.0f}")
        if count < wanted:
            result.note(f"The limit of {bench.descriptors} descriptors allows {name} {count} of the "
                        f"{wanted} connections.")
    result.note("nginx takes memory for worker_connections at its start: what \"MB before\" has is not "
                "in its bytes each.")
    result.chart("memory per idle connection", "bytes",
                 [(name, [run["each"]]) for name, run in runs.items()], limit)
    return runs


def idle_memory(bench):
    result = Result("idle-memory", "private memory per idle keep-alive connection, one worker")
    runs = hold_all(bench, result, ["raw", *bench.peer_names, "ingot"], bench.idle_wanted, 256)
    if "ingot" in runs:
        result.goal("connections held by one worker", bench.idle_wanted, runs["ingot"]["answered"],
                    "{:.0f}", at_least=True,
                    judged=runs["ingot"]["connections"] == bench.idle_wanted)
    return result


def tls_idle_memory(bench):
    result = Result("tls-idle-memory", "private memory per idle keep-alive connection over TLS 1.3, one worker")
    names = [f"{name}-tlsecdsa" for name in [*bench.peer_names, "ingot"]]
    hold_all(bench, result, names, bench.idle_tls_wanted, 14_500)
    return result


def start_memory(bench):
    result = Result("start-memory", "private memory after start, one host served")
    result.table("process", "private MB", "table MB (shared)")
    bench.rest()
    ingot = bench.fresh("ingot")
    try:
        pause(0.5)
        roles = {"worker": ingot.worker(), "control": ingot.control(),
                 "run (parent)": ingot.process.pid}
        memory = {role: Memory(pid) for role, pid in roles.items()}
    finally:
        ingot.stop()
    result.goal("a worker", 6, memory["worker"].private / MB, "{:.1f}", " MB")
    result.goal("control", 12, memory["control"].private / MB, "{:.1f}", " MB")
    for role, one in memory.items():
        result.line(f"ingot: {role}", f"{one.private / MB:.2f}", f"{one.table / MB:.2f}")
        result.runs.append({"process": role, "private": one.private, "table": one.table})
    for name in bench.peer_names:
        proxy = bench.fresh(name)
        try:
            pause(0.5)
            private = private_bytes(proxy.pids())
        finally:
            proxy.stop()
        result.line(f"{name}: all", f"{private / MB:.2f}", "")
        result.runs.append({"process": name, "private": private})
    result.note("Private as the kernel counts it (Private_Clean and Private_Dirty of smaps), so pages of a "
                "program's file that no other process has mapped are in it, which is the case for control; "
                "sealed tables are not.")
    return result
