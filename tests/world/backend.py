# SPDX-License-Identifier: Apache-2.0
"""Pods: small HTTP/1.1 servers that record what arrives and behave as a test wants them to.

An answer is a function of (wire, request), called when the head of a request is there. It reads the body or does not,
sends what it likes, and returns; then the next request of the connection is read, unless the wire was closed.
"""
import re
import socket
import struct
import threading
import time

from .client import Closed, Malformed, Reader
from .wait import PATIENCE, eventually

REQUEST_LINE = re.compile(rb"^([A-Z][A-Z0-9-]*) ([\x21-\x7e]+) HTTP/1\.1$")


class Request:
    """A request as it arrived, read strictly."""

    def __init__(self, line, headers, connection):
        match = REQUEST_LINE.match(line)
        if not match:
            raise Malformed(f"request line {line!r}")
        self.method = match[1].decode()
        self.target = match[2].decode()
        self.headers = headers
        self.connection = connection    # number of the connection, from 1
        self.body = None                # None until it was read whole
        self.trailers = []
        lengths, encoding = self.all("Content-Length"), self.all("Transfer-Encoding")
        if len(lengths) > 1 or len(encoding) > 1 or (lengths and encoding):
            raise Malformed(f"framing of {headers}")
        if encoding and encoding[0] != "chunked":
            raise Malformed(f"transfer coding {encoding}")
        self.chunked = bool(encoding)
        self.length = int(lengths[0]) if lengths else 0
        if len(self.all("Host")) != 1:
            raise Malformed(f"Host of {headers}")

    def all(self, name):
        return [value for field, value in self.headers if field.lower() == name.lower()]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.method} {self.target} {self.headers}>"


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.resumed = getattr(sock, "session_reused", None)    # over TLS: whether it goes on with a session
        self.reader = Reader(sock)
        self.sent = 0
        self.is_open = True
        self.keep = True            # read another request when the answer is done

    def send(self, *pieces):
        for piece in pieces:
            piece = piece if isinstance(piece, bytes) else piece.encode("latin-1")
            self.sock.sendall(piece)
            self.sent += len(piece)

    def respond(self, body=b"", status="200 OK", headers=()):
        """A whole, ordinary response."""
        body = body if isinstance(body, bytes) else body.encode()
        lines = [f"HTTP/1.1 {status}"] + [f"{name}: {value}" for name, value in headers]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)

    def read_body(self, request):
        if request.chunked:
            request.body, request.trailers = self.reader.chunked()
        else:
            request.body = self.reader.exactly(request.length)
        return request.body

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.is_open = self.keep = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def linger(self):
        """Closes so that what was sent arrives although there are bytes that nobody read: without a reset."""
        self.half_close()
        while self.reader.fill():
            self.reader.take(len(self.reader.bytes))
        self.close()

    def reset(self):
        self.is_open = self.keep = False
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def peer_closed(self):
        """Waits for the other side to end the connection; False when it sends more instead."""
        try:
            return not self.reader.fill()
        except ConnectionResetError:
            return True
        except OSError:
            return True


def name_and_body(backend):
    """The usual answer: who answers, in a field, and the path in the body."""
    def answer(wire, request):
        wire.read_body(request)
        wire.respond(f"{backend.name} {request.target}\n", headers=[("Pod", backend.name)])
    return answer


class Backend:
    """A pod: a listening socket, a thread for each connection."""

    def __init__(self, name="pod", answer=None, address="127.0.0.1", port=0, backlog=128, tls=None):
        """tls: an ssl.SSLContext, for a pod that speaks it."""
        self.name = name
        self.tls = tls
        self.handshake_faults = []  # why connections came to nothing
        self.answer = answer or name_and_body(self)
        self.lock = threading.Lock()
        self.requests = []          # heads as they came; bodies are filled in when they are read
        self.faults = []            # what could not be read: must be empty at the end of a test
        self.wires = []
        self.listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(backlog)
        self.address, self.port = self.listener.getsockname()[:2]
        self.running = True
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.running:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is None:
                begin, what = self._serve, self._add(sock)
            else:
                begin, what = self._shake_hands, sock
            threading.Thread(target=begin, args=(what,), daemon=True).start()

    def _add(self, sock):
        with self.lock:
            wire = Wire(sock, len(self.wires) + 1)
            self.wires.append(wire)
            return wire

    def _shake_hands(self, sock):
        try:
            sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError as error:
            self.handshake_faults.append(str(error))
            sock.close()
            return
        self._serve(self._add(sock))

    def _serve(self, wire):
        try:
            while wire.keep and self._one(wire):
                pass
        except Closed:
            pass
        except Malformed as error:
            self.faults.append(str(error))
        except OSError:
            pass
        if wire.is_open:
            wire.close()

    def _one(self, wire):
        if not wire.reader.bytes and not wire.reader.fill():
            return False
        request = Request(wire.reader.line(), wire.reader.fields(), wire.number)
        with self.lock:
            self.requests.append(request)
        self.answer(wire, request)
        return True

    @property
    def connections(self):
        """How many were accepted so far."""
        return len(self.wires)

    @property
    def open_connections(self):
        return sum(wire.is_open for wire in self.wires)

    @property
    def last(self):
        """The request that came last."""
        return self.requests[-1]

    def await_requests(self, count, deadline=5.0):
        eventually(lambda: len(self.requests) >= count, deadline,
                   f"pod {self.name} getting request {count}")
        return self.requests[count - 1]

    def await_body(self, request, deadline=5.0):
        eventually(lambda: request.body is not None, deadline, "the body of a request")
        return request.body

    def close_idle(self):
        """Ends every connection, as a server does whose keep-alive time is over."""
        for wire in list(self.wires):
            if wire.is_open:
                wire.close()

    def stop(self):
        self.running = False
        # a thread in accept holds the socket; shutdown wakes it
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.close_idle()


# ------------------------------------------------------------------ ways to misbehave

def late(backend, pause):
    """The usual answer of a pod that is slow: the pause is the misbehaviour."""
    prompt = name_and_body(backend)

    def answer(wire, request):
        time.sleep(pause * PATIENCE)
        prompt(wire, request)
    return answer


def plain(text, status="200 OK", headers=()):
    """Reads the body, answers with this."""
    def answer(wire, request):
        wire.read_body(request)
        wire.respond(text, status, headers)
    return answer


def raw(*pieces, then="keep"):
    """Reads the body, sends these bytes as they are, then keeps, closes, resets or half-closes the connection."""
    def answer(wire, request):
        wire.read_body(request)
        wire.send(*pieces)
        finish(wire, then)
    return answer


def without_reading(*pieces, then="close"):
    """Sends bytes and does not look at the request's body."""
    def answer(wire, request):
        wire.send(*pieces)
        finish(wire, then)
    return answer


def finish(wire, then):
    if then == "close":
        wire.close()
    elif then == "reset":
        wire.reset()
    elif then == "half_close":
        wire.half_close()
        wire.peer_closed()
        wire.close()
    else:
        assert then == "keep"


def silent(release=None):
    """Takes the request and says nothing, until the other side goes away or the event is set."""
    def answer(wire, request):
        if release is not None:
            release.wait(60)
            wire.read_body(request)
            wire.respond("released")
            return
        while wire.reader.fill():
            wire.reader.take(len(wire.reader.bytes))
        wire.keep = False
    return answer


def drip(head, body, pause):
    """Sends the body byte by byte: the pause is the misbehaviour, nobody waits for it."""
    def answer(wire, request):
        wire.read_body(request)
        wire.send(head)
        for byte in body:
            time.sleep(pause * PATIENCE)
            wire.send(bytes([byte]))
    return answer


def gigabytes(size, block=b"x" * (1 << 18)):
    """A large body with a length, made while it is sent."""
    def answer(wire, request):
        wire.read_body(request)
        wire.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
        left = size
        while left > 0:
            left -= wire.sock.send(memoryview(block)[:left])
    return answer


def counting(sink):
    """Counts the bytes of a body without keeping them: sink(total) after each piece."""
    def answer(wire, request):
        total = 0
        left = request.length
        while left > 0:
            if not wire.reader.bytes and not wire.reader.fill():
                raise Closed("body")
            piece = wire.reader.take(left)
            left -= len(piece)
            total += len(piece)
            sink(total)
        wire.respond(str(total))
    return answer


def first_time(once, afterwards):
    """One answer for the first request of all, another for the rest."""
    state = {"first": True}
    lock = threading.Lock()

    def answer(wire, request):
        with lock:
            first, state["first"] = state["first"], False
        (once if first else afterwards)(wire, request)
    return answer
