# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 that does what a test says, rules of flow control and all; and frames made by hand."""
import select
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from .wait import PATIENCE

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, END_HEADERS = 1, 4
Code = h2.errors.ErrorCodes


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def literal(name, value):
    """A field without compression (RFC 7541, 6.2.2), short."""
    name, value = name.encode("latin-1"), value.encode("latin-1")
    assert len(name) < 127 and len(value) < 127
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def head_block(host, path="/", method="GET", scheme="http", fields=()):
    pseudo = ((":method", method), (":scheme", scheme), (":authority", host), (":path", path))
    return b"".join(literal(name, value) for name, value in (*pseudo, *fields))


def tls_context():
    """A client that believes whoever it meets, and speaks HTTP/2."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["h2"])
    return made


def has_news(sock, timeout):
    """Within so many seconds; select takes no descriptor above 1,023, and a long run has more."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll.poll(timeout * 1000)


class Stream:
    """A request and what has come of its answer."""

    def __init__(self, number):
        self.number = number
        self.status = None
        self.headers = []
        self.body = bytearray()
        self.received = 0
        self.trailers = None
        self.informational = []
        self.ended = False
        self.reset = None               # the code of RST_STREAM
        self.takes = True               # gives credit back for what comes

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    def header(self, name):
        values = [value for field, value in self.headers if field == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def pod(self):
        return self.header("pod")

    def __repr__(self):
        return f"<{self.number}: {self.status} {self.headers} {bytes(self.body[:60])!r} {self.reset}>"


class Client:
    """One connection. Nothing is read or written but in its calls."""

    def __init__(self, address, tls=None, server_name=None, timeout=5.0, settings=None, keep=True):
        self.timeout = timeout * PATIENCE
        self.sock = socket.create_connection(address, self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname=server_name)
            assert self.sock.selected_alpn_protocol() == "h2"
        self.scheme = "http" if tls is None else "https"
        self.keep = keep                # bodies; else they are only counted
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        # python3-h2 takes the first GOAWAY for the end, and streams go on after it
        machine = self.h2.state_machine
        machine._transitions = {**machine._transitions, (
            h2.connection.ConnectionState.CLIENT_OPEN, h2.connection.ConnectionInputs.RECV_GOAWAY): (
                None, h2.connection.ConnectionState.CLIENT_OPEN)}
        # set from the beginning: a change would hold only once the other side has agreed to it
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={**dict(self.h2.local_settings), **(settings or {})})
        self.h2.initiate_connection()
        self.streams = {}
        self.goaways = []               # (code, last stream)
        self.pings = 0
        self.closed = False             # by the other side
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # -------------------------------------------------------------- sending

    def flush(self):
        self.raw(self.h2.data_to_send())

    def raw(self, data):
        try:
            if data:
                self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def request(self, host, path="/", method="GET", fields=(), end=True, pseudo=()):
        """Begins a stream; its body, if end is false, goes by send."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", self.scheme), (":authority", host),
                (":path", path), *pseudo, *fields]
        self.h2.send_headers(number, head, end_stream=end)
        self.streams[number] = Stream(number)
        self.flush()
        return self.streams[number]

    def send(self, stream, data, end=False):
        """All of it, as the windows allow."""
        view = memoryview(data)
        while True:
            room = 0
            if not stream.is_over:
                room = min(self.h2.local_flow_control_window(stream.number),
                           self.h2.max_outbound_frame_size)
            if len(view) <= room:
                break
            if room > 0:
                self.h2.send_data(stream.number, view[:room].tobytes())
                self.flush()
                view = view[room:]
                self.read(0)
            elif stream.is_over or self.closed:
                return
            else:
                self.read(self.timeout)
        self.h2.send_data(stream.number, view.tobytes(), end_stream=end)
        self.flush()

    def reset(self, stream, code=Code.CANCEL):
        self.h2.reset_stream(stream.number, code)
        self.flush()

    # -------------------------------------------------------------- receiving

    def read(self, timeout):
        """Takes what comes within that time, once. False: nothing came."""
        if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            if not has_news(self.sock, timeout):
                return False
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return False
        for event in self.h2.receive_data(data):
            self.note(event)
        self.flush()
        return True

    def note(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.error_code, event.last_stream_id))
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif stream is None:
            return
        elif isinstance(event, h2.events.InformationalResponseReceived):
            stream.informational.append(event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            stream.status = int(dict(event.headers)[":status"])
            stream.headers = [field for field in event.headers if not field[0].startswith(":")]
        elif isinstance(event, h2.events.DataReceived):
            stream.received += len(event.data)
            if self.keep:
                stream.body += event.data
            if stream.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream.number)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            stream.reset = event.error_code

    def await_(self, condition, deadline=None, what=""):
        end = time.monotonic() + (deadline or self.timeout)
        while not condition():
            left = end - time.monotonic()
            assert left > 0, f"{what or 'the condition'} did not come true"
            assert not self.closed, f"closed before {what or 'the condition'} came true"
            self.read(min(left, 0.2))
        return condition()

    def answer(self, stream, deadline=None):
        """The stream, once it is over."""
        self.await_(lambda: stream.is_over, deadline, f"the end of stream {stream.number}")
        return stream

    def get(self, host, path="/", **more):
        return self.answer(self.request(host, path, **more))

    def post(self, host, body, path="/", fields=()):
        stream = self.request(host, path, "POST", (("content-length", str(len(body))), *fields),
                              end=False)
        self.send(stream, body, end=True)
        return self.answer(stream)

    def await_end(self, deadline=None):
        """Until the other side has closed; the GOAWAYs that came."""
        end = time.monotonic() + (deadline or self.timeout)
        while not self.closed:
            assert time.monotonic() < end, "the connection stays open"
            try:
                self.read(0.2)
            except h2.exceptions.ProtocolError:
                pass
        return self.goaways


class Raw:
    """A connection for frames that no client sends."""

    def __init__(self, address, hello=True, acknowledges=True, timeout=5.0):
        self.timeout = timeout * PATIENCE
        self.sock = socket.create_connection(address, self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.frames = []                # (kind, flags, stream, payload)
        self.closed = False
        if hello:
            self.send(PREFACE + frame(SETTINGS))
            if acknowledges:
                self.await_(lambda: self.of(SETTINGS))
                self.send(frame(SETTINGS, 1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            self.closed = True

    def read(self, timeout):
        if not has_news(self.sock, timeout):
            return
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.closed |= not data
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            stream = struct.unpack(">I", self.buffer[5:9])[0] & 0x7fffffff
            self.frames.append((kind, flags, stream, self.buffer[9:9 + length]))
            self.buffer = self.buffer[9 + length:]

    def await_(self, condition, deadline=None, what=""):
        end = time.monotonic() + (deadline or self.timeout)
        while not condition():
            assert time.monotonic() < end, f"{what or 'the condition'} did not come true: {self.frames}"
            assert not self.closed, f"closed before {what or 'the condition'}: {self.frames}"
            self.read(0.2)

    def await_end(self, deadline=None):
        end = time.monotonic() + (deadline or self.timeout)
        while not self.closed:
            assert time.monotonic() < end, f"the connection stays open: {self.frames}"
            self.read(0.2)
        return self.goaway

    def of(self, kind, stream=None):
        return [found for found in self.frames
                if found[0] == kind and stream in (None, found[2])]

    @property
    def goaway(self):
        """The code of the last GOAWAY, or None."""
        found = self.of(GOAWAY)
        return Code(int.from_bytes(found[-1][3][4:8], "big")) if found else None

    def resets(self, stream=None):
        return [Code(int.from_bytes(payload, "big")) for _, _, _, payload in
                self.of(RST_STREAM, stream)]
