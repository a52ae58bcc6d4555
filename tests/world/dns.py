# SPDX-License-Identifier: Apache-2.0
"""A name server for tests: a dictionary, over UDP."""
import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
NXDOMAIN = 3


class NameServer:
    """names: {"a.test": ["127.0.0.1", …]}; a name that is missing does not exist."""

    def __init__(self, address="127.0.0.1", port=53, ttl=1):
        self.names = {}
        self.ttl = ttl
        self.silent = False
        self.queries = []           # (name, type) as they came
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.sock.settimeout(0.05)
        self.running = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while self.running:
            try:
                query, client = self.sock.recvfrom(4096)
            except TimeoutError:
                continue
            answer = self._answer(query)
            if not self.silent:
                self.sock.sendto(answer, client)

    def _answer(self, query):
        name, at = read_name(query, 12)
        kind, = struct.unpack_from(">H", query, at)
        self.queries.append((name, kind))
        question = query[12:at + 4]
        addresses = self.names.get(name)
        records = []
        for address in addresses or []:
            packed = ipaddress.ip_address(address).packed
            if (kind, len(packed)) in ((A, 4), (AAAA, 16)):
                records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(packed)) +
                               packed)
        code = NXDOMAIN if addresses is None else 0
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        return head + question + b"".join(records)

    def stop(self):
        self.running = False
        self.thread.join()
        self.sock.close()


def read_name(message, at):
    labels = []
    while message[at]:
        length = message[at]
        labels.append(message[at + 1:at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower(), at + 1
