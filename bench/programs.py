# SPDX-License-Identifier: Apache-2.0
"""The programs of bench/src, started and listened to."""
import json
import os
import signal
import socket
import subprocess
import time

from machine import pinned


class Failed(Exception):
    """A measurement that did not come about; the row says so and the others go on."""


def wait_for_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def stop(process, seconds=5):
    """Asks a process that this program started to end, and ends it where it does not."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Programs:
    """Starts each program on the CPUs of the load."""

    def __init__(self, directory, cpus):
        self.directory = directory
        self.cpus = cpus
        self.running = []

    def start(self, name, *arguments, **more):
        process = subprocess.Popen([str(self.directory / name), *map(str, arguments)],
                                   preexec_fn=pinned(self.cpus), text=True, **more)
        self.running.append(process)
        return process

    def stop_all(self):
        for process in self.running:
            stop(process)

    def responder(self, port, name=None):
        process = self.start("responder", port, *([name] if name else []))
        if not wait_for_port(port, process):
            raise Failed("the responder did not start")
        return process

    def loadgen(self, *arguments):
        """Runs a load to its end and gives its figures."""
        return Load(self, *arguments).result()


class Load:
    """A load generator. With duration 0 it runs until result() is asked for."""

    def __init__(self, programs, *arguments):
        self.process = programs.start("loadgen", *arguments, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def await_gate(self):
        if self.process.stdout.readline() != "warm\n":
            raise Failed("the load ended before its gate: " + self.process.stderr.read()[-300:])

    def open_gate(self):
        """Lets it run, and gives its figures; connections stay open until close()."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.communicate()

    def stop_and_result(self):
        self.process.send_signal(signal.SIGTERM)
        return self.result()

    def result(self):
        out, err = self.process.communicate()
        if self.process.returncode != 0:
            raise Failed(err.strip()[-300:])
        return json.loads(out)


class Holder:
    """Connections that stay open; as many processes as the limit of descriptors asks for."""

    def __init__(self, programs, port, count, descriptors, kind="request"):
        self.processes = []
        most = min(20_000, descriptors - 100)
        arguments = ["bench.example"] + ([] if kind == "request" else [kind])
        while count > 0:
            part = min(count, most)
            process = programs.start("holder", port, part, *arguments, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.processes.append(process)
            if not process.stdout.readline().startswith("ready"):
                self.close()
                raise Failed("connections are not to be held: " + process.stderr.read()[-300:])
            count -= part

    def ask(self):
        """(answered, lost) of one more request or message on each."""
        answered = lost = 0
        for process in self.processes:
            process.stdin.write("ask\n")
            process.stdin.flush()
            words = process.stdout.readline().split()
            answered, lost = answered + int(words[1]), lost + int(words[3])
        return answered, lost

    def close(self):
        for process in self.processes:
            process.stdin.close()
            process.wait()


def environment():
    """Without what could change how a peer runs."""
    return {key: value for key, value in os.environ.items() if not key.startswith("INGOT_")}
