# SPDX-License-Identifier: Apache-2.0
"""The row about many certificates: start with them, what they cost before they are used, handshakes, renewals."""
import os
import shutil
import socket
import ssl
import subprocess
import time

from cluster import Manifests, config_map, endpoint_slice, ingress, ingress_class, service
from machine import MB, Memory, cpu_time, pinned
from programs import Failed
from proxies import Ingot, pause
from result import Result, median, percentile

SUFFIX = "bench.example"
HANDSHAKES = 200


class Certificates:
    """Ingot with a host and a certificate for each of many Ingresses, which share one Service."""

    def __init__(self, bench):
        self.bench, self.count = bench, bench.secrets
        self.directory = bench.new_directory("certificates")
        self.manifests = Manifests(self.directory)
        self.manifests.write("global", ingress_class(), config_map())
        self.manifests.write("app", service("app"), endpoint_slice("app", ["127.0.0.1"], bench.upstream))
        for number in range(self.count):
            one = ingress(f"app{number}", self.host(number), "app")
            one["spec"]["tls"] = [{"hosts": [self.host(number)], "secretName": f"app{number}"}]
            self.manifests.write(f"app{number}", one)
        self.make(self.manifests.watched, 0, self.count)
        self.ingot = Ingot(bench, "ingot-certificates", bench.program("ingot"), self.manifests,
                           variant="tlsecdsa")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def host(self, number):
        return f"app{number}.{SUFFIX}"

    def make(self, directory, first, count):
        subprocess.run([self.bench.build / "bench" / "certificates", directory, str(first), str(count),
                        SUFFIX], check=True, preexec_fn=pinned(self.bench.load_cpus))

    def shown(self, number):
        """(certificate that is shown for this host, seconds of its handshake)."""
        plain = socket.create_connection(("127.0.0.1", self.ingot.tls_port), 10)
        began = time.perf_counter()
        with self.context.wrap_socket(plain, server_hostname=self.host(number)) as secure:
            return secure.getpeercert(binary_form=True), time.perf_counter() - began

    def is_served(self, number):
        """Under its own name, not by the certificate that stands in."""
        if self.ingot.process.poll() is not None:
            raise Failed(f"ingot ended: {self.ingot.log.read_text()[-400:]}")
        try:
            return self.host(number).encode() in self.shown(number)[0]
        except OSError:
            return False

    def start(self):
        """Seconds from exec until the last host is served with its own certificate."""
        shutil.rmtree(self.ingot.directory / "state", ignore_errors=True)
        self.ingot.log = self.ingot.directory / "output.log"
        began = time.monotonic()
        self.ingot.process = self.bench.spawn(self.ingot.command(), self.ingot.log)
        self.bench.await_true(lambda: self.is_served(self.count - 1), "the last certificate", 120, 0.002)
        return time.monotonic() - began

    def renewal(self, number):
        """Seconds from the rename of a Secret until its new certificate is shown."""
        before = self.shown(number)[0]
        self.make(self.manifests.drafts, number, 1)
        name = f"secret{number}.yaml"
        began = time.monotonic()
        os.rename(self.manifests.drafts / name, self.manifests.watched / name)
        self.bench.await_true(lambda: self.shown(number)[0] != before, "a renewed certificate", 30, 0)
        return time.monotonic() - began


def compare_handshakes(place):
    """{what: ms of each}: the first and the last hundred hosts, before and after they were used."""
    times = {"first use, first hosts": [], "first use, last hosts": [], "the first host": [],
             "the last host": []}
    hosts = min(HANDSHAKES, place.count // 4)
    for number in range(1, hosts + 1):
        times["first use, first hosts"].append(1000 * place.shown(number)[1])
        times["first use, last hosts"].append(1000 * place.shown(place.count - 1 - number)[1])
    for _ in range(HANDSHAKES):
        times["the first host"].append(1000 * place.shown(0)[1])
        times["the last host"].append(1000 * place.shown(place.count - 1)[1])
    return times


def add_goals(result, starts, worker, times, renewals):
    result.goal("first table in effect after a cold start", 2, median(starts), unit=" s")
    result.goal("a worker before they are used, private", 64, worker.private / MB, "{:.1f}", " MB")
    # a twentieth is what two medians of the same differ by
    result.goal("handshake with the last against the first", 1.05,
                median(times["the last host"]) / median(times["the first host"]), unit=" ×")
    result.goal("first use of the last against the first", 1.05,
                median(times["first use, last hosts"]) / median(times["first use, first hosts"]),
                unit=" ×")
    result.goal("renewed and served, p99", 10, percentile(renewals, 0.99), unit=" ms")


def certificates(bench):
    result = Result("certificates", f"{bench.secrets} hosts with a certificate each, one worker")
    bench.rest()
    place = Certificates(bench)
    starts, cpu = [], []
    for turn in range(bench.starts):
        place.ingot.stop()
        starts.append(place.start())
        cpu.append(sum(cpu_time([place.ingot.control()])))
        bench.progress(f"start {turn + 1}: {starts[-1]:.2f} s")
    place.ingot.await_ready()
    pause(1.5)
    worker, control = Memory(place.ingot.worker()), Memory(place.ingot.control())
    times = compare_handshakes(place)
    renewals = [1000 * place.renewal(number) for number in range(bench.renewals)]
    place.ingot.stop()

    add_goals(result, starts, worker, times, renewals)
    result.table("figure", "value")
    result.line("cold start to the last host's certificate", ", ".join(f"{one:.2f} s" for one in starts))
    result.line("control's CPU until then", ", ".join(f"{one:.2f} s" for one in cpu))
    result.line("worker, private", f"{worker.private / MB:.1f} MB")
    result.line("worker, tables (shared)", f"{worker.table / MB:.1f} MB")
    result.line("control, private", f"{control.private / MB:.1f} MB")
    for what, of_it in times.items():
        result.line(f"handshake, {what}", f"{median(of_it):.2f} ms (p90 {percentile(of_it, 0.9):.2f})")
    result.line("renewed and served", f"median {median(renewals):.2f} ms, p99 "
                f"{percentile(renewals, 0.99):.2f}, largest {max(renewals):.2f}")
    result.note("Handshakes are a Python client's, from the first message to the last, one after the other. Looking for "
                "a renewed certificate is such a handshake too, so that the figure is late by up to one.")
    result.runs.append({"starts": starts, "starts_control_cpu": cpu, "worker": vars(worker), "control": vars(control),
                        "handshakes_ms": times, "renewals_ms": renewals})
    result.chart("from the renewed Secret to the new certificate", "ms",
                 [(f"ingot {label}", [percentile(renewals, share)])
                  for label, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))], 10)
    return result
