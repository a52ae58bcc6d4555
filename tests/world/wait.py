# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, and the ports that a test may use."""
import itertools
import os
import socket
import time

# Sanitizers make everything slower, so deadlines are stretched for them; nothing waits longer than it must.
SANITIZED = "asan" in os.environ.get("INGOT_BUILD", "")
PATIENCE = 4.0 if SANITIZED else 1.0

# Below the range that the kernel takes local ports of connections from.
_ports = itertools.count(10_000 + os.getpid() * 37 % 20_000)
_claims = []


def eventually(condition, deadline=5.0, what=""):
    """Calls condition until it gives something true, and gives that back. Errors of a world that is still changing
    count as false; the last one is shown when time is over."""
    end = time.monotonic() + deadline * PATIENCE
    last = None
    while True:
        try:
            result = condition()
            if result:
                return result
            last = f"it gives {result!r}"
        except (AssertionError, OSError, KeyError, EOFError, ValueError) as error:
            last = repr(error)
        if time.monotonic() > end:
            raise AssertionError(f"{what or 'the condition'} did not come true within "
                                 f"{deadline * PATIENCE:.0f} s: {last}")
        time.sleep(0.005)  # the pause between two looks, not a time to wait for


def never(condition, during=0.3, what=""):
    """Looks for a while whether something happens that must not."""
    end = time.monotonic() + during
    while time.monotonic() < end:
        assert not condition(), f"{what or 'the condition'} came true"
        time.sleep(0.005)  # the pause between two looks


def free_port():
    """A port on 127.0.0.1 that nobody has, that no connection will take by chance, and that no other test process
    of this machine is given until this one ends."""
    for port in itertools.islice(_ports, 20_000):
        port = 10_000 + port % 20_000
        if _claim(port) and _is_unused(port):
            return port
    raise AssertionError("no free port")


def _claim(port):
    """A name in the abstract namespace is given once, and comes back with the end of its process however it ends."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0ingot-test-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_unused(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
