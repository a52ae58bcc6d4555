# SPDX-License-Identifier: Apache-2.0
"""TLS towards pods: backend-protocol, proxy-ssl-*, and what Service ports say."""
import socket
import ssl

import pytest

from world import http2, websocket
from world.certificates import Authority, Certificate, secret
from world.objects import backend_of, endpoints, ingress_only, path_rule, service

PREFIX = "nginx.ingress.kubernetes.io/"
SERVICE_NAME = "web.shop.svc"


@pytest.fixture(scope="module")
def authority():
    return Authority("backends")


def server_context(place, issued, client_authority=None, alpn=None, **settings):
    """What a pod speaks; the names that it was asked for are in context.asked."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*issued.save(place, "pod"))
    made.asked = []
    made.sni_callback = lambda sock, name, context: made.asked.append(name)
    if client_authority is not None:
        made.load_verify_locations(cadata=client_authority.pem)
        made.verify_mode = ssl.CERT_REQUIRED
    for name, value in settings.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def tls_pod(pods, place, authority):
    """tls_pod("web.shop.svc"): a pod with a certificate of the authority for these names."""
    def make(*names, name="pod", issued=None, answer=None, **settings):
        issued = issued or authority.issue(*names)
        return pods(name, answer=answer, tls=server_context(place, issued, **settings))[0]
    return make


def shop(pod, name="web", host="shop.example", path="/", to=None, **annotations):
    """annotations: written with _ for -."""
    notes = {PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}
    rules = {host: [path_rule(path, to or "web")]}
    return ingress_only(name, rules, annotations=notes) + backend_of(to or "web", [pod])


def with_port(port):
    made = service("web")
    made[0].documents[0]["spec"]["ports"] = [port]
    return made


def verified(**more):
    return {"backend_protocol": "HTTPS", "proxy_ssl_secret": "shop/backends", "proxy_ssl_verify": "on",
            **more}


def trust(authority, **more):
    return secret("backends", **{"ca.crt": authority.pem, **more})


# ------------------------------------------------------------------ encryption

def test_requests_are_encrypted_for_an_https_backend(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    answer = ingot.get("shop.example", "/cart")

    assert answer.status == 200
    assert answer.pod == pod.name
    assert pod.last.header("Host") == "shop.example"
    assert pod.last.header("X-Forwarded-Proto") == "http"


def test_a_backend_that_nobody_verifies_is_told(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    assert "IGT1309" in ingot.said()
    assert "the backend is not authenticated" in ingot.said()


def test_the_value_is_read_in_any_case(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="https"))

    assert ingot.get("shop.example").status == 200


@pytest.mark.parametrize("protocol", ["https", "kubernetes.io/wss"])
def test_a_service_port_can_say_it(ingot, tls_pod, protocol):
    pod = tls_pod("anything.example")
    port = {"port": 80, "name": "http", "appProtocol": protocol}
    ingot.serve(ingress_only("web", {"shop.example": [path_rule("/", "web")]}),
                with_port(port),
                endpoints("web", [pod]))

    assert ingot.get("shop.example").pod == pod.name
    assert "IGT1309" in ingot.said()


def test_bodies_go_both_ways(ingot, tls_pod):
    body = bytes(range(256)) * 4096

    def echo(wire, request):
        wire.respond(wire.read_body(request))

    pod = tls_pod("anything.example", answer=echo)
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    answer = ingot.get("shop.example", method="POST", body=body)

    assert answer.status == 200
    assert answer.body == body


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_are_spoken(ingot, tls_pod, version):
    pod = tls_pod("anything.example", minimum_version=version, maximum_version=version)
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    assert ingot.get("shop.example").status == 200
    assert pod.wires[0].sock.version() == version.name.replace("_", ".")


def test_an_unspoken_protocol_gets_nothing(ingot, pod):
    ingot.serve(shop(pod, backend_protocol="FCGI"))

    assert ingot.get("shop.example").status == 503
    assert pod.connections == 0
    assert "not spoken yet" in ingot.said()


def test_connections_are_kept(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    assert ingot.get("shop.example", times=20).statuses == {200: 20}
    assert pod.connections == 1


def test_a_client_over_a_pooled_connection_does_not_see_that_the_pod_closed_it(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"))
    ingot.get("shop.example")

    pod.close_idle()

    assert ingot.get("shop.example").status == 200
    assert pod.connections == 2


# ------------------------------------------------------------------ sessions

def resumed(pod):
    return [wire.resumed for wire in pod.wires]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_next_connection_to_a_pod_resumes(ingot, tls_pod, authority, version):
    pod = tls_pod(SERVICE_NAME, minimum_version=version, maximum_version=version)
    ingot.serve(trust(authority), shop(pod, **verified()))

    for _ in range(3):
        assert ingot.get("shop.example").status == 200
        pod.close_idle()

    assert resumed(pod) == [False, True, True]


def test_each_pod_has_its_own_session(ingot, tls_pod):
    a, b = tls_pod("a.example", name="a"), tls_pod("b.example", name="b")
    ingot.serve(shop(a, name="a", host="a.example", to="a", backend_protocol="HTTPS"),
                shop(b, name="b", host="b.example", to="b", backend_protocol="HTTPS"))

    for _ in range(2):
        assert ingot.get("a.example").pod == "a"
        assert ingot.get("b.example").pod == "b"
        a.close_idle()
        b.close_idle()

    assert resumed(a) == resumed(b) == [False, True]


def test_a_session_does_not_outlive_the_authorities_that_it_was_verified_by(ingot, tls_pod, authority):
    other = Authority("others")
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified()))
    assert ingot.get("shop.example").status == 200
    pod.close_idle()

    ingot.apply(trust(other))
    assert ingot.get("shop.example").status == 502
    ingot.apply(secret("backends", **{"ca.crt": authority.pem + other.pem}))

    assert ingot.get("shop.example").status == 200
    assert not any(resumed(pod))


def test_a_pod_that_knows_its_sessions_no_more_is_greeted_anew(ingot, tls_pod, authority, place):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified()))
    assert ingot.get("shop.example").status == 200
    pod.close_idle()
    pod.tls = server_context(place, authority.issue(SERVICE_NAME))

    assert ingot.get("shop.example").status == 200
    assert resumed(pod) == [False, False]


# ------------------------------------------------------------------ verification

def test_a_verified_backend_answers(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified()))

    assert ingot.get("shop.example").pod == pod.name
    assert "IGT1309" not in ingot.said()


def test_the_name_of_the_service_is_what_the_certificate_must_say(ingot, tls_pod, authority):
    pod = tls_pod("shop.example")
    ingot.serve(trust(authority), shop(pod, **verified()))

    assert ingot.get("shop.example").status == 502
    assert pod.requests == []


def test_another_name_can_be_given(ingot, tls_pod, authority):
    pod = tls_pod("internal.example")
    ingot.serve(trust(authority), shop(pod, **verified(proxy_ssl_name="internal.example")))

    assert ingot.get("shop.example").status == 200


def test_an_address_can_be_the_name(ingot, tls_pod, authority):
    pod = tls_pod("IP:127.0.0.1")
    ingot.serve(trust(authority),
                shop(pod, **verified(proxy_ssl_name="127.0.0.1", proxy_ssl_server_name="on")))

    assert ingot.get("shop.example").status == 200
    assert pod.tls.asked in ([], [None])


def test_a_backend_of_another_authority_gets_no_request(ingot, tls_pod, pods, authority):
    pod = tls_pod(issued=Authority("stranger").issue(SERVICE_NAME))
    ingot.serve(trust(authority), shop(pod, **verified()))

    answer = ingot.get("shop.example", method="POST", body=b"secret")

    assert answer.status == 502
    assert pod.requests == []
    (line,) = ingot.log_lines(1)
    assert " 502 " in line


def test_the_log_tells_why(make_ingot, tls_pod, authority):
    ingot = make_ingot(log="json")
    pod = tls_pod(issued=Authority("stranger").issue(SERVICE_NAME))
    ingot.serve(trust(authority), shop(pod, **verified()))
    ingot.get("shop.example")

    (line,) = ingot.log_lines(1)

    assert '"upstream_unverified"' in line


def test_an_expired_backend_gets_no_request(ingot, tls_pod, authority):
    expired = authority.issue(SERVICE_NAME, days=("20200101000000Z", "20200201000000Z"))
    pod = tls_pod(issued=expired)
    ingot.serve(trust(authority), shop(pod, **verified()))

    assert ingot.get("shop.example").status == 502
    assert pod.requests == []


def test_a_revoked_backend_gets_no_request(ingot, tls_pod):
    authority = Authority("careful")
    good, bad = authority.issue(SERVICE_NAME), authority.issue(SERVICE_NAME)
    authority.revoke(bad)
    a, b = tls_pod(name="good", issued=good), tls_pod(name="bad", issued=bad)
    ingot.serve(trust(authority, **{"ca.crl": authority.revoked()}),
                shop(a, host="good.example", **verified()),
                shop(b, "other", "bad.example", to="other",
                     **verified(proxy_ssl_name=SERVICE_NAME)))

    assert ingot.get("good.example").status == 200
    assert ingot.get("bad.example").status == 502
    assert b.requests == []


def test_a_chain_is_as_long_as_allowed(ingot, tls_pod):
    root = Authority("root")
    middle = Authority("middle", root)
    low = Authority("low", middle)
    pod = tls_pod(issued=low.issue(SERVICE_NAME))
    ingot.serve(trust(root), shop(pod, **verified()))
    assert ingot.get("shop.example").status == 502

    ingot.apply(shop(pod, **verified(proxy_ssl_verify_depth="2")))

    assert ingot.get("shop.example").status == 200


def test_another_pod_is_tried_where_one_cannot_be_verified(ingot, tls_pod, authority):
    good = tls_pod(SERVICE_NAME, name="good")
    bad = tls_pod(issued=Authority("stranger").issue(SERVICE_NAME), name="bad")
    ingot.serve(trust(authority), shop(good, **verified()), endpoints("web", [good, bad]))

    assert ingot.get("shop.example", times=10).by_pod == {"good": 10}
    assert bad.requests == []


def test_verification_without_an_authority_closes_the_route(ingot, tls_pod):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(secret("backends", Certificate("client")), shop(pod, **verified()))

    assert ingot.get("shop.example").status == 503
    assert pod.connections == 0
    assert "has no ca.crt" in ingot.said()


def test_a_missing_secret_closes_the_route_until_it_comes(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(shop(pod, **verified()))
    assert ingot.get("shop.example").status == 503
    assert "IGT1405" in ingot.said()

    ingot.apply(trust(authority))
    assert ingot.get("shop.example").status == 200

    ingot.delete(trust(authority))
    assert ingot.get("shop.example").status == 503


def test_a_secret_of_another_namespace_closes_the_route(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(secret("backends", namespace="other", **{"ca.crt": authority.pem}),
                shop(pod, **verified(proxy_ssl_secret="other/backends")))

    assert ingot.get("shop.example").status == 503
    assert "another namespace" in ingot.said()


def test_an_unreadable_authority_closes_the_route(ingot, tls_pod):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(secret("backends", **{"ca.crt": "no certificate"}), shop(pod, **verified()))

    assert ingot.get("shop.example").status == 503
    assert "ca.crt holds no certificate in PEM form" in ingot.said()


# ------------------------------------------------------------------ names, certificates, ciphers

def test_no_name_is_sent_unless_asked_for(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    ingot.get("shop.example")

    assert pod.tls.asked in ([], [None])


@pytest.mark.parametrize("given, sent", [({}, SERVICE_NAME),
                                         ({"proxy_ssl_name": "internal.example"}, "internal.example")])
def test_the_name_that_is_sent_is_never_the_clients(ingot, tls_pod, authority, given, sent):
    pod = tls_pod(SERVICE_NAME, "internal.example")
    ingot.serve(trust(authority), shop(pod, **verified(proxy_ssl_server_name="on", **given)))

    assert ingot.get("shop.example").status == 200

    assert pod.tls.asked == [sent]


def test_a_client_certificate_is_shown(ingot, tls_pod, authority):
    clients = Authority("clients")
    pod = tls_pod(SERVICE_NAME, client_authority=clients)
    shown = clients.issue("ingot")
    ingot.serve(secret("backends", shown, **{"ca.crt": authority.pem}),
                shop(pod, **verified()))

    assert ingot.get("shop.example").status == 200
    assert pod.wires[0].sock.getpeercert()["subject"] == ((("commonName", "ingot"),),)


def test_a_client_certificate_alone_is_shown_too(ingot, tls_pod):
    clients = Authority("clients")
    pod = tls_pod("anything.example", client_authority=clients)
    ingot.serve(secret("backends", clients.issue("ingot")),
                shop(pod, backend_protocol="HTTPS", proxy_ssl_secret="backends"))

    assert ingot.get("shop.example").status == 200


def test_a_pod_that_wants_a_certificate_refuses_who_has_none(ingot, tls_pod):
    pod = tls_pod("anything.example", client_authority=Authority("clients"))
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    assert ingot.get("shop.example").status == 502
    assert pod.requests == []


def test_versions_and_ciphers_are_those_given(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified(
        proxy_ssl_protocols="TLSv1.2", proxy_ssl_ciphers="ECDHE-ECDSA-CHACHA20-POLY1305")))

    assert ingot.get("shop.example").status == 200

    assert pod.wires[0].sock.version() == "TLSv1.2"
    assert pod.wires[0].sock.cipher()[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


def test_ciphers_that_do_not_exist_send_nothing_in_clear(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified(proxy_ssl_ciphers="NO-SUCH-CIPHER")))

    assert ingot.get("shop.example").status == 503
    assert pod.connections == 0
    assert "TLS with endpoints cannot be set up" in ingot.said()


# ------------------------------------------------------------------ apart, and anew

def test_connections_under_other_settings_are_kept_apart(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME, "internal.example")
    ingot.serve(trust(authority), shop(pod, **verified()),
                shop(pod, "named", "named.example",
                     **verified(proxy_ssl_name="internal.example")),
                shop(pod, "open", "open.example", backend_protocol="HTTPS"))

    for host in ["shop.example", "named.example", "open.example"] * 3:
        assert ingot.get(host).status == 200

    assert pod.connections == 3


def test_plain_requests_do_not_meet_encrypted_connections(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(shop(pod, backend_protocol="HTTPS"), shop(pod, "plain", "plain.example"))
    assert ingot.get("shop.example").status == 200

    answer = ingot.get("plain.example")

    assert answer.status == 502
    assert len(pod.requests) == 1


def test_a_renewed_secret_holds_for_the_next_connection(ingot, tls_pod, authority):
    pod = tls_pod(SERVICE_NAME)
    ingot.serve(trust(authority), shop(pod, **verified()))
    assert ingot.get("shop.example").status == 200

    ingot.apply(trust(Authority("stranger")))
    assert ingot.get("shop.example").status == 502

    ingot.apply(trust(authority))
    assert ingot.get("shop.example").status == 200


def test_a_renewed_client_certificate_is_shown(ingot, tls_pod):
    clients = Authority("clients")
    pod = tls_pod("anything.example", client_authority=clients)
    route = shop(pod, backend_protocol="HTTPS", proxy_ssl_secret="backends")
    ingot.serve(secret("backends", clients.issue("first")), route)
    ingot.get("shop.example")

    ingot.apply(secret("backends", clients.issue("second")))
    ingot.get("shop.example")

    names = [wire.sock.getpeercert()["subject"][0][0][1] for wire in pod.wires]
    assert names == ["first", "second"]


def test_a_handshake_that_does_not_go_on_ends_with_the_time_to_connect(make_ingot):
    ingot = make_ingot(config={"proxy_connect_timeout": 1, "proxy_next_upstream_tries": 1})
    with Listener() as silent:
        ingot.serve(shop(silent, backend_protocol="HTTPS"))

        assert ingot.get("shop.example").status == 504


def test_bytes_before_the_end_of_the_handshake_are_no_answer(ingot):
    with Listener() as eager:
        ingot.serve(shop(eager, backend_protocol="HTTPS"))
        client = ingot.connect()
        client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        for _ in range(3):      # proxy-next-upstream-tries
            pod, _ = eager.sock.accept()
            pod.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        assert client.response().status == 502


class Listener:
    """The socket of a pod that the test plays itself."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address, self.port = self.sock.getsockname()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


def test_messages_of_websockets_pass(ingot, tls_pod):
    pod = tls_pod("anything.example", answer=websocket.echoing)
    ingot.serve(shop(pod, backend_protocol="HTTPS"))
    client = ingot.connect()
    client.send(websocket.handshake("shop.example"))
    assert client.head().status == 101

    for message in ("hello", "y" * 70_000):
        client.send(websocket.frame(message))
        assert websocket.read_frame(client.reader) == (websocket.TEXT, message.encode())


def saying_once_and_gone(wire, request):
    """Opens the WebSocket, says something and goes without a word of TLS."""
    wire.send(websocket.switching(request.header("Sec-WebSocket-Key")), websocket.frame("last", masked=False))
    wire.close()


def test_a_pod_that_goes_without_a_word_ends_the_websocket(ingot, tls_pod):
    pod = tls_pod("anything.example", answer=saying_once_and_gone)
    ingot.serve(shop(pod, backend_protocol="HTTPS"))
    client = ingot.connect()
    client.send(websocket.handshake("shop.example"))
    assert client.head().status == 101

    assert websocket.read_frame(client.reader) == (websocket.TEXT, b"last")
    assert client.is_closed()


def test_it_ends_the_websocket_of_http_2_too(ingot, tls_pod):
    pod = tls_pod("anything.example", answer=saying_once_and_gone)
    ingot.serve(shop(pod, backend_protocol="HTTPS"))

    with http2.Client(ingot.address) as client:
        tunnel = client.request("shop.example", "/", "CONNECT", [("sec-websocket-version", "13")],
                                end=False, pseudo=[(":protocol", "websocket")])
        client.await_(lambda: tunnel.ended)

        assert tunnel.status == 200
        assert bytes(tunnel.body) == websocket.frame("last", masked=False)
        assert client.get("unknown.example").status == 404
