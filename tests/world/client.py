# SPDX-License-Identifier: Apache-2.0
"""A client of raw bytes with a strict reader of responses: what it cannot read exactly is an error."""
import re
import socket
import struct

from .wait import PATIENCE

STATUS_LINE = re.compile(rb"^HTTP/1\.([01]) ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)$")
NAME = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
LIMIT = 1 << 20


class Malformed(AssertionError):
    """The peer sent what is no HTTP."""


class Closed(EOFError):
    """The connection ended in the middle of something."""


class Response:
    def __init__(self, version, status, reason, headers):
        self.version = version
        self.status = status
        self.reason = reason
        self.headers = headers      # [(name, value)] as received
        self.body = b""
        self.trailers = []
        self.informational = []     # responses with 1xx before it
        self.framing = "none"       # none, length, chunked, close
        self.complete = False       # its end was seen

    def all(self, name):
        return [value for field, value in self.headers if field.lower() == name.lower()]

    def header(self, name):
        """The one value of a field, or None. Several are an error."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def pod(self):
        return self.header("Pod")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:80]!r}>"


def parse_fields(lines):
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not NAME.match(name):
            raise Malformed(f"field line {line!r}")
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise Malformed(f"control byte in {line!r}")
        fields.append((name.decode("ascii"), value.strip(b" \t").decode("latin-1")))
    return fields


class Reader:
    """Bytes of a socket, read piece by piece."""

    def __init__(self, sock):
        self.sock = sock
        self.bytes = b""
        self.received = 0       # bytes so far
        self.at_end = False

    def fill(self):
        """More bytes; False at the end."""
        if self.at_end:
            return False
        piece = self.sock.recv(1 << 16)
        self.at_end = not piece
        self.bytes += piece
        self.received += len(piece)
        return bool(piece)

    def take(self, count):
        piece, self.bytes = self.bytes[:count], self.bytes[count:]
        return piece

    def exactly(self, count):
        pieces = []
        left = count
        while left > 0:
            if not self.bytes and not self.fill():
                raise Closed(f"{left} of {count} bytes are missing")
            piece = self.take(left)
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def line(self):
        while b"\n" not in self.bytes:
            if len(self.bytes) > LIMIT:
                raise Malformed("endless line")
            if not self.fill():
                raise Closed(f"in the middle of a line: {self.bytes[:80]!r}")
        end = self.bytes.index(b"\n")
        line = self.take(end + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise Malformed(f"line end of {line!r}")
        return line[:-2]

    def fields(self):
        lines = []
        while line := self.line():
            lines.append(line)
        return parse_fields(lines)

    def chunked(self):
        """(body, trailers); each chunk as it comes."""
        pieces = []
        while True:
            line = self.line()
            if not re.match(rb"^[0-9A-Fa-f]{1,16}$", line):
                raise Malformed(f"chunk size {line!r}")
            size = int(line, 16)
            if size == 0:
                return b"".join(pieces), self.fields()
            pieces.append(self.exactly(size))
            if self.exactly(2) != b"\r\n":
                raise Malformed("chunk does not end with CRLF")

    def rest(self):
        while self.fill():
            pass
        return self.take(len(self.bytes))


class Connection:
    """One connection of a client."""

    def __init__(self, address, timeout=5.0):
        self.take(socket.create_connection(address, timeout=timeout * PATIENCE))

    @classmethod
    def over(cls, sock):
        """A connection that the test made itself."""
        connection = cls.__new__(cls)
        connection.take(sock)
        return connection

    def take(self, sock):
        self.sock = sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)
        self.sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, *pieces):
        for piece in pieces:
            piece = piece if isinstance(piece, bytes) else piece.encode("latin-1")
            self.sock.sendall(piece)
            self.sent += len(piece)
        return self

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        """An abortive end: the peer gets RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    @property
    def local_port(self):
        return self.sock.getsockname()[1]

    def head(self):
        """The next response head, 1xx or not."""
        line = self.reader.line()
        match = STATUS_LINE.match(line)
        if not match:
            raise Malformed(f"status line {line!r}")
        return Response("1." + match[1].decode(), int(match[2]), match[3].decode("latin-1"),
                        self.reader.fields())

    def body(self, response, method="GET"):
        """Reads the body that the head announces."""
        encoding = response.all("Transfer-Encoding")
        lengths = response.all("Content-Length")
        if len(lengths) > 1 or len(encoding) > 1 or (lengths and encoding):
            raise Malformed(f"framing of {response}")
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            response.framing = "none"
        elif encoding:
            if encoding[0].lower() != "chunked":
                raise Malformed(f"transfer coding {encoding}")
            response.framing = "chunked"
            response.body, response.trailers = self.reader.chunked()
        elif lengths:
            if not re.match(r"^[0-9]+$", lengths[0]):
                raise Malformed(f"length {lengths}")
            response.framing = "length"
            response.body = self.reader.exactly(int(lengths[0]))
        else:
            response.framing = "close"
            response.body = self.reader.rest()
        response.complete = True
        return response

    def response(self, method="GET"):
        """The next final response, with the 1xx before it; 101 is final."""
        informational = []
        while True:
            response = self.head()
            if response.status == 101 or response.status >= 200:
                response.informational = informational
                return self.body(response, method)
            informational.append(response)

    def request(self, target="/", host=None, method="GET", headers=(), body=None, version="1.1"):
        """Sends a request, well formed unless its parts are not, and reads the answer."""
        self.send(request_bytes(target, host, method, headers, body, version))
        return self.response(method)

    def is_closed(self):
        """Waits for the end; False when bytes come instead."""
        try:
            return not self.reader.bytes and not self.reader.fill()
        except ConnectionResetError:
            return True

    def has_news(self):
        """Whether bytes or the end are there already."""
        self.sock.setblocking(False)
        try:
            return bool(self.reader.bytes) or self.sock.recv(1, socket.MSG_PEEK) is not None
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.sock.settimeout(5.0 * PATIENCE)


def request_bytes(target="/", host=None, method="GET", headers=(), body=None, version="1.1"):
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    pairs = headers.items() if isinstance(headers, dict) else headers
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + (body or b"")


def chunk(piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece)


LAST_CHUNK = b"0\r\n\r\n"
