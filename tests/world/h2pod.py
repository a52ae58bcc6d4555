# SPDX-License-Identifier: Apache-2.0
"""Pods that speak HTTP/2, rules of flow control and all, and what no server sends where a test says so.

An answer is a function of (call), called when the request is complete. It may respond, or leave that to the test, which
finds the call in pod.calls.
"""
import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from .wait import eventually


def h1_only(sock):
    """Takes what comes for HTTP/1.1, which it is not."""
    sock.recv(1 << 16)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Call:
    """A request, and what goes back."""

    def __init__(self, connection, number, head):
        self.connection, self.number = connection, number
        self.fields = head              # pseudo fields too
        self.body = bytearray()
        self.trailers = []
        self.ended = False
        self.reset = None               # code of the other side's RST_STREAM
        self.unsent = bytearray()       # of the response
        self.last = None                # trailers, when nothing comes after unsent
        self.sent = 0

    def header(self, name):
        values = [value for field, value in self.fields if field == name]
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def head(self, status=200, fields=(), end=False):
        with self.connection.lock:
            self.connection.h2.send_headers(self.number, [(":status", str(status)), *fields], end)
            self.connection.flush()

    def inform(self, status, fields=()):
        self.head(status, fields)

    def send(self, data=b"", end=False, trailers=()):
        """As the windows allow, now and later."""
        with self.connection.lock:
            self.unsent += data
            if end:
                self.last = list(trailers)
            self.pump()
            self.connection.flush()

    def pump(self):
        made = self.connection.h2
        while self.unsent:
            room = min(made.local_flow_control_window(self.number), made.max_outbound_frame_size)
            if room <= 0:
                return
            piece = bytes(self.unsent[:room])
            del self.unsent[:room]
            self.sent += len(piece)
            made.send_data(self.number, piece, self.last == [] and not self.unsent)
        if self.last and self.reset is None:
            made.send_headers(self.number, self.last, end_stream=True)
        elif self.last == [] and not self.sent:
            made.end_stream(self.number)
        if self.last is not None:
            self.connection.sending.discard(self)

    def respond(self, body=b"", status=200, fields=(), trailers=()):
        with self.connection.lock:
            self.head(status, fields)
            self.connection.sending.add(self)
            self.send(body, True, trailers)

    def refuse(self, code):
        with self.connection.lock:
            self.connection.h2.reset_stream(self.number, code)
            self.connection.flush()


class Connection:
    def __init__(self, pod, sock):
        self.pod, self.sock = pod, sock
        self.lock = threading.RLock()
        self.calls = {}
        self.sending = set()
        self.goaway = None              # code of the other side's
        self.is_open = True
        self.deaf = False               # nothing that comes is looked at, as if the machine were gone
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False,
            normalize_outbound_headers=False))
        self.set(pod.settings)

    def set(self, settings):
        """What it says of itself first."""
        # a later update would not be announced by initiate_connection
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100, **settings})

    def flush(self):
        self.raw(self.h2.data_to_send())

    def raw(self, data):
        """Frames made by hand, or nothing."""
        try:
            with self.lock:
                self.sock.sendall(data)
        except OSError:
            self.is_open = False

    def close(self):
        """As a process does that ends, without a word."""
        self.is_open = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def serve(self):
        if self.pod.greets is not None:
            self.pod.greets(self)
        with self.lock:
            self.h2.initiate_connection()
            self.flush()
        try:
            while self.is_open and (data := self.sock.recv(1 << 18)):
                if self.deaf:
                    continue
                with self.lock:
                    for event in self.h2.receive_data(data):
                        self.note(event)
                    self.flush()
        except h2.exceptions.ProtocolError as error:
            if self.is_open and not self.pod.careless:
                self.pod.faults.append(repr(error))
        except OSError:
            pass
        self.is_open = False
        self.sock.close()

    def note(self, event):
        call = self.calls.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RequestReceived):
            call = Call(self, event.stream_id, event.headers)
            self.calls[event.stream_id] = call
            self.pod.calls.append(call)
            if self.pod.early is not None:
                self.pod.early(call)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        elif isinstance(event, h2.events.PingReceived):
            self.pod.pings += 1
        elif isinstance(event, h2.events.WindowUpdated):
            for waiting in list(self.sending):
                waiting.pump()
        elif call is None:
            return
        elif isinstance(event, h2.events.DataReceived):
            call.body += event.data
            if self.pod.takes and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, call.number)
        elif isinstance(event, h2.events.TrailersReceived):
            call.trailers = event.headers
        elif isinstance(event, h2.events.StreamReset):
            call.reset = event.error_code
            self.sending.discard(call)
        elif isinstance(event, h2.events.StreamEnded):
            call.ended = True
            self.pod.answer(call)


class H2Pod:
    def __init__(self, name="pod", answer=None, early=None, settings=None, takes=True, careless=False,
                 tls=None, instead=None, port=0, greets=None):
        """early: called when the head is there; takes: gives windows back; careless: what comes need not obey the
        rules, because the pod does not; instead: speaks for the pod, given the socket; greets: called with a new
        connection before its SETTINGS go out."""
        self.name, self.takes, self.careless = name, takes, careless
        self.answer = answer or (lambda call: call.respond(
            f"{name} {call.header(':path')}\n".encode(), fields=[("pod", name)]))
        self.early, self.instead, self.tls = early, instead, tls
        self.settings, self.greets = settings or {}, greets
        self.calls, self.connections, self.faults = [], [], []
        self.accepted = self.pings = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.address, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.begin, args=(sock,), daemon=True).start()

    def begin(self, sock):
        try:
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
            if self.instead is not None:
                self.instead(sock)
                sock.close()
                return
        except OSError:
            return
        made = Connection(self, sock)
        self.connections.append(made)
        made.serve()

    @property
    def open_connections(self):
        return sum(made.is_open for made in self.connections)

    def await_calls(self, count, deadline=5.0):
        eventually(lambda: len(self.calls) >= count, deadline, f"pod {self.name} getting request {count}")
        return self.calls[:count]

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for made in list(self.connections):
            made.close()
