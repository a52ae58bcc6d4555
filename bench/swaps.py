# SPDX-License-Identifier: Apache-2.0
"""The row about what a change costs those who are connected: table swaps, and beside them reloads of the peers."""
import time

from cluster import HOST, ingress
from machine import MB, private_bytes
from programs import Holder, Load
from proxies import pause
from result import Result

CONNECTIONS = 50
WEBSOCKETS = 1_000
SETTLING = 0.5      # share of the changes before memory is first read: numbers are used again late,
                    # so what is kept for each of them fills up slowly
RELOADS = 34


def swap(bench, ingot, number):
    """One changed Ingress; back when the worker obeys the new table."""
    before = ingot.metric("ingot_worker_table_generation", segment="routes")
    ingot.manifests.write("swap", ingress("swap", f"swap{number}.{HOST}", "bench"))
    bench.await_true(
        lambda: ingot.metric("ingot_worker_table_generation", segment="routes") > before,
        "a swap of tables")


def reload(bench, proxy, _):
    proxy.reload()
    pause(0.3)      # the next must not come before the new worker serves


def under_load(bench, proxy, change, count):
    """Changes while requests and WebSockets are open: what failed, what was closed, what memory grew."""
    websockets = Holder(bench.programs, proxy.port, WEBSOCKETS, bench.descriptors, "websocket")
    load = Load(bench.programs, "-c", CONNECTIONS, "-w", 0, "-d", 0, proxy.port)
    try:
        before = settled = private_bytes(proxy.pids())
        course = []
        began = time.monotonic()
        for number in range(count):
            change(bench, proxy, number)
            if number + 1 == max(1, round(SETTLING * count)):
                settled = private_bytes(proxy.pids())
            if (number + 1) * 10 // count > number * 10 // count:
                course.append(private_bytes(proxy.pids()))
        seconds = time.monotonic() - began
        pause(0.5)
        after = private_bytes(proxy.pids())
        processes = len(proxy.pids())
        answered, lost = websockets.ask()
        figures = load.stop_and_result()
    finally:
        websockets.close()
        load.process.kill()
    return {"proxy": proxy.name, "changes": count, "seconds": seconds,
            "requests": figures["requests"],
            "failed": figures["cut"] + figures["refused"] + figures["unexpected"],
            "reconnects": figures["reconnects"], "answered": answered, "lost": lost,
            "before": before, "growth_in_all": after - before, "growth": after - settled,
            "processes": processes, "course": course}


def swaps(bench):
    result = Result("swaps", f"changes under full load, {CONNECTIONS} connections and "
                             f"{WEBSOCKETS} WebSockets")
    result.table("proxy", "changes", "requests", "failed", "kept connections closed",
                 "WebSockets lost", "MB before", "MB more at the end", "of it in the second half",
                 "processes at the end")
    bench.rest()
    for name in ["ingot", *bench.peer_names]:
        ours = name == "ingot"
        count = bench.swaps if ours else bench.reloads
        variant = "reload" if name.startswith("haproxy") else ""
        proxy = bench.fresh(name, variant=variant)
        try:
            run = under_load(bench, proxy, swap if ours else reload, count)
        finally:
            proxy.stop()
        bench.progress(name)
        result.runs.append(run)
        result.line(name, f"{count} {'swaps' if ours else 'reloads'}", run["requests"],
                    run["failed"], run["reconnects"], run["lost"], f"{run['before'] / MB:.2f}",
                    f"{run['growth_in_all'] / MB:.2f}", f"{run['growth'] / MB:.2f}",
                    run["processes"])
        if ours:
            result.note("Ingot's private memory after each tenth of the swaps, MB: " +
                        ", ".join(f"{one / MB:.2f}" for one in run["course"]) + ".")
            result.goal("failed requests", 0, run["failed"], "{:.0f}")
            result.goal("closed connections", 0, run["reconnects"] + run["lost"], "{:.0f}")
            # a page here and there is no growth: what a swap leaves behind would show a thousandfold
            result.goal("growth of memory in the second half", 0.1, run["growth"] / MB,
                        "{:.2f}", " MB")
    result.chart("failed requests per change", "",
                 [(run["proxy"], [run["failed"] / run["changes"]]) for run in result.runs])
    return result
