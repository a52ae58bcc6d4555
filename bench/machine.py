# SPDX-License-Identifier: Apache-2.0
"""What the kernel says: CPU time, memory, descriptors and noise."""
import datetime
import os
import pathlib
import re
import resource
import subprocess

TICK = os.sysconf("SC_CLK_TCK")
MB = 1e6


def cpu_list(text):
    """'0,2-3' -> {0, 2, 3}"""
    cpus = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def pinned(cpus):
    """A preexec_fn that holds the new process to these CPUs; None leaves it free."""
    return (lambda: os.sched_setaffinity(0, cpus)) if cpus else None


def raise_descriptors(wanted=200_000):
    """Raises the limit of descriptors as far as is allowed and gives it; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((wanted, max(wanted, hard)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return limit[0]
        except (ValueError, OSError):
            continue
    return soft


# ------------------------------------------------------------------ processes

def _stat(pid):
    """The fields of /proc/PID/stat behind the name: [0] is the state, [1] the parent."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def tree(pid):
    """A process and all its descendants."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children(one)
    return found


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def cpu_time(pids):
    """(user, system) seconds that these processes used so far, with children of theirs that have ended."""
    user = system = 0
    for pid in pids:
        try:
            fields = _stat(pid)
        except OSError:
            continue
        user += int(fields[11]) + int(fields[13])
        system += int(fields[12]) + int(fields[14])
    return user / TICK, system / TICK


class Memory:
    """Bytes that a process has for itself, and of the sealed memory (memfd) that it shares.

    A memfd that one process alone has mapped counts as private for the kernel; it is told apart here, because
    it is there once, whatever the number of workers."""

    def __init__(self, pid):
        self.private = self.table = 0
        name = ""
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line)
            if head:
                name = head[1]
                continue
            key, _, value = line.partition(":")
            if name.startswith("/memfd:"):
                self.table += int(value.split()[0]) * 1024 if key == "Rss" else 0
            elif key in ("Private_Clean", "Private_Dirty"):
                self.private += int(value.split()[0]) * 1024


def private_bytes(pids):
    """Of those that are still there: a process of a peer may end while it is looked at."""
    total = 0
    for pid in pids:
        try:
            total += Memory(pid).private
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


# ------------------------------------------------------------------ the machine

class Cpus:
    """Ticks of these CPUs since boot: busy (interrupts included), and taken by the hypervisor."""

    def __init__(self, cpus):
        self.busy = self.stolen = 0
        for line in pathlib.Path("/proc/stat").read_text().splitlines():
            match = re.match(r"cpu(\d+) (.*)", line)
            if match and int(match[1]) in cpus:
                ticks = [int(field) for field in match[2].split()]
                self.busy += (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / TICK
                self.stolen += ticks[7] / TICK


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "?"
    return ((done.stdout + done.stderr).strip().splitlines() or ["?"])[0]


def describe(top):
    """What a figure must be read with: date, machine, kernel, revision."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    dirty = subprocess.run(["git", "-C", str(top), "status", "--porcelain", "-uno"],
                           capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": model[1] if model else "?",
        "cpus": os.cpu_count(),
        "kernel": os.uname().release,
        "revision": first_line(["git", "-C", str(top), "rev-parse", "--short", "HEAD"])
                    + (" with changes" if dirty else ""),
    }
