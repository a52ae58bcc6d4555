# SPDX-License-Identifier: Apache-2.0
"""The parent, with stand-ins for its roles (fake_role.c) that tell what happens to them."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from world.wait import free_port

BUILT = pathlib.Path(os.environ["RUN_TEST_BUILD_DIR"])
PATIENCE = 10.0


class Run:
    """A parent under test and what it and its roles said so far."""

    def __init__(self, proxy="good", control="good", port=None, admin=0, workers=1, grace_ms=5000,
                 access_log="off", flags=(), **options):
        self.port = port or free_port()
        self.lines = []
        self.news = threading.Condition()
        command = [BUILT / "run_driver", program(proxy), program(control),
                   self.port, admin, workers, grace_ms, access_log, *flags]
        self.process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE,
                                        text=True, **options)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.rstrip("\n"))
                self.news.notify_all()

    def events(self, event, fake=None, **fields):
        """What stand-ins said of that event, in order."""
        found = []
        for line in list(self.lines):
            fields_of_line = dict(re.findall(r"(\S+?)=(\S*)", line))
            wanted = dict(fields, event=event, **({"fake": fake} if fake else {}))
            if all(fields_of_line.get(name) == str(value) for name, value in wanted.items()):
                found.append(fields_of_line)
        return found

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        with self.news:
            while not condition():
                left = deadline - time.monotonic()
                assert left > 0, f"waited for {what}; so far:\n" + "\n".join(self.lines)
                self.news.wait(left)

    def await_event(self, event, count=1, **fields):
        self.wait(lambda: len(self.events(event, **fields)) >= count, f"{count} × {event} {fields}")
        return self.events(event, **fields)[count - 1]

    def await_line(self, pattern, count=1):
        def found():
            return [line for line in list(self.lines) if re.search(pattern, line)]
        self.wait(lambda: len(found()) >= count, f"{count} × /{pattern}/")
        return found()[count - 1]

    def signal(self, number):
        self.process.send_signal(number)

    def ends(self):
        return self.process.wait(PATIENCE)

    def ask(self):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as sock:
            return sock.makefile().read()


def program(name):
    """The stand-in that behaves so, or a path."""
    return name if isinstance(name, pathlib.Path) else BUILT / f"fake_role_{name}"


def is_gone(pid):
    """Also true for a process that is dead and not yet waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        os.sched_yield()


@pytest.fixture
def start():
    started = []

    def make(**options):
        started.append(Run(**options))
        return started[-1]

    yield make
    for run in started:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()


def pid_of(event):
    return int(event["pid"])


def test_a_role_has_exactly_its_descriptors(start):
    leak, other = socket.socketpair()

    run = start(workers=2, access_log="-", pass_fds=[leak.fileno()], stdout=subprocess.PIPE)
    proxy = run.await_event("started", fake="proxy", worker=1)
    control = run.await_event("started", fake="control")

    assert proxy["fds"] == "0=/dev/null,1=/dev/null,2=pipe,3=socket,4=/memfd,5=socket,6=pipe,"
    assert control["fds"] == "0=/dev/null,1=/dev/null,2=pipe,3=socket,4=/memfd,"
    leak.close()
    other.close()


def test_a_role_has_its_descriptors_even_where_ours_were_closed(start):
    def close_standard_ones():
        os.close(0)
        os.close(1)

    run = start(preexec_fn=close_standard_ones)
    proxy = run.await_event("started", fake="proxy")

    assert proxy["fds"] == "0=/dev/null,1=/dev/null,2=pipe,3=socket,4=/memfd,5=socket,"


def test_a_worker_sees_nothing_of_our_environment(start):
    run = start(env={**os.environ, "FAKE_SECRET": "token"})

    assert run.await_event("started", fake="proxy")["secret"] == "none"
    assert run.await_event("started", fake="control")["secret"] == "token"


def test_control_gets_the_flags_as_they_were_given(start):
    run = start(flags=["--manifests", "a b", "--x=1"])

    pid = pid_of(run.await_event("started", fake="control"))

    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    assert words[words.index("--"):] == ["--", "--manifests", "a b", "--x=1", ""]


def test_a_role_survives_a_pipe_that_nobody_reads(start):
    run = start()

    for fake in ("proxy", "control"):
        pid = pid_of(run.await_event("started", fake=fake))
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        ignored = int(re.search(r"SigIgn:\s*(\S+)", status)[1], 16)
        assert ignored & (1 << (signal.SIGPIPE - 1))


def test_serving_is_said_when_every_worker_is_ready(start):
    run = start(workers=2)

    run.await_line("msg=\"serving\" workers=2")

    assert len(run.events("segment")) == 2


def test_a_killed_worker_is_back_within_100_ms(start):
    run = start(workers=2)
    victim = run.await_event("started", fake="proxy", worker=1)
    run.await_line("serving")

    killed = time.monotonic()
    os.kill(pid_of(victim), signal.SIGKILL)
    successor = run.await_event("started", count=2, fake="proxy", worker=1)

    assert int(successor["at"]) / 1e9 - killed < 0.1
    assert len(run.events("started", fake="proxy", worker=0)) == 1


def test_later_deaths_wait_longer(start):
    run = start(control="good", proxy="crashing")

    run.await_event("started", count=4, fake="proxy")

    delays = [int(d) for d in re.findall(r"restart_ms=(\d+)", "\n".join(run.lines))][:3]
    assert delays[0] == 0
    assert 80 <= delays[1] <= 120
    assert 400 <= delays[2] <= 600
    started = [int(event["at"]) / 1e9 for event in run.events("started", fake="proxy")]
    assert started[2] - started[1] >= 0.08
    assert started[3] - started[2] >= 0.4


def test_connections_that_wait_are_served_by_the_successor(start):
    run = start()
    first = run.await_event("started", fake="proxy")
    run.await_line("serving")

    os.kill(pid_of(first), signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", run.port), PATIENCE) as waiting:
        os.kill(pid_of(first), signal.SIGKILL)
        answer = waiting.makefile().read()

    successor = run.await_event("started", count=2, fake="proxy")
    assert answer == f"worker 0 pid {successor['pid']}\n"


def test_control_hears_of_a_dead_worker_and_meets_its_successor(start):
    run = start(workers=2)
    run.await_event("ack", count=2)

    os.kill(pid_of(run.events("started", fake="proxy", worker=0)[0]), signal.SIGKILL)

    assert run.await_event("worker-gone", gone=0)["deaths"] == "1"
    successor = run.await_event("started", count=2, fake="proxy", worker=0)
    meeting = run.await_event("peer", count=2, fake="control", peer=0)
    assert meeting["number"] == successor["pid"]
    run.await_event("ack", count=2, **{"from": 0})
    assert len(run.events("peer", fake="control", peer=1)) == 1


def test_a_new_control_meets_every_worker(start):
    run = start(workers=2)
    run.await_event("ack", count=2)

    os.kill(pid_of(run.events("started", fake="control")[0]), signal.SIGKILL)

    for worker in (0, 1):
        run.await_event("segment", count=2, worker=worker)
        run.await_event("ack", count=2, **{"from": worker})
    assert len(run.events("started", fake="proxy")) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_workers_first_and_control_last(start, number):
    run = start(workers=2, grace_ms=7000)
    run.await_line("serving")

    run.signal(number)
    status = run.ends()

    assert status == 0
    stops = [run.await_event("stop", fake="control", number=0),
             run.await_event("stop", fake="proxy", worker=0, number=7000),
             run.await_event("stop", fake="proxy", worker=1, number=7000)]
    end = run.await_event("end", fake="control")
    assert max(int(event["at"]) for event in stops) < int(end["at"])


def test_nobody_listens_any_more_while_requests_finish(start):
    run = start(proxy="deaf")
    run.await_line("serving")

    run.signal(signal.SIGTERM)
    run.await_event("stop", fake="proxy")

    def refused():
        try:
            run.ask()
        except OSError:
            return True
        return False
    eventually(refused, "a refused connection")
    assert run.process.poll() is None


def test_a_worker_that_does_not_finish_in_time_is_killed(start):
    run = start(proxy="deaf", grace_ms=100)
    run.await_line("serving")

    run.signal(signal.SIGTERM)

    assert run.ends() == 0
    run.await_line("time to stop is over")
    assert run.events("end", fake="control")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(start, number):
    run = start(proxy="deaf", grace_ms=60000)
    run.await_line("serving")
    run.signal(signal.SIGTERM)
    run.await_event("stop", fake="proxy")

    run.signal(number)

    assert run.ends() == 128 + number
    for event in run.events("started"):
        assert is_gone(pid_of(event))


def test_a_dead_worker_is_not_replaced_while_stopping(start):
    run = start(proxy="deaf", workers=2, grace_ms=60000)
    run.await_line("serving")
    run.signal(signal.SIGTERM)
    run.await_event("stop", count=2, fake="proxy")

    for event in run.events("started", fake="proxy"):
        os.kill(pid_of(event), signal.SIGKILL)

    assert run.ends() == 0
    assert len(run.events("started", fake="proxy")) == 2


def test_sighup_reopens_the_log_and_rereads(start, tmp_path):
    log = tmp_path / "access.log"
    run = start(access_log=log)
    run.await_line("serving")
    assert log.read_text() == "started\n"

    log.rename(tmp_path / "old.log")
    run.signal(signal.SIGHUP)
    run.await_event("access-log", fake="proxy")
    run.await_event("reread", fake="control")
    os.kill(pid_of(run.events("started", fake="proxy")[0]), signal.SIGKILL)
    run.await_event("started", count=2, fake="proxy")

    assert log.read_text() == "again\nstarted\n"
    assert (tmp_path / "old.log").read_text() == "started\n"


def test_a_log_that_cannot_be_reopened_is_written_on(start, tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    log = directory / "access.log"
    run = start(access_log=log)
    run.await_line("serving")

    directory.rename(tmp_path / "moved")
    run.signal(signal.SIGHUP)
    run.await_event("reread", fake="control")
    os.kill(pid_of(run.events("started", fake="proxy")[0]), signal.SIGKILL)
    run.await_event("started", count=2, fake="proxy")

    run.await_line("cannot open the access log")
    assert (tmp_path / "moved" / "access.log").read_text() == "started\nstarted\n"


@pytest.mark.parametrize("busy", ["port", "admin"])
def test_a_busy_port_is_fatal_at_start(start, busy):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        run = start(**{busy: port})

        assert run.ends() == 2
        run.await_line(f"cannot listen on 127.0.0.1:{port}: another program has the port")
        assert not run.events("started")


def test_a_second_instance_does_not_share_the_port(start):
    first = start()
    first.await_line("serving")

    second = start(port=first.port)

    assert second.ends() == 2
    second.await_line("another program has the port")


@pytest.mark.parametrize("role", ["proxy", "control"])
def test_a_role_that_cannot_start_ends_the_start(start, role):
    run = start(**{role: "failing"})

    assert run.ends() == 2
    run.await_line(f"cannot start.*name={role}")
    for event in run.events("started"):
        assert is_gone(pid_of(event))


def test_a_program_that_cannot_be_run_ends_the_start(start, tmp_path):
    text = tmp_path / "program"
    text.write_text("no program\n")
    text.chmod(0o755)

    run = start(proxy=text)

    assert run.ends() == 2
    run.await_line("cannot start a process: Exec format error")
    for event in run.events("started"):
        assert is_gone(pid_of(event))


def test_an_upgrade_on_disk_does_not_mix_versions(start, tmp_path):
    installed = tmp_path / "ingot"
    shutil.copy(program("good"), installed)
    run = start(proxy=installed)
    run.await_line("serving")

    installed.unlink()
    shutil.copy(program("failing"), installed)
    os.kill(pid_of(run.events("started", fake="proxy")[0]), signal.SIGKILL)

    run.await_event("segment", count=2, fake="proxy")


def test_an_access_log_that_cannot_be_opened_ends_the_start(start, tmp_path):
    run = start(access_log=tmp_path / "missing" / "access.log")

    assert run.ends() == 2
    run.await_line("cannot open the access log .*No such file")


@pytest.mark.parametrize("mode, reason", [("hanging_up", "left its channel"),
                                          ("babbling", "said what it may not say")])
def test_a_role_that_misbehaves_is_replaced(start, mode, reason):
    run = start(proxy=mode)

    run.await_line(reason)

    run.await_event("started", count=2, fake="proxy")


def test_a_worker_that_control_expels_is_replaced_and_its_successor_spared(start):
    run = start(control="expelling")

    run.await_line('worker is ended because control asks for it.*reason="it is a fake"')

    # the first may be gone before it could say anything
    first, second = run.await_event("peer", fake="control"), run.await_event("peer", count=2, fake="control")
    assert first["number"] != second["number"]
    run.await_line("serving")
    assert run.await_event("segment", fake="proxy", pid=second["number"])
    assert len(run.events("peer", fake="control")) == 2


def test_roles_die_with_their_parent(start):
    run = start(workers=2)
    run.await_line("serving")

    run.process.kill()

    for event in run.events("started"):
        eventually(lambda pid=pid_of(event): is_gone(pid), f"the end of {event}")


def test_a_role_ignores_the_signals_of_the_terminal(start):
    run = start()
    run.await_line("serving")

    for event in run.events("started"):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid_of(event), number)

    assert run.ask().startswith("worker 0")
    run.signal(signal.SIGTERM)
    assert run.ends() == 0
    assert len(run.events("started")) == 2
