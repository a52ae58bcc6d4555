# SPDX-License-Identifier: Apache-2.0
"""Rows about TLS and HTTP/2: handshakes, requests and bodies, with h2load where it can."""
import json
import re
import subprocess

from machine import pinned
from programs import Failed
from result import Result
from traffic import (BIG, CONNECTIONS, Meter, best_peer, cells, interleaved, keep_runs, noise, of,
                     ratios)

HOST = "bench.example"
KEYS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"]}


def certificate(bench, key):
    """(certificate, key) as PEM files, one of each kind for all proxies."""
    def make():
        place = bench.new_directory(f"certificate-{key}")
        paths = place / "tls.crt", place / "tls.key"
        run = subprocess.run(
            ["openssl", "req", "-x509", *KEYS[key], "-nodes", "-subj", f"/CN={HOST}", "-days", "30",
             "-addext", f"subjectAltName=DNS:{HOST}", "-keyout", paths[1], "-out", paths[0]],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise Failed(f"openssl made no certificate: {run.stderr[-200:]}")
        for path in paths:
            path.chmod(0o644)
        return paths
    return bench.once(f"certificate {key}", make)


def client(bench, command, seconds):
    """Runs a load generator of others on the CPUs of the load; what it says."""
    run = subprocess.run([str(word) for word in command], preexec_fn=pinned(bench.load_cpus),
                         capture_output=True, text=True, timeout=seconds + 60, check=False)
    if run.returncode != 0:
        raise Failed(f"{command[0]}: {(run.stderr or run.stdout)[-200:]}")
    return run.stdout


def measured(bench, proxy, load):
    """CPU time for each of what load() says it did: (how many, how many failed, bytes)."""
    meter = Meter(bench, proxy)
    count, failed, size = load()
    meter.stop()
    if count == 0:
        raise Failed(f"{proxy.name} did nothing")
    cpu_s = meter.user + meter.system
    return {"proxy": proxy.name, "requests": count, "cut": failed, "refused": 0, "unexpected": 0,
            "cpu_us": cpu_s * 1e6 / count, "user_us": meter.user * 1e6 / count,
            "system_us": meter.system * 1e6 / count, "cpu_s": cpu_s, "bytes": size,
            "per_gb": cpu_s / (size / 1e9) if size else 0, "rps": count / meter.seconds,
            "others": meter.others, "busy": meter.busy}


def handshakes(bench, proxy, *how):
    """Connections with TLS 1.3, one after the other."""
    def load():
        said = json.loads(client(bench, [bench.build / "bench" / "handshaker", *how, proxy.tls_port,
                                         bench.duration], bench.duration))
        if "-r" in how and said["resumed"] < said["connections"] - 1:
            raise Failed(f"{proxy.name} resumed {said['resumed']} of {said['connections']} connections")
        return said["connections"], 0, 0
    return measured(bench, proxy, load)


def h2load(bench, proxy, *how, target="/"):
    seconds = max(1, round(bench.duration))

    def load():
        said = client(bench, ["h2load", "-D", seconds, "--connect-to", f"127.0.0.1:{proxy.tls_port}",
                              *how, f"https://{HOST}{target}"], seconds)
        done = re.search(r"^requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed",
                         said, re.M)
        data = re.search(r"^traffic: .*\((\d+)\) total", said, re.M)
        if done is None or data is None:
            raise Failed(f"h2load said: {said[-200:]}")
        return int(done[1]), int(done[2]), int(data[1])
    return measured(bench, proxy, load)


def compared(bench, result, what, variant, measure, figure, limit, unit, form="{:.1f}"):
    """The peers and Ingot in turn, a line each, and the goal as a ratio to the best peer. limit None: there is no
    goal for it."""
    names = [f"{name}-{variant}" for name in bench.peer_names] + [f"ingot-{variant}"]
    runs = interleaved(bench, names, measure)
    keep_runs(result, runs)
    peer, best = best_peer(runs, figure)
    if limit is not None:
        result.goal(f"{what}, CPU against the best peer ({peer})", limit,
                    of(runs, f"ingot-{variant}", figure) / best, unit=" ×")
    for name in runs:
        result.line(what, name, *cells(runs, name, (figure, form), ("rps", "{:.0f}")),
                    *ratios(runs, name, figure, [peer]), noise(runs, name))
    result.chart(what, unit, [(name, [run[figure] for run in runs[name]]) for name in runs],
                 None if limit is None else limit * best)


def tls_handshake(bench):
    result = Result("tls-handshake", "CPU per connection with a TLS 1.3 handshake")
    result.table("what", "proxy", "CPU µs", "a second", "CPU / best peer", "others %")
    for what, key, how, limit in (
            ("full handshake, ecdsa", "ecdsa", (), 0.90),
            ("full handshake, rsa", "rsa", (), 0.90),
            ("resumed", "ecdsa", ("-r",), 0.90),
            ("full, ecdsa, and a request", "ecdsa", ("-q",), None),
            ("resumed, and a request", "ecdsa", ("-r", "-q"), None)):
        compared(bench, result, what, f"tls{key}",
                 lambda proxy, how=how: handshakes(bench, proxy, *how), "cpu_us", limit, "µs")
    result.note("The CPU is that of a whole connection: TCP's share, about 30 µs, is in it. One client makes a "
                "connection after the other. nginx and HAProxy make tickets at the end of each handshake, Ingot with "
                "the first answer: so the lines with a request, in which all have the same work, stand beside.")
    return result


def tls_request(bench):
    result = Result("tls-request", f"small requests over TLS 1.3, {CONNECTIONS} kept connections, HTTP/1.1")
    result.table("what", "proxy", "CPU µs/request", "requests/s", "CPU / best peer", "others %")
    compared(bench, result, "request", "tlsecdsa",
             lambda proxy: h2load(bench, proxy, "--h1", "-c", CONNECTIONS), "cpu_us", 0.80, "µs")
    return result


def tls_body(bench):
    result = Result("tls-body", "10 MiB bodies over TLS 1.3 on 4 connections, HTTP/1.1")
    result.table("what", "proxy", "CPU s/GB", "requests/s", "CPU / best peer", "others %")
    compared(bench, result, "body", "tlsecdsa",
             lambda proxy: h2load(bench, proxy, "--h1", "-c", 4, target=f"/big/{BIG}"), "per_gb", 0.80,
             "s/GB", "{:.3f}")
    return result


def h2_front(bench):
    result = Result("h2-front", "HTTP/2 over TLS 1.3 in front, HTTP/1.1 behind: 10 connections with 10 streams each")
    result.table("what", "proxy", "CPU µs/request", "requests/s", "CPU / best peer", "others %")
    compared(bench, result, "request by HTTP/2", "tlsecdsa",
             lambda proxy: h2load(bench, proxy, "-c", 10, "-m", 10), "cpu_us", 0.85, "µs")
    return result
