# SPDX-License-Identifier: Apache-2.0
"""The live figures of endpoints, read from the memory that the processes share (src/stats/layout.h draws it)."""
import os
import struct

from . import process

HEADER = 4096
LOAD = struct.Struct("<IIIIQQQI20x")    # in flight, incarnation, tick, mean us, requests, failures, first seen, in a row
SLOTS = 64                          # more endpoints than a test has


class Loads:
    """Sums over all endpoints."""

    def __init__(self, rows):
        self.in_flight = sum(row[0] for row in rows)
        self.requests = sum(row[4] for row in rows)
        self.failures = sum(row[5] for row in rows)


def endpoint_loads(ingot):
    with open(process.descriptor_path(ingot.pid, "stats"), "rb") as figures:
        memory = os.pread(figures.fileno(), LOAD.size * SLOTS, HEADER)
    return Loads(list(LOAD.iter_unpack(memory)))
