# SPDX-License-Identifier: Apache-2.0
"""What /proc says about processes. Roles of Ingot show their insides to root alone; a test that asks is skipped for
others. (`./dev test` gives ordinary users a user namespace, in which they are root.)"""
import functools
import os
import pathlib
import resource

import pytest


def needs_insight(function):
    """Skips the test where the kernel does not let us look."""
    @functools.wraps(function)
    def look(*arguments):
        try:
            return function(*arguments)
        except PermissionError as error:
            pytest.skip(f"root alone may look: {error}")
    return look


def children(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in tasks.read_text().split()]


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def is_stopped(pid):
    """SIGSTOP has reached it."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def status_bytes(pid, field):
    """A size from /proc/PID/status: VmRSS, RssAnon …"""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field}")


def resident_bytes(pid):
    return status_bytes(pid, "VmRSS")


@needs_insight
def remembers(pid, needle):
    """Whether these bytes lie anywhere in the memory of the process."""
    largest = 256 << 20     # what is larger is room that a sanitizer has set aside
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or end - begin > largest or "[v" in line:
                continue
            try:
                memory.seek(begin)
                if needle in memory.read(end - begin):
                    return True
            except OSError:     # it has gone meanwhile
                continue
    return False


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_nanoseconds(pid):
    """How long it has been on a CPU."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


@needs_insight
def descriptors(pid):
    """What the open descriptors of a process are."""
    found = []
    directory = pathlib.Path(f"/proc/{pid}/fd")
    for entry in directory.iterdir():
        try:
            found.append(os.readlink(entry))
        except FileNotFoundError:
            continue
    return found


@needs_insight
def descriptor_numbers(pid):
    return {int(entry.name) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()}


@needs_insight
def descriptor_path(pid, word):
    """A way to open again what a process has open and what has that word in its name."""
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if word in os.readlink(entry):
            return entry
    raise AssertionError(f"process {pid} has no {word}")


@needs_insight
def limit_descriptors(pid, end):
    """Numbers from `end` on are not given to that process any more."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (end, end))


@needs_insight
def mapped_files(pid):
    """The files that a process has mapped."""
    files = set()
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        if len(parts) == 6 and parts[5].startswith("/"):
            files.add(parts[5])
    return files


@needs_insight
def mapping_count(pid, word):
    """How many mappings have that word in their line."""
    return pathlib.Path(f"/proc/{pid}/maps").read_text().count(word)


@needs_insight
def executable(pid):
    return os.readlink(f"/proc/{pid}/exe")
