# SPDX-License-Identifier: Apache-2.0
"""WebSockets by hand (RFC 6455): the handshake of both ends, and frames."""
import base64
import hashlib
import os
import struct

from .backend import plain

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def new_key():
    return base64.b64encode(os.urandom(16)).decode()


def accept_for(key):
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def handshake(host, target="/", key=None, **extra):
    """The request of a client, as bytes."""
    fields = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Key": key or new_key(), "Sec-WebSocket-Version": "13", **extra}
    lines = [f"GET {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines + ["", ""]).encode()


def switching(key, **extra):
    """The answer of a server, as bytes."""
    fields = {"Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Accept": accept_for(key), **extra}
    lines = ["HTTP/1.1 101 Switching Protocols"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines + ["", ""]).encode()


def frame(payload, opcode=TEXT, masked=True):
    payload = payload.encode() if isinstance(payload, str) else payload
    head = bytes([0x80 | opcode])
    mark = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mark | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([mark | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mark | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def read_frame(reader):
    """(opcode, payload) from a Reader."""
    first, second = reader.exactly(2)
    length = second & 0x7f
    if length == 126:
        length = struct.unpack(">H", reader.exactly(2))[0]
    elif length == 127:
        length = struct.unpack(">Q", reader.exactly(8))[0]
    mask = reader.exactly(4) if second & 0x80 else None
    payload = reader.exactly(length)
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return first & 0x0f, payload


def echoing(wire, request):
    """A pod that opens the WebSocket and sends each message back."""
    if request.header("Upgrade") != "websocket":
        return plain("no websocket")(wire, request)
    assert request.header("Connection").lower() == "upgrade"
    wire.send(switching(request.header("Sec-WebSocket-Key")))
    while True:
        opcode, payload = read_frame(wire.reader)
        wire.send(frame(payload, opcode, masked=False))
        if opcode == CLOSE:
            return wire.close()
