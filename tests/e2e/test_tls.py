# SPDX-License-Identifier: Apache-2.0
"""HTTPS: which certificate a client gets, what is redirected, and what changes while it runs."""
import base64
import bisect
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from world import early_data, http2, process
from world.backend import plain
from world.certificates import Authority, Certificate, secret
from world.client import Connection, request_bytes
from world.objects import config_map, ingress, ingress_only, path_rule, backend_of
from world.wait import eventually


@pytest.fixture
def ingot(make_ingot):
    return make_ingot(tls=True)


def shop(pod, host="shop.example", secret_name="shop-tls", name="web", **more):
    tls = [{"hosts": [host], "secretName": secret_name}]
    return ingress(host, to=[pod], name=name, tls=tls, **more)


def context(authority=None, alpn=("http/1.1",), **settings):
    made = ssl.create_default_context(cadata=authority.pem) if authority else ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols(list(alpn))
    for name, value in settings.items():
        setattr(made, name, value)
    return made


def connect(ingot, name, authority=None, made=None, **settings):
    """A connection over TLS that verifies what it gets, where an authority is given."""
    made = made or context(authority, **settings)
    plain = socket.create_connection(("127.0.0.1", ingot.https_port), 5)
    return Connection.over(made.wrap_socket(plain, server_hostname=name))


def get(ingot, host, target="/", authority=None, **more):
    with connect(ingot, host, authority, **more) as client:
        return client.request(target, host)


def resumes(ingot, name, made, session):
    plain = socket.create_connection(("127.0.0.1", ingot.https_port), 5)
    with Connection.over(made.wrap_socket(plain, server_hostname=name, session=session)) as client:
        assert client.request("/", name).status == 200
        return client.sock.session_reused


def served_names(ingot, name, **settings):
    """The names of the certificate that a client gets."""
    with connect(ingot, name, **settings) as client:
        der = client.sock.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-text"], input=der,
                          capture_output=True, check=True).stdout.decode()
    return set(re.findall(r"DNS:([^,\s]+)", text)), text


# ------------------------------------------------------------------ certificates

def test_a_host_is_served_under_its_own_certificate(ingot, pod):
    certificate = Certificate("shop.example")
    ingot.serve(secret("shop-tls", certificate), shop(pod))

    answer = get(ingot, "shop.example", authority=certificate)

    assert answer.status == 200
    assert answer.pod == pod.name
    assert pod.last.header("X-Forwarded-Proto") == "https"
    assert pod.last.header("X-Forwarded-Port") == str(ingot.https_port)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_are_spoken(ingot, pod, version):
    certificate = Certificate("shop.example")
    ingot.serve(secret("shop-tls", certificate), shop(pod))

    with connect(ingot, "shop.example", certificate, maximum_version=version,
                 minimum_version=version) as client:
        assert client.request("/", "shop.example").status == 200
        assert client.sock.version() == version.name.replace("_", ".").replace("TLSv1.", "TLSv1.")


def test_each_name_has_its_certificate_and_the_rest_the_fallback(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(secret("a-tls", Certificate("a.example")), secret("b-tls", Certificate("*.b.example")),
                shop(a, "a.example", "a-tls", "a"), shop(b, "*.b.example", "b-tls", "b"))

    assert served_names(ingot, "a.example")[0] == {"a.example"}
    assert served_names(ingot, "A.Example.")[0] == {"a.example"}
    assert served_names(ingot, "x.b.example")[0] == {"*.b.example"}
    assert served_names(ingot, "x.y.b.example")[0] == {"ingress.local"}
    assert served_names(ingot, "nobody.example")[0] == {"ingress.local"}


def test_a_client_without_a_name_gets_the_fallback(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))

    assert served_names(ingot, None)[0] == {"ingress.local"}


def test_the_default_certificate_is_that_of_the_flag(make_ingot, pod):
    ingot = make_ingot(tls=True, flags=["--default-ssl-certificate", "shop/everybody"])
    ingot.serve(secret("everybody", Certificate("default.example")), ingress("a.example", to=[pod]))
    assert served_names(ingot, "a.example")[0] == {"default.example"}

    ingot.apply(secret("everybody", Certificate("other.example")))

    assert served_names(ingot, "a.example")[0] == {"other.example"}


def test_the_fallback_is_the_same_after_a_restart(ingot, pod):
    ingot.serve(ingress("a.example", to=[pod]))
    before = served_names(ingot, "a.example")[1]

    ingot.stop()
    ingot.start()

    assert served_names(ingot, "a.example")[1] == before


def test_ecdsa_and_rsa_stand_side_by_side(ingot, pod):
    ingot.serve(secret("ec", Certificate("shop.example")),
                secret("rsa", Certificate("shop.example", key="rsa")),
                ingress("shop.example", to=[pod], tls=[
                    {"hosts": ["shop.example"], "secretName": "ec"},
                    {"hosts": ["shop.example"], "secretName": "rsa"}]))
    old = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    old.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")

    assert "id-ecPublicKey" in served_names(ingot, "shop.example")[1]
    assert "rsaEncryption" in served_names(ingot, "shop.example", made=old)[1]


# ------------------------------------------------------------------ changes

def test_a_renewed_certificate_serves_and_drops_nobody(ingot, pod):
    first, second = Certificate("shop.example", days=30), Certificate("shop.example", days=60)
    ingot.serve(secret("shop-tls", first), shop(pod))

    with connect(ingot, "shop.example", first) as client:
        assert client.request("/", "shop.example").status == 200
        ingot.apply(secret("shop-tls", second))

        assert client.request("/", "shop.example").status == 200
    assert get(ingot, "shop.example", authority=second).status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        get(ingot, "shop.example", authority=first)


def private_number(certificate):
    """Of an ECDSA key, as libcrypto keeps it: the lowest byte first."""
    text = subprocess.run(["openssl", "ec", "-noout", "-text"], input=certificate.key.encode(),
                          capture_output=True, check=True).stdout.decode()
    digits = re.search(r"priv:\s*((?:[0-9a-f]{2}[:\s]*)+)pub", text).group(1)
    return bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))[::-1]


def test_a_replaced_key_is_in_no_workers_memory(ingot, pod):
    first, second = Certificate("shop.example"), Certificate("shop.example")
    number = private_number(first)
    ingot.serve(secret("shop-tls", first), shop(pod))
    (worker,) = ingot.worker_pids
    assert get(ingot, "shop.example", authority=first).status == 200
    assert process.remembers(worker, number)

    ingot.apply(secret("shop-tls", second))

    eventually(lambda: not process.remembers(worker, number))
    assert get(ingot, "shop.example", authority=second).status == 200


def test_a_bad_secret_leaves_the_last_good_certificate(ingot, pod):
    good = Certificate("shop.example")
    ingot.serve(secret("shop-tls", good), shop(pod))

    ingot.write(secret("shop-tls", **{"tls.crt": good.pem, "tls.key": Certificate("x").key}))
    eventually(lambda: "IGT1402" in ingot.said())

    assert get(ingot, "shop.example", authority=good).status == 200
    assert "is not the key of the first certificate" in ingot.said()
    assert "goes on serving" in ingot.said()


@pytest.mark.parametrize("data, reason", [
    ({"tls.crt": "no PEM"}, "there is no tls.key"),
    ({"tls.key": "x"}, "there is no tls.crt"),
    ({"tls.crt": "x", "tls.key": "y"}, "holds no certificate in PEM form"),
])
def test_a_secret_that_cannot_be_used_is_named_with_the_reason(ingot, pod, data, reason):
    ingot.serve(secret("shop-tls", **data), shop(pod))

    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}
    assert "IGT1402" in ingot.said()
    assert reason in ingot.said()


def test_a_certificate_that_nobody_would_trust_is_refused_where_it_is_read(ingot, pod):
    weak = Authority().issue("shop.example", digest="sha1")
    ingot.serve(secret("shop-tls", weak), shop(pod))

    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}
    assert re.search(r"IGT1402.*certificate 1 of tls.crt is signed by ecdsa-with-SHA1, which is too weak", ingot.said())
    assert "a certificate cannot be used" not in ingot.said()


EXPIRED = ("20200101000000Z", "20200201000000Z")


def test_a_certificate_that_has_expired_is_served_with_a_warning(ingot, pod):
    authority = Authority()
    ingot.serve(secret("shop-tls", authority.issue("shop.example", days=EXPIRED)), shop(pod))

    assert served_names(ingot, "shop.example")[0] == {"shop.example"}
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        get(ingot, "shop.example", authority=authority)
    assert re.search(r"IGT1404.*expired; it is served, and clients refuse it", ingot.said())


def test_a_missing_secret_is_reported_and_found_when_it_comes(ingot, pod):
    certificate = Certificate("shop.example")
    ingot.serve(shop(pod))
    assert "IGT1401" in ingot.said()
    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}

    ingot.apply(secret("shop-tls", certificate))

    assert get(ingot, "shop.example", authority=certificate).status == 200
    ingot.delete(secret("shop-tls", certificate))
    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}


def test_a_certificate_of_another_host_is_not_served(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("other.example")), shop(pod))

    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}
    assert "IGT1403" in ingot.said()


def test_a_certificate_that_is_about_to_expire_is_served_with_a_warning(ingot, pod):
    certificate = Certificate("shop.example", days=5)
    ingot.serve(secret("shop-tls", certificate), shop(pod))

    assert get(ingot, "shop.example", authority=certificate).status == 200
    assert re.search(r"IGT1404.*expires in [45] days", ingot.said())


def test_no_key_is_written_to_the_disk_or_said(ingot, pod):
    certificate = Certificate("shop.example")
    secret_line = certificate.key.splitlines()[1]
    ingot.serve(secret("shop-tls", certificate), shop(pod))
    assert get(ingot, "shop.example", authority=certificate).status == 200
    eventually(lambda: list(ingot.state.glob("routes.segment")))

    stored = b"".join(path.read_bytes() for path in ingot.state.rglob("*") if path.is_file())

    der = subprocess.run(["openssl", "pkey", "-outform", "DER"], input=certificate.key.encode(),
                         capture_output=True, check=True).stdout
    assert der[-32:] not in stored
    assert secret_line.encode() not in stored
    assert secret_line not in ingot.said()
    assert "certificates.segment" not in [path.name for path in ingot.state.iterdir()]


# ------------------------------------------------------------------ keys that are kept

def stored_bytes(ingot):
    return b"".join(path.read_bytes() for path in ingot.state.rglob("*") if path.is_file())


def der_key(certificate):
    return subprocess.run(["openssl", "pkey", "-outform", "DER"], input=certificate.key.encode(),
                          capture_output=True, check=True).stdout


@pytest.fixture
def with_key(make_ingot, place):
    """with_key(): an instance with a key for what it stores; key_of(ingot): its file."""
    def make(key=None, mode=0o600):
        path = place / "state.key"
        path.write_bytes(key or os.urandom(32))
        path.chmod(mode)
        return make_ingot(tls=True, flags=["--state-key-file", str(path)])
    return make


def key_file(ingot):
    return pathlib.Path(ingot.flags[-1])


def is_stored(ingot):
    return (ingot.state / "certificates.segment").exists() and (ingot.state / "routes.segment").exists()


def without_manifests(ingot):
    """Stops it, and starts it again where nobody tells it what to serve."""
    ingot.stop()
    hidden = ingot.manifests.with_name("elsewhere")
    ingot.manifests.rename(hidden)
    ingot.start(ready=False)
    return hidden


def test_with_a_key_https_is_served_before_the_manifests_are_there(with_key, pod):
    certificate = Certificate("shop.example")
    ingot = with_key()
    ingot.serve(secret("shop-tls", certificate), shop(pod))
    eventually(lambda: is_stored(ingot))

    hidden = without_manifests(ingot)

    eventually(lambda: get(ingot, "shop.example", authority=certificate).pod == "pod", 10)
    hidden.rename(ingot.manifests)
    renewed = Certificate("shop.example")
    eventually(lambda: ingot.admin("/readyz").status == 200, 10)
    ingot.apply(secret("shop-tls", renewed))
    assert get(ingot, "shop.example", authority=renewed).status == 200


def test_without_one_plain_hosts_are_served_and_handshakes_refused(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(a),
                ingress("plain.example", to=[b], name="plain"))
    eventually(lambda: (ingot.state / "routes.segment").exists()
               and (ingot.state / "endpoints.segment").exists())

    hidden = without_manifests(ingot)

    eventually(lambda: ingot.get("plain.example").pod == "b", 10)
    with pytest.raises(ssl.SSLError):
        connect(ingot, "shop.example")
    hidden.rename(ingot.manifests)
    eventually(lambda: get(ingot, "shop.example").pod == "a", 10)


def test_what_is_kept_is_encrypted_and_without_keys_of_tickets(with_key, pod):
    certificate = Certificate("shop.example")
    ticket_key = os.urandom(80)
    ingot = with_key()
    ingot.serve(secret("shop-tls", certificate), shop(pod), config_map(**{
        "ssl-session-tickets": "true", "ssl-session-ticket-key": base64.b64encode(ticket_key).decode()}))
    eventually(lambda: is_stored(ingot))

    stored = stored_bytes(ingot)

    der = der_key(certificate)
    assert der[-32:] not in stored
    assert der[36:68] not in stored     # the private number itself
    assert certificate.key.splitlines()[1].encode() not in stored
    assert ticket_key[16:48] not in stored and ticket_key[48:] not in stored
    assert key_file(ingot).read_bytes() not in stored
    assert (ingot.state / "certificates.segment").stat().st_mode & 0o777 == 0o600


def test_under_another_key_what_was_kept_is_told_passed_over_and_written_anew(with_key, pod):
    certificate = Certificate("shop.example")
    ingot = with_key()
    ingot.serve(secret("shop-tls", certificate), shop(pod))
    eventually(lambda: is_stored(ingot))
    before = (ingot.state / "certificates.segment").read_bytes()
    ingot.stop()
    key_file(ingot).write_bytes(os.urandom(32))

    ingot.start()

    assert get(ingot, "shop.example", authority=certificate).status == 200
    assert "encrypted with another key" in ingot.said()
    eventually(lambda: (ingot.state / "certificates.segment").read_bytes()[:44] != before[:44])
    without_manifests(ingot)
    eventually(lambda: get(ingot, "shop.example", authority=certificate).pod == "pod", 10)


def test_a_key_that_is_replaced_is_used_from_the_next_sighup_on(with_key, pod):
    ingot = with_key()
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    eventually(lambda: is_stored(ingot))
    before = (ingot.state / "certificates.segment").read_bytes()
    key_file(ingot).write_bytes(base64.b64encode(os.urandom(32)) + b"\n")

    ingot.signal(signal.SIGHUP)

    # the id of the key, which the nonce follows
    eventually(lambda: (ingot.state / "certificates.segment").read_bytes()[16:32] != before[16:32])


@pytest.mark.parametrize("key, mode, reason", [
    (b"too short", 0o600, "has 9 bytes and is no key"), (bytes(32), 0o644, "may be used by others")])
def test_a_key_that_cannot_be_used_is_told_and_nothing_is_kept(with_key, pod, key, mode, reason):
    certificate = Certificate("shop.example")
    ingot = with_key(key, mode)
    ingot.serve(secret("shop-tls", certificate), shop(pod))
    eventually(lambda: list(ingot.state.glob("routes.segment")))

    assert get(ingot, "shop.example", authority=certificate).status == 200
    assert reason in ingot.said()
    assert not (ingot.state / "certificates.segment").exists()


def test_who_takes_the_key_away_takes_what_was_kept_away(with_key, pod):
    ingot = with_key()
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    eventually(lambda: is_stored(ingot))
    ingot.stop()
    ingot.flags = []

    ingot.start()

    assert not list(ingot.state.glob("certificates.segment*"))


# ------------------------------------------------------------------ what is refused

def test_names_without_a_host_are_refused_where_that_is_asked_for(ingot, pod):
    certificate = Certificate("shop.example")
    ingot.serve(config_map(ssl_reject_handshake="true"), secret("shop-tls", certificate), shop(pod))

    assert get(ingot, "shop.example", authority=certificate).status == 200
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME|unrecognized name"):
        served_names(ingot, "nobody.example")


def test_a_version_that_is_switched_off_is_refused(ingot, pod):
    ingot.serve(config_map(ssl_protocols="TLSv1.3"), secret("shop-tls", Certificate("shop.example")),
                shop(pod))

    with pytest.raises(ssl.SSLError):
        served_names(ingot, "shop.example", maximum_version=ssl.TLSVersion.TLSv1_2)
    assert served_names(ingot, "shop.example")[0] == {"shop.example"}


@pytest.mark.parametrize("offered", ["imap", "acme-tls/1", "http/1.0", "H2"])
def test_a_protocol_that_is_not_spoken_is_refused(ingot, pod, offered):
    ingot.serve(shop(pod))

    with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL|no application protocol"):
        served_names(ingot, "shop.example", alpn=(offered,))


def s_client(ingot, *options):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{ingot.https_port}", *options],
                          input=b"", capture_output=True, timeout=10, check=False)


@pytest.mark.parametrize("name", ["shop.example.", "SHOP.Example"])
def test_a_name_is_levelled(ingot, pod, name):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))

    assert b"subject=CN = shop.example" in s_client(ingot, "-servername", name).stdout


@pytest.mark.parametrize("name", ["shop example", "shop/example", "*.example", "sh\u00f6p.example", "."])
def test_a_name_that_is_none_gets_no_certificate(ingot, pod, name):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))

    said = s_client(ingot, "-servername", name)

    assert b"BEGIN CERTIFICATE" not in said.stdout
    assert b"alert" in said.stderr


def record(kind, content):
    return bytes([kind, 3, 1]) + len(content).to_bytes(2) + content


def test_a_hello_beyond_16_kib_is_not_waited_for(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    hello = b"\x01" + (40_000).to_bytes(3) + b"\x03\x03" + bytes(40_000 - 2)
    sent = [record(22, hello[at:at + 16_000]) for at in range(0, 32_000, 16_000)]
    with Connection(("127.0.0.1", ingot.https_port)) as client:
        client.send(*sent)      # the rest of it never comes

        client.reader.rest()    # an alert, or nothing; the end, long before the time of handshakes is over


HELLOS = 400
# Of them, so many may come before a request at most: what is begun in the two or three turns of the loop that pass until
# it is read, and room for a few turns more.
HELLOS_BEFORE_A_REQUEST = 48
SO_TIMESTAMPNS = 35


def first_message(name):
    """A ClientHello, as Python's library writes it."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def arrival(sock):
    """When the kernel got what can be read, and its first byte; whoever reads it, and however late, sees the same.
    None: the end."""
    byte, more, _, _ = socket.socket.recvmsg(sock, 1, 64, socket.MSG_PEEK)
    if not byte:
        return None
    seconds, nanoseconds = struct.unpack("qq", next(data for _, kind, data in more if kind == SO_TIMESTAMPNS))
    return seconds * 10**9 + nanoseconds, byte[0]


def stamped(sock):
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


def test_a_flood_of_hellos_does_not_hold_up_who_is_connected(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod, path="/shop"))
    clients = [connect(ingot, "shop.example") for _ in range(8)]
    for client in clients:
        stamped(client.sock)
        assert client.request("/elsewhere", "shop.example").status == 404
    flood = [stamped(socket.create_connection(("127.0.0.1", ingot.https_port), 5)) for _ in range(HELLOS)]
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections") >= HELLOS + len(clients))
    hello = first_message("shop.example")
    (worker,) = ingot.worker_pids

    # all of it is there at once, the requests last
    os.kill(worker, signal.SIGSTOP)
    eventually(lambda: process.is_stopped(worker))
    for sock in flood:
        sock.sendall(hello)
    for client in clients:
        client.send(request_bytes("/elsewhere", "shop.example"))
    os.kill(worker, signal.SIGCONT)

    answers = [arrival(client.sock) for client in clients]
    begun = sorted(time for time, kind in filter(None, map(arrival, flood)) if kind == 22)
    for client in clients:
        assert client.response().status == 404
        client.close()
    for sock in flood:
        sock.close()
    assert len(begun) > HELLOS_BEFORE_A_REQUEST
    before = [bisect.bisect(begun, time) for time, _ in answers]
    assert max(before) <= HELLOS_BEFORE_A_REQUEST, before


def test_plain_http_on_the_port_of_tls_harms_nobody(ingot, pod):
    ingot.serve(shop(pod))
    with Connection(("127.0.0.1", ingot.https_port)) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        client.reader.rest()    # an alert, or nothing; the end

    assert served_names(ingot, "shop.example")[0] == {"ingress.local"}


# ------------------------------------------------------------------ ciphers of a host

OLD = ssl.TLSVersion.TLSv1_2
AES128, AES256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
OWN, PLAIN = "own.example", "plain.example"


@pytest.fixture
def both():
    """One certificate for two hosts: by it alone a client may take one for the other."""
    return secret("both", Certificate(OWN, PLAIN))


def host(pod, name, **annotations):
    """annotations: ssl-*, written with _ for -."""
    notes = {"nginx.ingress.kubernetes.io/ssl-" + key.replace("_", "-"): value
             for key, value in annotations.items()}
    return shop(pod, name, "both", name.split(".")[0], annotations=notes)


def old_context(*ciphers, **more):
    made = context(maximum_version=OLD, **more)
    made.set_ciphers(":".join(ciphers))
    return made


def cipher_of(ingot, name, *ciphers):
    with connect(ingot, name, made=old_context(*ciphers)) as client:
        return client.sock.cipher()[0]


def test_a_host_has_ciphers_of_its_own(ingot, pod, both):
    ingot.serve(both, host(pod, OWN, ciphers=AES256), host(pod, PLAIN))

    assert cipher_of(ingot, OWN, AES128, AES256) == AES256
    assert cipher_of(ingot, PLAIN, AES128, AES256) == AES128
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE|handshake failure"):
        cipher_of(ingot, OWN, AES128)


def test_the_order_of_ciphers_can_be_the_clients(ingot, pod, both):
    ingot.serve(both, host(pod, OWN, prefer_server_ciphers="false"), host(pod, PLAIN))

    assert cipher_of(ingot, OWN, AES256, AES128) == AES256
    assert cipher_of(ingot, PLAIN, AES256, AES128) == AES128


def test_ciphers_that_do_not_exist_leave_those_of_the_config_map(make_ingot, pod, both):
    ingot = make_ingot(tls=True, config={"ssl-ciphers": AES256})
    ingot.serve(both, host(pod, OWN, ciphers="NO-SUCH-CIPHER"))

    assert cipher_of(ingot, OWN, AES128, AES256) == AES256
    assert "IGT1205" in ingot.said()


@pytest.mark.parametrize("key, value", [("ssl-ciphers", "NO-SUCH-CIPHER"), ("ssl-ciphers", "eNULL:@SECLEVEL=0"),
                                        ("ssl-ecdh-curve", "no-such-curve")])
def test_a_bad_list_in_the_config_map_closes_nothing(make_ingot, pod, both, key, value):
    ingot = make_ingot(tls=True, config={key: value})
    ingot.serve(both, host(pod, PLAIN))

    assert served_names(ingot, PLAIN)[0] == {OWN, PLAIN}
    assert "IGT8102" in ingot.said()


def test_the_curves_of_the_original_are_ours(make_ingot, pod, both):
    ingot = make_ingot(tls=True, config={"ssl-ecdh-curve": "auto"})
    ingot.serve(both, host(pod, PLAIN))

    assert served_names(ingot, PLAIN)[0] == {OWN, PLAIN}
    assert "IGT8102" not in ingot.said()


@pytest.mark.parametrize("name, asked", [(OWN, PLAIN), (PLAIN, OWN), (None, OWN), ("nobody.example", OWN)])
def test_a_connection_with_the_ciphers_of_another_host_is_421(ingot, pod, both, name, asked):
    ingot.serve(both, host(pod, OWN, ciphers=AES256), host(pod, PLAIN))

    with connect(ingot, name) as client:
        assert client.request("/", asked).status == 421
    assert pod.requests == []
    assert get(ingot, asked).status == 200


def test_a_connection_with_the_same_ciphers_is_good_for_another_host(ingot, pod, both):
    ingot.serve(both, host(pod, OWN, ciphers=AES256), host(pod, PLAIN, ciphers=AES256))

    with connect(ingot, OWN) as client:
        assert client.request("/", PLAIN).status == 200


def test_over_http_2_one_stream_is_misdirected_and_the_connection_goes_on(ingot, pod, both):
    ingot.serve(both, host(pod, OWN, ciphers=AES256), host(pod, PLAIN))

    with http2.Client(("127.0.0.1", ingot.https_port), context(alpn=("h2",)), PLAIN) as client:
        assert client.get(PLAIN).status == 200
        assert client.get(OWN).status == 421
        assert client.get(PLAIN).status == 200


def test_ciphers_that_change_end_no_connection(ingot, pod, both):
    ingot.serve(both, host(pod, OWN), host(pod, PLAIN))
    with connect(ingot, OWN) as client:
        assert client.request("/", OWN).status == 200

        ingot.apply(host(pod, OWN, ciphers=AES256))

        assert client.request("/", OWN).status == 200


def test_a_ticket_does_not_resume_under_other_ciphers(make_ingot, pod, both):
    ingot = make_ingot(tls=True, config={"ssl_session_tickets": "true"})
    ingot.serve(both, host(pod, OWN, prefer_server_ciphers="false"), host(pod, PLAIN))
    made = context(maximum_version=OLD)
    with connect(ingot, PLAIN, made=made) as client:
        client.request("/", PLAIN)
        session = client.sock.session

    assert resumes(ingot, PLAIN, made, session)
    assert not resumes(ingot, OWN, made, session)


# ------------------------------------------------------------------ redirects and HSTS

@pytest.mark.parametrize("target, location", [
    ("/", "https://shop.example"), ("/x/?q=1", "https://shop.example/x/?q=1"),
    ("/x/", "https://shop.example/x"), ("/x", "https://shop.example/x")])
def test_plain_requests_of_a_host_with_tls_are_redirected(ingot, pod, target, location):
    ingot.serve(shop(pod))

    answer = ingot.get("shop.example:8080", target)

    assert answer.status == 308
    assert answer.header("Location") == location
    assert pod.requests == []


def test_hosts_without_tls_are_not_redirected(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(shop(a, "a.example", name="a"), ingress("b.example", to=[b], name="b"))

    assert ingot.get("b.example").status == 200


def test_the_redirect_can_be_switched_off_and_forced(ingot, pods):
    off, forced = pods("off", "forced")
    nginx = "nginx.ingress.kubernetes.io/"
    ingot.serve(shop(off, "off.example", name="off", annotations={nginx + "ssl-redirect": "false"}),
                ingress("forced.example", to=[forced], name="forced",
                        annotations={nginx + "force-ssl-redirect": "true"}))

    assert ingot.get("off.example").status == 200
    assert ingot.get("forced.example").status == 308


def test_the_config_map_says_how_everybody_is_redirected(ingot, pod):
    ingot.serve(config_map(http_redirect_code="301"), shop(pod))
    assert ingot.get("shop.example").status == 301

    ingot.apply(config_map(ssl_redirect="false"))

    assert ingot.get("shop.example").status == 200


def test_challenges_of_acme_are_not_redirected(ingot, pod):
    ingot.serve(ingress_only("web", {"shop.example": [
        path_rule("/", "web"), path_rule("/.well-known/acme-challenge/x", "web", path_type="Exact")]},
        tls=[{"hosts": ["shop.example"]}]), backend_of("web", [pod]))

    assert ingot.get("shop.example", "/.well-known/acme-challenge/x").status == 200
    assert ingot.get("shop.example", "/other").status == 308


def test_over_tls_nothing_is_redirected_and_hsts_is_sent(ingot, pod):
    certificate = Certificate("shop.example")
    ingot.serve(secret("shop-tls", certificate), shop(pod))

    answer = get(ingot, "shop.example", authority=certificate)

    assert answer.status == 200
    assert answer.header("Strict-Transport-Security") == "max-age=31536000; includeSubDomains"
    assert ingot.get("shop.example").header("Strict-Transport-Security") is None


def test_hsts_can_be_changed_and_switched_off(ingot, pod):
    certificate = Certificate("shop.example")
    ingot.serve(config_map(hsts_max_age="60", hsts_include_subdomains="false", hsts_preload="true"),
                secret("shop-tls", certificate), shop(pod))
    assert get(ingot, "shop.example", authority=certificate).header(
        "Strict-Transport-Security") == "max-age=60; preload"

    ingot.apply(config_map(hsts="false"))

    assert get(ingot, "shop.example",
               authority=certificate).header("Strict-Transport-Security") is None


# ------------------------------------------------------------------ bodies, sessions

def test_large_bodies_pass_both_ways(ingot, pods):
    certificate = Certificate("shop.example")
    (pod,) = pods("a")
    ingot.serve(config_map(proxy_body_size="0"), secret("shop-tls", certificate), shop(pod))
    body = bytes(range(256)) * 40_000

    with connect(ingot, "shop.example", certificate) as client:
        answer = client.request("/", "shop.example", method="POST", body=body)

        assert answer.status == 200
        assert pod.last.body == body
        assert client.request("/", "shop.example").status == 200


def test_nothing_resumes_by_default(ingot, pod):
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))

    with connect(ingot, "shop.example", maximum_version=ssl.TLSVersion.TLSv1_2) as client:
        client.request("/", "shop.example")
        assert not client.sock.session.has_ticket


def test_a_ticket_resumes_at_any_worker_where_tickets_are_switched_on(make_ingot, pod):
    ingot = make_ingot(tls=True, workers=2, config={"ssl_session_tickets": "true"})
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    made = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(ingot, "shop.example", made=made) as client:
        assert client.request("/", "shop.example").status == 200
        session = client.sock.session

    resumed = []
    for _ in range(20):     # which worker accepts is the kernel's choice
        plain = socket.create_connection(("127.0.0.1", ingot.https_port), 5)
        with Connection.over(made.wrap_socket(plain, server_hostname="shop.example",
                                              session=session)) as client:
            assert client.request("/", "shop.example").status == 200
            resumed.append(client.sock.session_reused)

    assert session.has_ticket
    assert all(resumed)


def test_a_ticket_of_one_host_does_not_resume_on_another(make_ingot, pods):
    a, b = pods("a", "b")
    ingot = make_ingot(tls=True, config={"ssl_session_tickets": "true"})
    ingot.serve(secret("a-tls", Certificate("a.example")), secret("b-tls", Certificate("b.example")),
                shop(a, "a.example", "a-tls", "a"), shop(b, "b.example", "b-tls", "b"))
    made = context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connect(ingot, "a.example", made=made) as client:
        client.request("/", "a.example")
        session = client.sock.session

    plain = socket.create_connection(("127.0.0.1", ingot.https_port), 5)
    with Connection.over(made.wrap_socket(plain, server_hostname="b.example",
                                          session=session)) as client:
        assert client.request("/", "b.example").pod == "b"
        assert not client.sock.session_reused


def ticket_of(ingot, name, made):
    with connect(ingot, name, made=made) as client:
        assert client.request("/", name).status == 200
        return client.sock.session


def test_one_ticket_key_makes_the_tickets_of_one_instance_good_at_another(make_ingot, pod):
    key = base64.b64encode(bytes(range(80))).decode()
    serving = [secret("shop-tls", Certificate("shop.example")), shop(pod)]
    config = {"ssl_session_tickets": "true", "ssl_session_ticket_key": key}
    first, second = (make_ingot(tls=True, config=config).serve(*serving) for _ in range(2))
    made = old_context(AES128)
    session = ticket_of(first, "shop.example", made)

    assert resumes(second, "shop.example", made, session)
    second.apply(config_map(ssl_session_tickets="true"))
    assert not resumes(second, "shop.example", made, session)
    for ingot in first, second:
        assert key[:20] not in ingot.said()


def test_a_session_is_resumable_as_long_as_the_config_map_says(make_ingot, pod):
    ingot = make_ingot(tls=True, config={"ssl_session_tickets": "true", "ssl_session_timeout": "2h"})
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))

    assert ticket_of(ingot, "shop.example", old_context(AES128)).ticket_lifetime_hint == 7200


def closing(target):
    return f"GET {target} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.parametrize("more", [{}, {"ssl_early_data": "true"}])
def test_early_data_is_never_accepted(make_ingot, pod, more):
    ingot = make_ingot(tls=True, config={"ssl_session_tickets": "true", **more})
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    client = early_data.Client(("127.0.0.1", ingot.https_port), "shop.example")
    client.exchange(closing("/first"))

    answer, resumed, status = client.exchange(closing("/second"), early=closing("/early"))

    assert status == early_data.REJECTED
    assert resumed
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [request.target for request in pod.requests] == ["/first", "/second"]


def dh_secret(bits_group):
    pem = subprocess.run(["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                          f"group:{bits_group}"], capture_output=True, check=True).stdout.decode()
    return secret("dh", **{"dhparam.pem": pem})


def test_dhe_is_spoken_once_there_are_parameters(ingot, pod):
    dhe = "DHE-RSA-AES128-GCM-SHA256"
    ingot.serve(secret("shop-tls", Certificate("shop.example", key="rsa")), shop(pod),
                config_map(ssl_dh_param="shop/dh"))
    with pytest.raises(ssl.SSLError):
        cipher_of(ingot, "shop.example", dhe)

    ingot.apply(dh_secret("ffdhe2048"))

    assert cipher_of(ingot, "shop.example", dhe) == dhe


def record_lengths(received):
    """Of records of application data."""
    lengths, at = [], 0
    while at + 5 <= len(received):
        length = int.from_bytes(received[at + 3:at + 5])
        if received[at] == 23:
            lengths.append(length)
        at += 5 + length
    return lengths


def test_records_are_as_short_as_the_config_map_says(make_ingot, pods):
    (pod,) = pods("a", answer=plain("x" * 50_000))
    ingot = make_ingot(tls=True, config={"ssl_buffer_size": "4k"})
    ingot.serve(secret("shop-tls", Certificate("shop.example")), shop(pod))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context().wrap_bio(incoming, outgoing, server_hostname="shop.example")
    received = bytearray()

    with socket.create_connection(("127.0.0.1", ingot.https_port), 5) as wire:
        def until(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    wire.sendall(outgoing.read())
                    more = wire.recv(65536)
                    received.extend(more)
                    incoming.write(more)

        until(tls.do_handshake)
        tls.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n")
        got = 0
        while got < 50_000:
            got += len(until(lambda: tls.read(65536)))

    assert 4096 < max(record_lengths(received)) <= 4096 + 256
