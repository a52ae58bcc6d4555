# SPDX-License-Identifier: Apache-2.0
"""The proxies that are measured side by side: one thread or worker each, no access log, connections kept."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import time

from cluster import Manifests, NAMESPACE
from machine import children, command_line, first_line, pinned, tree
from programs import Failed, environment, stop, wait_for_port

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/nginx.pid;
error_log {directory}/error.log error;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream responder {{
        server 127.0.0.1:{upstream};
        keepalive 512;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    proxy_http_version 1.1;
    proxy_max_temp_file_size 0;
    proxy_read_timeout 600s;
    {tuning}
    proxy_set_header Host $host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        {tls}
        server_name bench.example;
        location / {{ proxy_pass http://responder; }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn {haproxy_connections}
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout tunnel 600s
    timeout http-keep-alive 600s
    timeout http-request 600s
    option forwardfor
    {tuning}
    http-reuse always
frontend front
    bind 127.0.0.1:{port} backlog 4096
    {tls}
    http-request set-header X-Forwarded-Proto http
    default_backend back
backend back
    server responder 127.0.0.1:{upstream}
"""


class Proxy:
    """A proxy in front of one upstream, in a directory and on a port of its own."""

    kind = "?"
    descriptors_each = 1    # that it wants for a connection, idle or not

    def __init__(self, bench, name, program, variant="", connections=4096):
        self.bench, self.name, self.program, self.variant = bench, name, program, variant
        self.directory = bench.new_directory(name)
        self.port = bench.new_port()
        self.tls_port = bench.new_port() if variant.startswith("tls") else None
        self.connections = connections
        self.process = None
        self.version = self.find_version()

    def find_version(self):
        return ""

    def command(self):
        raise NotImplementedError

    def certificate(self):
        """(certificate, key), PEM files, where the variant is tlsecdsa or tlsrsa."""
        return self.bench.certificate(self.variant.removeprefix("tls"))

    def configure(self, text, tuning, tls=""):
        path = self.directory / "configuration"
        path.write_text(text.format(
            directory=self.directory, port=self.port, upstream=self.bench.upstream,
            descriptors=self.bench.descriptors, connections=self.connections, tuning=tuning, tls=tls,
            # it does not start with more than half of the descriptors
            haproxy_connections=min(self.connections, (self.bench.descriptors - 200) // 2)))
        return str(path)

    def start(self, cpus):
        self.log = self.directory / "output.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, env=environment(), preexec_fn=pinned(cpus))
        if not wait_for_port(self.port, self.process):
            self.stop()
            raise Failed(f"{self.name} does not listen: {self.log.read_text()[-400:]}")
        return self

    def stop(self):
        if self.process is not None:
            stop(self.process)
            self.process = None

    def pids(self):
        """All that serves."""
        return tree(self.process.pid)

    def worker(self):
        """The one process that carries traffic."""
        return self.process.pid

    def reload(self):
        raise NotImplementedError


class Raw(Proxy):
    kind = "raw"
    descriptors_each = 2

    def command(self):
        return [self.program, str(self.port), str(self.bench.upstream),
                *([self.variant] if self.variant else [])]


class Nginx(Proxy):
    kind = "nginx"

    def find_version(self):
        return first_line([self.program, "-v"]).rpartition("/")[2]

    def command(self):
        for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi"):
            (self.directory / name).mkdir(mode=0o777, exist_ok=True)
        tuning = ("proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
                  if self.variant == "64k" else "")
        tls = ""
        if self.tls_port:
            chain, key = self.certificate()
            tls = (f"listen 127.0.0.1:{self.tls_port} ssl http2 backlog=4096; ssl_certificate {chain}; "
                   f"ssl_certificate_key {key}; ssl_protocols TLSv1.2 TLSv1.3; "
                   "ssl_session_cache shared:bench:10m; ssl_session_tickets on;")
        return [self.program, "-p", str(self.directory), "-e", str(self.directory / "error.log"),
                "-c", self.configure(NGINX, tuning, tls)]

    def worker(self):
        return children(self.process.pid)[-1]

    def reload(self):
        """A new worker takes over, the old one leaves when its connections are gone."""
        before = set(children(self.process.pid))
        self.process.send_signal(signal.SIGHUP)
        self.bench.await_true(lambda: set(children(self.process.pid)) - before, "a new worker")


class Haproxy(Proxy):
    kind = "haproxy"
    descriptors_each = 2

    def find_version(self):
        match = re.search(r"version (\S+)", first_line([self.program, "-v"]))
        return match[1] if match else "?"

    def command(self):
        tuning = "option splice-response" if self.variant == "splice" else ""
        tls = ""
        if self.tls_port:
            chain, key = self.certificate()
            both = self.directory / "both.pem"
            both.write_text(chain.read_text() + key.read_text())
            tls = (f"bind 127.0.0.1:{self.tls_port} backlog 4096 ssl crt {both} alpn h2,http/1.1 "
                   "ssl-min-ver TLSv1.2")
        return [self.program, "-W" if self.variant == "reload" else "-db", "-f",
                self.configure(HAPROXY, tuning, tls)]

    def worker(self):
        return (children(self.process.pid) or [self.process.pid])[-1]

    reload_signal = signal.SIGUSR2

    def reload(self):
        before = set(children(self.process.pid))
        self.process.send_signal(self.reload_signal)
        self.bench.await_true(lambda: set(children(self.process.pid)) - before, "a new worker")


class Ingot(Proxy):
    """Without arguments of its own it serves the small cluster; others give it manifests."""

    kind = "ingot"
    descriptors_each = 2.1      # it takes no more clients than it could serve at one time

    def __init__(self, bench, name, program, manifests=None, workers=1, **more):
        super().__init__(bench, name, program, **more)
        self.workers = workers
        self.admin_port = bench.new_port()
        if manifests is None:
            manifests = Manifests(self.directory)
            manifests.write_small(bench.upstream, self.certificate() if self.tls_port else None)
        self.manifests = manifests

    def find_version(self):
        return first_line([self.program, "version"])

    def command(self):
        return [self.program, "run", "--manifests", str(self.manifests.watched),
                "--bind-address", "127.0.0.1", "--http-port", str(self.port),
                *(["--https-port", str(self.tls_port), "--default-ssl-certificate",
                   f"{NAMESPACE}/tls"] if self.tls_port else ["--https-port", "off"]),
                "--admin-address", f"127.0.0.1:{self.admin_port}",
                "--workers", str(self.workers), "--access-log", "off",
                "--state-dir", str(self.directory / "state"),
                "--configmap", f"{NAMESPACE}/ingot", "--shutdown-grace-period", "1s"]

    def start(self, cpus):
        super().start(cpus)
        self.await_ready()
        return self

    def await_ready(self, seconds=60):
        self.bench.await_true(lambda: self.admin("/readyz")[0] == 200, "/readyz", seconds)

    def admin(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of all samples of that name with these labels."""
        total = 0.0
        for line in self.admin("/metrics")[1].splitlines():
            if re.match(re.escape(name) + r"[{ ]", line) and all(
                    f'{key}="{value}"' in line for key, value in labels.items()):
                total += float(line.rpartition(" ")[2])
        return total

    def role(self, role):
        return [pid for pid in children(self.process.pid) if command_line(pid)[1:2] == [role]]

    def worker(self):
        return self.role("proxy")[0]

    def control(self):
        return self.role("control")[0]


KINDS = {"raw": Raw, "nginx": Nginx, "haproxy": Haproxy, "ingot": Ingot}


def find_program(bench, kind):
    if kind == "raw":
        return str(bench.build / "bench" / "rawfwd")
    if kind == "ingot":
        return str(bench.build / "ingot")
    program = shutil.which(kind, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit(f"bench: {kind} is not installed; ./dev bench installs it")
    return program


def pause(seconds):
    """Lets what was begun come to rest before a figure is read."""
    time.sleep(seconds)
