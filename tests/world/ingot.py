# SPDX-License-Identifier: Apache-2.0
"""A running Ingot: its manifests, its ports, its processes, and clients of it."""
import collections
import contextlib
import http.client
import os
import pathlib
import re
import signal
import subprocess

from . import process
from .client import Connection
from .objects import config_map, flat, ingress_class
from .wait import PATIENCE, eventually, free_port

BUILD = pathlib.Path(os.environ.get("INGOT_BUILD")
                     or pathlib.Path(__file__).parent.parent.parent / "build")
BINARY = BUILD / "ingot"

# What no process may ever say.
ALARMS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|this is a bug|Assertion")

STOP_DEADLINE = 10.0


class Answers:
    """Several responses, counted."""

    def __init__(self, responses):
        self.responses = responses
        self.by_pod = dict(collections.Counter(answer.pod for answer in responses if answer.pod))
        self.statuses = dict(collections.Counter(answer.status for answer in responses))


class Metrics:
    """One reading of /metrics."""

    SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
    LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = []       # (name, {label: value}, number)
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} has two TYPE lines"
                self.types[name] = kind
            elif line and not line.startswith("#"):
                match = self.SAMPLE.match(line)
                assert match, f"no sample: {line!r}"
                labels = dict(self.LABEL.findall(match[2] or ""))
                self.samples.append((match[1], labels, float(match[3])))

    def all(self, name, **labels):
        return [(found, value) for sample, found, value in self.samples
                if sample == name and labels.items() <= found.items()]

    def sum(self, name, **labels):
        return sum(value for _, value in self.all(name, **labels))

    def get(self, name, **labels):
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {len(found)} samples"
        return found[0][1]


class Ingot:
    """`ingot run` on a directory of manifests of its own, on free ports of 127.0.0.1."""

    def __init__(self, directory, workers=1, flags=(), config=None, classes=True, log="nginx",
                 bind="127.0.0.1", environment=None, tls=False):
        self.directory = pathlib.Path(directory)
        self.manifests = self.directory / "manifests"
        self.state = self.directory / "state"
        self.access_log = self.directory / "access.log"
        self.stderr = self.directory / "stderr.log"
        self.workers = workers
        self.flags = list(flags)
        self.log = log
        self.bind = bind
        self.environment = environment or {}
        self.http_port = free_port()
        self.https_port = free_port() if tls else None
        self.admin_port = free_port()
        self.process = None
        self.was_told_to_stop = False
        self.clients = []
        self.manifests.mkdir(parents=True, exist_ok=True)
        if classes:
            self.write(ingress_class())
        if config:
            self.write(config_map(**config))

    # -------------------------------------------------------------- manifests

    def write(self, *manifests):
        """Puts files into the directory, each at once (by rename), and does not wait."""
        for manifest in flat(manifests):
            draft = self.manifests / f".{manifest.name}.draft"
            draft.write_text(manifest.text)
            draft.rename(self.manifests / manifest.name)

    def remove(self, *manifests):
        for manifest in flat(manifests):
            (self.manifests / manifest.name).unlink()

    def serve(self, *manifests):
        """Starts with these objects, or adds them, and waits until every worker obeys."""
        if self.process is None:
            self.write(*manifests)
            self.start()
        else:
            self.apply(*manifests)
        return self

    def apply(self, *manifests):
        """Changes objects and waits until every worker obeys."""
        with self.change():
            self.write(*manifests)

    def delete(self, *manifests):
        with self.change():
            self.remove(*manifests)

    def change(self):
        """with ingot.change(): …whatever alters the table; waits for its effect at the end."""
        return Change(self)

    # -------------------------------------------------------------- processes

    def command(self):
        return [str(BINARY), "run", "--manifests", str(self.manifests),
                "--bind-address", self.bind, "--http-port", str(self.http_port),
                "--https-port", str(self.https_port or "off"),
                "--admin-address", f"127.0.0.1:{self.admin_port}",
                "--workers", str(self.workers), "--state-dir", str(self.state),
                "--configmap", "ingot/ingot",
                "--access-log", str(self.access_log), "--access-log-format", self.log,
                *self.flags]

    def start(self, ready=True):
        assert BINARY.exists(), f"{BINARY} is not built"
        self.was_told_to_stop = False
        with self.stderr.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.directory, env={**os.environ, **self.environment})
        if ready:
            self.await_ready()
        return self

    def await_ready(self, deadline=10.0):
        def ready():
            if self.process.poll() is not None:
                raise SystemExit(f"ingot run ended with {self.process.returncode}: "
                                 f"{self.said()}")
            return self.admin("/readyz").status == 200
        eventually(ready, deadline, "/readyz")

    def said(self):
        """Everything on standard error so far."""
        return self.stderr.read_text(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def role_pids(self, role):
        found = []
        for child in process.children(self.pid):
            try:
                line = process.command_line(child)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if len(line) > 1 and line[1] == role:
                found.append(child)
        return found

    @property
    def worker_pids(self):
        return self.role_pids("proxy")

    @property
    def control_pid(self):
        (pid,) = self.role_pids("control")
        return pid

    def signal(self, number):
        self.was_told_to_stop |= number in (signal.SIGTERM, signal.SIGINT)
        self.process.send_signal(number)

    def wait(self, deadline=STOP_DEADLINE):
        return self.process.wait(deadline * PATIENCE)

    def stop(self):
        """As a supervisor does it: asks, asks again, and does not have to kill."""
        for client in self.clients:
            client.close()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            if not self.was_told_to_stop:
                self.signal(signal.SIGTERM)
            try:
                self.process.wait(3 * PATIENCE)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("ingot run did not end after two SIGTERM: " +
                                 self.said()) from None

    def kill(self):
        """The parent's death takes the roles along."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    # -------------------------------------------------------------- clients

    @property
    def address(self):
        return (self.bind, self.http_port)

    def connect(self, timeout=5.0):
        client = Connection(self.address, timeout)
        self.clients.append(client)
        return client

    def request(self, host, target="/", **more):
        """One request on a connection of its own."""
        with Connection(self.address, more.pop("timeout", 5.0)) as client:
            return client.request(target, host, **more)

    def get(self, host, target="/", times=None, **more):
        """One answer, or with times=N that many, counted."""
        if times is None:
            return self.request(host, target, **more)
        return Answers([self.request(host, target, **more) for _ in range(times)])

    def raw(self, *pieces, method="GET"):
        """Bytes as they are on a connection of its own; the first answer."""
        with Connection(self.address) as client:
            client.send(*pieces)
            return client.response(method)

    # -------------------------------------------------------------- what an operator sees

    def admin(self, path, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port,
                                                timeout=5.0 * PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            response.text = response.read().decode()
            return response
        finally:
            connection.close()

    def metrics(self):
        response = self.admin("/metrics")
        assert response.status == 200
        return Metrics(response.text)

    def log_lines(self, count, deadline=5.0):
        """The lines of the access log, once there are that many."""
        def lines():
            found = self.access_log.read_text().splitlines() if self.access_log.exists() else []
            return found if len(found) >= count else None
        return eventually(lines, deadline, f"{count} lines in the access log")

    def check_calm(self):
        """No process ended but those that a test ended, and nothing was said that must never be said."""
        said = self.said() if self.stderr.exists() else ""
        alarm = ALARMS.search(said)
        assert alarm is None, f"{alarm[0]} in:\n{said}"
        deaths = [line for line in said.splitlines() if "role ended" in line and "signal=9" not in line]
        assert not deaths, deaths


@contextlib.contextmanager
def stopped(ingot):
    """Inside, the only worker does not run: what happens meanwhile it sees in one turn."""
    (worker,) = ingot.worker_pids
    os.kill(worker, signal.SIGSTOP)
    eventually(lambda: process.is_stopped(worker))
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


class Change:
    """Waits until what is done inside `with` has reached every worker."""

    def __init__(self, ingot):
        self.ingot = ingot

    def __enter__(self):
        self.before = self.obeyed()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            eventually(lambda: self.obeyed() > self.before and self.settled(), 5.0,
                       "a change in the table that every worker obeys")

    def obeyed(self):
        """How many tables came into effect everywhere so far."""
        return self.ingot.metrics().sum("ingot_table_propagation_seconds_count")

    def settled(self):
        return self.ingot.admin("/readyz").status == 200
