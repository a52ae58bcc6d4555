# SPDX-License-Identifier: Apache-2.0
"""PROXY protocol in front of HTTP and HTTPS: whose connection it is says the load balancer, and nobody else."""
import contextlib
import shutil
import socket
import ssl
import struct
import subprocess

import pytest

from world.certificates import Certificate, secret
from world.client import Connection
from world.objects import config_map, ingress
from world.wait import PATIENCE, eventually, free_port

REQUEST = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 198.51.100.1 40000 8443\r\n"


def v2(command=0x21, family=0x11, body=None, tlvs=b"", length=None):
    if body is None:
        body = socket.inet_aton("203.0.113.7") + socket.inet_aton("198.51.100.1")
        body += struct.pack("!HH", 40000, 8443)
    length = len(body + tlvs) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, length) + body + tlvs


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


@pytest.fixture
def ingot(make_ingot):
    return make_ingot(tls=True, config={"use-proxy-protocol": "true"})


@pytest.fixture
def shop(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("shop.example")),
                ingress("shop.example", to=[pod],
                        tls=[{"hosts": ["shop.example"], "secretName": "shop-tls"}],
                        annotations={"nginx.ingress.kubernetes.io/ssl-redirect": "false"}))
    return ingot


def over_tls(sock):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname="shop.example")


@contextlib.contextmanager
def opened(ingot, kind, *pieces):
    """A connection whose first bytes are these; over TLS from there on where that is the kind."""
    port = ingot.https_port if kind == "tls" else ingot.http_port
    sock = socket.create_connection(("127.0.0.1", port), 5 * PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        sock.sendall(piece)
    with Connection.over(over_tls(sock) if kind == "tls" else sock) as client:
        yield client


def is_closed(sock):
    """Waits for the end, by a reset or not; anything that is said first is no end."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def closed_after(ingot, *pieces):
    with socket.create_connection(("127.0.0.1", ingot.http_port), 5 * PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                sock.sendall(piece)
        except (ConnectionResetError, BrokenPipeError):
            return True
        return is_closed(sock)


def faults(ingot, reason):
    return ingot.metrics().get("ingot_local_responses_total", reason=reason)


KINDS = pytest.mark.parametrize("kind", ["plain", "tls"])


# ------------------------------------------------------------------ headers that are right

@KINDS
@pytest.mark.parametrize("header", [V1, v2(), v2(tlvs=tlv(1, b"h2") + tlv(4, b"x" * 100))],
                         ids=["v1", "v2", "v2-tlvs"])
def test_the_client_is_who_the_header_says(shop, pod, kind, header):
    with opened(shop, kind, header) as client:
        assert client.request("/", "shop.example").status == 200

    assert pod.last.header("X-Real-IP") == "203.0.113.7"
    assert pod.last.header("X-Forwarded-For") == "203.0.113.7"
    assert pod.last.header("X-Forwarded-Port") == "8443"
    assert pod.last.header("X-Forwarded-Proto") == ("https" if kind == "tls" else "http")
    assert shop.log_lines(1)[0].startswith("203.0.113.7 - - [")


@KINDS
def test_a_client_of_ipv6_keeps_its_address(shop, pod, kind):
    with opened(shop, kind, b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n") as client:
        assert client.request("/", "shop.example").status == 200

    assert pod.last.header("X-Real-IP") == "2001:db8::7"


@KINDS
@pytest.mark.parametrize("header", [
    b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN what 1 ever it says\r\n", v2(0x20, 0, b""),
    v2(0x20, 0x11), v2(0x21, 0, b""), v2(0x21, 0x31, b"\0" * 216)],
    ids=["unknown", "unknown-more", "local", "local-addresses", "unspec", "unix"])
def test_who_talks_of_itself_is_the_peer(shop, pod, kind, header):
    with opened(shop, kind, header) as client:
        assert client.request("/", "shop.example").status == 200

    assert pod.last.header("X-Real-IP") == "127.0.0.1"
    port = shop.https_port if kind == "tls" else shop.http_port
    assert pod.last.header("X-Forwarded-Port") == str(port)


def test_the_port_of_https_makes_the_scheme(shop, pod):
    """The load balancer has ended TLS itself."""
    with opened(shop, "plain", V1.replace(b"8443", b"443")) as client:
        assert client.request("/", "shop.example").status == 200

    assert pod.last.header("X-Forwarded-Proto") == "https"
    assert pod.last.header("X-Forwarded-Port") == "443"


@pytest.mark.parametrize("header", [V1, v2(tlvs=tlv(4, b"x" * 40))], ids=["v1", "v2"])
def test_what_follows_in_the_same_segment_is_the_request(shop, pod, header):
    with socket.create_connection(shop.address, 5 * PATIENCE) as sock:
        sock.sendall(header + REQUEST + REQUEST)
        client = Connection.over(sock)

        assert [client.response("GET").status, client.response("GET").status] == [200, 200]

    assert [request.header("X-Real-IP") for request in pod.requests] == ["203.0.113.7"] * 2


def test_a_hello_may_follow_in_the_same_segment(shop):
    header_and_hello = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = context.wrap_bio(*header_and_hello, server_hostname="shop.example")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", shop.https_port), 5 * PATIENCE) as sock:
        sock.sendall(v2() + header_and_hello[1].read())

        assert sock.recv(3) == b"\x16\x03\x03"      # a handshake record: ServerHello


@KINDS
@pytest.mark.parametrize("header", [V1, v2()], ids=["v1", "v2"])
def test_a_header_may_come_byte_by_byte(shop, pod, kind, header):
    pieces = [bytes([byte]) for byte in header]
    with opened(shop, kind, *pieces) as client:
        assert client.request("/", "shop.example").status == 200

    assert pod.last.header("X-Real-IP") == "203.0.113.7"


def test_only_the_first_bytes_of_a_connection_are_a_header(shop):
    with opened(shop, "plain", V1) as client:
        assert client.request("/", "shop.example").status == 200
        client.send(V1)

        assert client.response("GET").status == 400


def test_a_header_as_long_as_may_be_is_taken(shop, pod):
    # 16 bytes, 12 of addresses, and TLVs up to 536 bytes in all
    header = v2(tlvs=tlv(4, b"x" * 200) + tlv(4, b"y" * 302))
    assert len(header) == 536
    with opened(shop, "plain", header) as client:
        assert client.request("/", "shop.example").status == 200

    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert len(longest) == 107
    with opened(shop, "plain", longest) as client:
        assert client.request("/", "shop.example").status == 200


# ------------------------------------------------------------------ headers that are wrong

BAD = {
    "none": REQUEST,
    "tls-instead": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "v1-lower-case": V1.lower(),
    "v1-too-long": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "v1-never-ends": b"PROXY TCP4 " + b"1" * 200,
    "v1-bare-lf": V1.replace(b"\r\n", b"\n"),
    "v1-other-family": V1.replace(b"TCP4", b"TCP6"),
    "v1-port": V1.replace(b"8443", b"65536"),
    "v1-blanks": V1.replace(b" 8443", b"  8443"),
    "v2-signature": v2()[:11] + b"\r" + v2()[12:],
    "v2-version": v2(0x11),
    "v2-too-long": v2(tlvs=tlv(4, b"x" * 600)),
    "v2-says-too-long": v2(length=65535),
    "v2-addresses-cut": v2(length=11),
    "v2-udp": v2(family=0x12),
    "v2-tlv-over-the-end": v2(tlvs=struct.pack("!BH", 4, 50) + b"x" * 10),
    "v2-checksum": v2(tlvs=tlv(3, b"\0\0\0\1")),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_header_closes_the_connection(shop, pod, name):
    before = faults(shop, "bad_proxy_header")

    assert closed_after(shop, BAD[name] + REQUEST)

    assert faults(shop, "bad_proxy_header") == before + 1
    assert not pod.requests


def test_a_header_that_is_cut_is_none(shop):
    with socket.create_connection(shop.address, 5 * PATIENCE) as sock:
        sock.sendall(V1[:20])
        sock.shutdown(socket.SHUT_WR)

        assert is_closed(sock)
    assert faults(shop, "bad_proxy_header") == 1


def test_who_only_tries_whether_somebody_is_there_does_no_wrong(shop):
    with socket.create_connection(shop.address, 5 * PATIENCE) as sock:
        sock.shutdown(socket.SHUT_WR)

        assert is_closed(sock)
    assert faults(shop, "bad_proxy_header") == 0


def test_a_header_that_lies_short_gives_the_rest_to_the_protocol(shop):
    """A length that ends before the TLVs do: these are then the client's first bytes, and no request."""
    with socket.create_connection(shop.address, 5 * PATIENCE) as sock:
        sock.sendall(v2(tlvs=tlv(4, b"x" * 20), length=12) + REQUEST)

        assert Connection.over(sock).response("GET").status == 400


def test_a_header_has_its_time(make_ingot, pod):
    ingot = make_ingot(config={"use-proxy-protocol": "true", "proxy-protocol-header-timeout": "1"})
    ingot.serve(ingress("shop.example", to=[pod]))
    with socket.create_connection(ingot.address, 20 * PATIENCE) as slow, \
            socket.create_connection(ingot.address, 20 * PATIENCE) as silent:
        slow.sendall(V1[:30])

        assert is_closed(slow) and is_closed(silent)

    assert faults(ingot, "proxy_header_timeout") == 2


def test_the_time_is_for_all_of_the_header_and_not_for_each_byte(make_ingot, pod):
    ingot = make_ingot(config={"use-proxy-protocol": "true", "proxy-protocol-header-timeout": "1"})
    ingot.serve(ingress("shop.example", to=[pod]))
    with socket.create_connection(ingot.address, 5) as slow:
        slow.settimeout(0.1)

        def sent_one_more_and_was_closed():
            try:
                slow.sendall(b"")
                slow.send(next(rest))
                return slow.recv(1) == b""
            except socket.timeout:
                return False
            except (ConnectionResetError, BrokenPipeError):
                return True
        rest = iter([bytes([byte]) for byte in V1])
        slow.send(next(rest))

        eventually(sent_one_more_and_was_closed, 5, "the end of a slow header")
    assert faults(ingot, "proxy_header_timeout") == 1


def test_a_peer_that_is_not_trusted_is_closed(make_ingot, pod):
    ingot = make_ingot(tls=True, config={"use-proxy-protocol": "true",
                                         "proxy-real-ip-cidr": "192.0.2.0/24"})
    ingot.serve(ingress("shop.example", to=[pod]))

    assert closed_after(ingot, V1 + REQUEST)
    assert closed_after(ingot, V1 + REQUEST)

    assert faults(ingot, "proxy_peer_untrusted") == 2
    assert not pod.requests
    told = [line for line in ingot.said().splitlines() if "PROXY header" in line]
    assert len(told) == 1 and "reason=proxy_peer_untrusted" in told[0], told


# ------------------------------------------------------------------ with forwarded fields

def test_a_trusted_client_of_the_load_balancer_may_name_another(make_ingot, pod):
    ingot = make_ingot(config={"use-proxy-protocol": "true", "use-forwarded-headers": "true",
                               "proxy-real-ip-cidr": "127.0.0.0/8,203.0.113.0/24"})
    ingot.serve(ingress("shop.example", to=[pod]))
    with opened(ingot, "plain", V1) as client:
        client.request("/", "shop.example", headers=[("X-Forwarded-For", "192.0.2.99")])
    assert pod.last.header("X-Real-IP") == "192.0.2.99"

    with opened(ingot, "plain", V1.replace(b"203.0.113.7", b"192.0.2.50")) as client:
        client.request("/", "shop.example", headers=[("X-Forwarded-For", "192.0.2.99")])

    assert pod.last.header("X-Real-IP") == "192.0.2.50"


# ------------------------------------------------------------------ changes

def test_the_key_takes_effect_for_the_next_connection(make_ingot, pod):
    ingot = make_ingot()
    ingot.serve(ingress("shop.example", to=[pod]))
    with ingot.connect() as before:
        assert before.request("/", "shop.example").status == 200

        ingot.apply(config_map(**{"use-proxy-protocol": "true"}))

        assert before.request("/", "shop.example").status == 200
        assert closed_after(ingot, REQUEST)
        with opened(ingot, "plain", V1) as with_header:
            assert with_header.request("/", "shop.example").status == 200
            ingot.apply(config_map(**{"use-proxy-protocol": "false"}))
            assert with_header.request("/", "shop.example").status == 200
    assert ingot.get("shop.example").status == 200


def test_the_admin_endpoint_wants_no_header(shop):
    assert shop.admin("/healthz").status == 200


def test_nobody_but_private_addresses_is_trusted_without_a_list(shop):
    eventually(lambda: "PROXY headers are trusted from private addresses alone" in shop.said())


def test_a_drain_does_not_wait_for_a_header_that_nobody_sends(shop):
    with socket.create_connection(shop.address, 5 * PATIENCE) as silent:
        eventually(lambda: shop.metrics().get("ingot_downstream_connections", state="idle") >= 1)

        assert shop.stop() == 0
        assert is_closed(silent)


# ------------------------------------------------------------------ real senders

@KINDS
def test_curl_sends_a_header(shop, pod, kind):
    scheme, port = ("https", shop.https_port) if kind == "tls" else ("http", shop.http_port)
    done = subprocess.run(
        ["curl", "-sk", "--haproxy-protocol", "--resolve", f"shop.example:{port}:127.0.0.1",
         f"{scheme}://shop.example:{port}/"], capture_output=True, timeout=20 * PATIENCE, check=True)

    assert done.stdout == b"pod /\n"
    assert pod.last.header("X-Real-IP") == "127.0.0.1"


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen front
    bind 127.0.0.1:{port}
    server ingot 127.0.0.1:{to} {send}
"""


@KINDS
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn",
                                  "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_is_understood(shop, pod, place, kind, send):
    port = free_port()
    config = place / "haproxy.cfg"
    to = shop.https_port if kind == "tls" else shop.http_port
    config.write_text(HAPROXY.format(port=port, to=to, send=send))
    front = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.PIPE)
    try:
        sock = eventually(lambda: connected(port))
        with Connection.over(over_tls(sock) if kind == "tls" else sock) as client:
            assert client.request("/", "shop.example").status == 200
    finally:
        front.kill()
        front.wait()

    assert pod.last.header("X-Real-IP") == "127.0.0.1"
    assert pod.last.header("X-Forwarded-Port") == str(port)


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port), 5 * PATIENCE)
    except ConnectionRefusedError:
        return None
