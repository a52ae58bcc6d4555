# SPDX-License-Identifier: Apache-2.0
"""The example does what its README says."""
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from world import process
from world.ingot import ALARMS, BINARY
from world.wait import PATIENCE, eventually

EXAMPLE = pathlib.Path(__file__).parent.parent.parent / "examples" / "portal"


@pytest.fixture
def running(place):
    """run.sh in the foreground of a process group of its own, as in a terminal."""
    output = place / "output"
    with output.open("wb") as log:
        # whoever started the tests in the background has SIGINT ignored, which a shell cannot undo
        script = subprocess.Popen(["env", "--default-signal=INT", EXAMPLE / "run.sh", BINARY],
                                  stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    eventually(lambda: script.poll() is not None or "Ctrl-C" in output.read_text(), 20)
    script.output = output
    yield script
    if script.poll() is None:
        script.terminate()
        script.wait(20 * PATIENCE)
    assert not ALARMS.search(output.read_text()), output.read_text()


def descendants(pid):
    found = []
    for child in process.children(pid):
        found += [child, *descendants(child)]
    return found


def test_each_route_answers_as_the_readme_says(running):
    assert running.poll() is None, running.output.read_text()

    said = subprocess.run([EXAMPLE / "try.sh"], capture_output=True, text=True, check=True).stdout

    assert said == (EXAMPLE / "expected.txt").read_text()
    assert all(line in (EXAMPLE / "README.md").read_text() for line in said.splitlines())


def test_ctrl_c_ends_all_of_it(running):
    assert running.poll() is None, running.output.read_text()
    started = descendants(running.pid)
    assert len(started) >= 7 + 2 * 4

    running.send_signal(signal.SIGINT)

    assert running.wait(20 * PATIENCE) == 0
    eventually(lambda: not any(process.is_running(pid) for pid in started))


def test_the_curl_lines_it_prints_work(running):
    assert running.poll() is None, running.output.read_text()
    lines = re.findall(r"^  (curl .*?127\.0\.0\.1\S+) +(.*)$", running.output.read_text(), re.M)
    assert len(lines) >= 7

    for line, meaning in lines:
        run = subprocess.run(["sh", "-c", f"{line} -s -w '\\n%{{http_code}}'"],
                             capture_output=True, text=True, check=True)
        wanted = "404" if meaning.startswith("404") else "200"
        assert run.stdout.splitlines()[-1] == wanted, line


def test_a_busy_port_is_told_and_nothing_is_left_running():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 9101))
        other.listen()

        run = subprocess.run([EXAMPLE / "run.sh", BINARY], capture_output=True, text=True,
                             timeout=60 * PATIENCE, check=False)

    assert run.returncode == 1
    assert "127.0.0.1:9101" in run.stderr
    assert "another program has the port" in run.stderr


def test_the_end_of_a_process_ends_the_example(running):
    assert running.poll() is None, running.output.read_text()
    started = descendants(running.pid)

    os.kill(process.children(running.pid)[0], signal.SIGKILL)

    assert running.wait(20 * PATIENCE) == 1
    eventually(lambda: not any(process.is_running(pid) for pid in started))
