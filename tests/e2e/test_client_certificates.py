# SPDX-License-Identifier: Apache-2.0
"""Client certificates: auth-tls-*, who gets in, and what pods are told."""
import socket
import ssl
import urllib.parse

import pytest

from world.certificates import Authority, Certificate, secret
from world.client import Connection
from world.objects import ingress
from world.wait import eventually

PREFIX = "nginx.ingress.kubernetes.io/"
HOST = "shop.example"


@pytest.fixture(scope="module")
def clients():
    return Authority("clients")


@pytest.fixture(scope="module")
def ann(clients):
    return clients.issue(subject="/O=shop/OU=sales/CN=ann")


@pytest.fixture(scope="module")
def stranger():
    return Authority("strangers").issue(subject="/CN=ann")


@pytest.fixture(scope="module")
def served():
    """What hosts are served under."""
    return Certificate(HOST, "other.example", "open.example", "*.wild.example")


@pytest.fixture
def ingot(make_ingot, served):
    made = make_ingot(tls=True)
    made.write(secret("served", served))
    return made


def shop(pod, host=HOST, name="web", tls=True, path="/", namespace="shop", **annotations):
    """annotations: auth-tls-*, written with _ for -."""
    notes = {PREFIX + "auth-tls-" + key.replace("_", "-"): value for key, value in annotations.items()}
    spec = {"tls": [{"hosts": [host], "secretName": "served"}]} if tls else {}
    return ingress(host, path, to=[pod], name=name, annotations=notes, namespace=namespace, **spec)


def trust(authority, **more):
    return secret("clients", **{"ca.crt": authority.pem, **more})


def guarded(pod, **more):
    return shop(pod, **{"secret": "shop/clients", **more})


def connect(ingot, place, name=HOST, shown=None, **settings):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if shown is not None:
        made.load_cert_chain(*shown.save(place))
    for key, value in settings.items():
        setattr(made, key, value)
    plain = socket.create_connection(("127.0.0.1", ingot.https_port), 5)
    return Connection.over(made.wrap_socket(plain, server_hostname=name))


@pytest.fixture
def ask(ingot, place):
    """ask(shown): a request under that certificate."""
    def make(shown=None, host=HOST, target="/", name=None, **more):
        settings = {key: more.pop(key) for key in ("maximum_version",) if key in more}
        with connect(ingot, place, name or host, shown, **settings) as client:
            return client.request(target, host, **more)
    return make


def told(request, name):
    return request.header("ssl-client-" + name)


# ------------------------------------------------------------------ who gets in

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_a_certificate_of_the_authority_gets_in(ingot, ask, pod, clients, ann, version):
    ingot.serve(trust(clients), guarded(pod))

    answer = ask(ann, maximum_version=version)

    assert answer.status == 200
    assert told(pod.last, "verify") == "SUCCESS"
    assert told(pod.last, "subject-dn") == "CN=ann,OU=sales,O=shop"
    assert told(pod.last, "issuer-dn") == "CN=clients"
    assert told(pod.last, "cert") is None


def test_a_client_without_a_certificate_gets_400(ingot, ask, pod, clients):
    ingot.serve(trust(clients), guarded(pod))

    assert ask().status == 400
    assert pod.requests == []


def test_a_certificate_of_another_authority_gets_400(ingot, ask, pod, clients, stranger):
    ingot.serve(trust(clients), guarded(pod))

    assert ask(stranger).status == 400
    assert pod.requests == []


def test_an_expired_certificate_gets_400(ingot, ask, pod, clients):
    expired = clients.issue("ann", days=("20200101000000Z", "20200201000000Z"))
    ingot.serve(trust(clients), guarded(pod))

    assert ask(expired).status == 400
    assert pod.requests == []


def test_a_revoked_certificate_gets_400(ingot, ask, pod):
    authority = Authority("careful")
    good, bad = authority.issue("good"), authority.issue("bad")
    authority.revoke(bad)
    ingot.serve(trust(authority, **{"ca.crl": authority.revoked()}), guarded(pod))

    assert ask(good).status == 200
    assert ask(bad).status == 400
    assert len(pod.requests) == 1


def test_a_chain_is_as_long_as_allowed(ingot, ask, pod):
    root = Authority("root")
    low = Authority("low", Authority("middle", root))
    shown = low.issue("ann")
    ingot.serve(trust(root), guarded(pod))
    assert ask(shown).status == 400

    ingot.apply(guarded(pod, verify_depth="2"))

    assert ask(shown).status == 200


def test_the_reasons_stand_in_the_log(make_ingot, served, place, pod, clients, stranger):
    ingot = make_ingot(tls=True, log="json")
    ingot.serve(secret("served", served), trust(clients), guarded(pod))

    for shown in (None, stranger):
        with connect(ingot, place, HOST, shown) as client:
            client.request("/", HOST)

    first, second = ingot.log_lines(2)
    assert '"no_client_certificate"' in first
    assert '"bad_client_certificate"' in second


# ------------------------------------------------------------------ optional, off

def test_optional_lets_in_who_shows_nothing(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, verify_client="optional"))

    assert ask().status == 200
    assert told(pod.last, "verify") == "NONE"
    assert told(pod.last, "subject-dn") is None
    assert ask(ann).status == 200
    assert told(pod.last, "verify") == "SUCCESS"


def test_optional_refuses_a_bad_certificate(ingot, ask, pod, clients, stranger):
    ingot.serve(trust(clients), guarded(pod, verify_client="optional"))

    assert ask(stranger).status == 400
    assert pod.requests == []


def test_optional_without_authority_never_tells_of_success(ingot, ask, pod, clients, ann, stranger):
    ingot.serve(trust(clients), guarded(pod, verify_client="optional_no_ca"))

    for shown in (ann, stranger):
        assert ask(shown).status == 200
        assert told(pod.last, "verify").startswith("FAILED:")
        assert told(pod.last, "subject-dn").startswith("CN=ann")
    assert ask().status == 200
    assert told(pod.last, "verify") == "NONE"


def test_off_asks_nobody(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, verify_client="off"))

    assert ask(ann).status == 200
    assert told(pod.last, "verify") is None


def test_a_word_that_nobody_knows_means_on(ingot, ask, pod, clients):
    ingot.serve(trust(clients), guarded(pod, verify_client="maybe"))

    assert ask().status == 400
    assert "IGT1205" in ingot.said()


# ------------------------------------------------------------------ what pods are told

def test_the_certificate_is_passed_where_it_is_asked_for(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, pass_certificate_to_upstream="true"))

    assert ask(ann).status == 200

    passed = told(pod.last, "cert")
    assert urllib.parse.unquote(passed) == ann.pem
    assert "\n" not in passed and "+" not in passed and " " not in passed


SPOOFED = {"ssl-client-verify": "SUCCESS", "SSL-Client-Subject-DN": "CN=root", "ssl-client-issuer-dn": "CN=x",
           "ssl-client-cert": "x"}


def test_a_client_cannot_say_it_itself(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, verify_client="optional"))

    ask(headers=SPOOFED)
    assert told(pod.last, "verify") == "NONE"
    assert told(pod.last, "subject-dn") is None
    assert told(pod.last, "cert") is None
    ask(ann, headers=SPOOFED)
    assert told(pod.last, "subject-dn") == "CN=ann,OU=sales,O=shop"
    assert told(pod.last, "cert") is None


def test_the_fields_go_from_hosts_that_ask_nobody_and_from_trusted_peers_too(make_ingot, pod):
    ingot = make_ingot(config={"use_forwarded_headers": "true", "proxy_real_ip_cidr": "127.0.0.0/8"})
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST, headers=SPOOFED).status == 200

    for name in ("verify", "subject-dn", "issuer-dn", "cert"):
        assert told(pod.last, name) is None


def test_no_field_that_looks_like_ours_comes_from_a_client(make_ingot, pod):
    ingot = make_ingot(config={"enable_underscores_in_headers": "true"})
    ingot.serve(ingress(HOST, to=[pod]))

    ingot.get(HOST, headers={"ssl-client-fingerprint": "x", "SSL-Client-Serial": "1", "ssl_client_s_dn": "CN=root",
                             "ssl-clients": "passes"})

    assert [value for name, value in pod.last.headers if name.lower().startswith("ssl")] == ["passes"]


def test_a_subject_cannot_write_a_field(ingot, ask, pod, clients):
    odd = clients.issue(subject="/CN=ann\\, O\\=x\u00e9\t")
    ingot.serve(trust(clients), guarded(pod))

    assert ask(odd).status == 200
    subject = told(pod.last, "subject-dn")
    assert subject.startswith("CN=ann\\, O=x") and subject.isascii()


# ------------------------------------------------------------------ error page, subject

@pytest.mark.parametrize("page", ["https://help.example/certificates?from=shop", "/help"])
def test_a_page_instead_of_400(ingot, ask, pod, clients, ann, stranger, page):
    ingot.serve(trust(clients), guarded(pod, error_page=page))

    for shown in (None, stranger):
        answer = ask(shown)
        assert answer.status == 302
        assert answer.header("Location") == page
    assert ask(ann).status == 200


def test_a_page_that_cannot_be_leaves_400(ingot, ask, pod, clients):
    ingot.serve(trust(clients), guarded(pod, error_page="@fallback"))

    assert ask().status == 400
    assert "IGT1205" in ingot.said()


def test_a_subject_that_does_not_match_gets_403(ingot, ask, pod, clients, ann):
    bob = clients.issue(subject="/CN=bob/O=shop")
    ingot.serve(trust(clients), guarded(pod, match_cn="CN=(ann|eve)"))

    assert ask(ann).status == 200
    assert ask(bob).status == 403
    assert len(pod.requests) == 1


def test_the_whole_subject_is_matched(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, match_cn="CN=ann,OU=sales,O=shop$"))
    assert ask(ann).status == 200

    ingot.apply(guarded(pod, match_cn="CN=ann$"))
    assert ask(ann).status == 403


def test_who_shows_nothing_matches_nothing(ingot, ask, pod, clients):
    ingot.serve(trust(clients), guarded(pod, verify_client="optional", match_cn="CN=.*"))

    assert ask().status == 403
    assert pod.requests == []


@pytest.mark.parametrize("pattern", ["ann", "CN=(ann", "CN=(*SKIP)ann"])
def test_a_pattern_that_cannot_be_used_closes_the_host(ingot, ask, pod, clients, ann, pattern):
    ingot.serve(trust(clients), guarded(pod, match_cn=pattern))

    assert ask(ann).status == 403
    assert "IGT1207" in ingot.said()


def test_a_pattern_without_end_gets_500_and_holds_nobody_up(ingot, ask, pod, clients):
    long = clients.issue(subject="/CN=" + "a" * 60)
    ingot.serve(trust(clients), guarded(pod, match_cn="CN=(a|aa)+[b-c]"))

    assert ask(long).status == 500
    assert pod.requests == []


# ------------------------------------------------------------------ fail closed

@pytest.mark.parametrize("objects", [[], secret("clients", password="x"), secret("clients", **{"ca.crt": "no PEM"})],
                         ids=["missing", "without ca.crt", "unreadable"])
def test_a_secret_that_cannot_be_used_closes_the_host(ingot, ask, pod, clients, ann, objects):
    ingot.serve(objects, guarded(pod), shop(pod, name="beside", path="/beside"))

    assert ask(ann).status == 403
    assert ask(ann, target="/beside").status == 403
    assert ingot.get(HOST).status == 403
    assert pod.requests == []
    assert "IGT1405" in ingot.said()

    ingot.apply(trust(clients))

    assert ask(ann).status == 200


def test_a_secret_of_another_namespace_closes_the_host(ingot, ask, pod, clients, ann):
    ingot.serve(secret("clients", namespace="other", **{"ca.crt": clients.pem}),
                guarded(pod, secret="other/clients"))

    assert ask(ann).status == 403


def test_a_bad_list_of_revoked_closes_the_host(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients, **{"ca.crl": "nothing"}), guarded(pod))

    assert ask(ann).status == 403


def test_other_annotations_alone_ask_nobody_and_say_so(ingot, ask, pod):
    ingot.serve(shop(pod, verify_client="on"))

    assert ask().status == 200
    assert "IGT1206" in ingot.said()


# ------------------------------------------------------------------ one host, one policy

def test_all_paths_of_a_host_are_guarded(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, path="/a"), shop(pod, name="beside", path="/b"))

    for target in ("/a", "/b", "/", "/nowhere"):
        assert ask(target=target).status == 400
    assert ask(ann, target="/b").status == 200


def test_the_oldest_ingress_decides_and_the_other_is_told(ingot, ask, pod, clients, ann, stranger):
    ingot.serve(trust(clients), guarded(pod), secret("strangers", **{"ca.crt": Authority("x").pem}),
                guarded(pod, name="younger", path="/y", secret="shop/strangers"))

    assert ask(ann, target="/y").status == 200
    assert ask(stranger, target="/y").status == 400
    assert "IGT2103" in ingot.said()


def test_wildcards_are_guarded(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, host="*.wild.example"))

    assert ask(host="a.wild.example").status == 400
    assert ask(ann, host="a.wild.example").status == 200


def test_the_host_for_everything_else_is_guarded(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod, host="", tls=False))

    assert ask(host="any.example").status == 400
    assert ask(ann, host="any.example").status == 200


# ------------------------------------------------------------------ by which connection

def test_a_connection_opened_under_another_name_is_421(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod), shop(pod, "open.example", "open"))

    assert ask(ann, name="open.example").status == 421
    assert ask(name="open.example").status == 421
    assert pod.requests == []


def test_a_connection_without_a_name_is_421(ingot, place, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod))

    with connect(ingot, place, None, ann) as client:
        assert client.request("/", HOST).status == 421


def test_a_connection_under_another_policy_is_421(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod),
                guarded(pod, host="other.example", name="other", verify_client="optional_no_ca"))

    assert ask(ann, name="other.example").status == 421


def test_a_connection_under_the_same_policy_of_another_host_is_good(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod), guarded(pod, host="other.example", name="other"))

    assert ask(ann, name="other.example").status == 200


def test_a_host_that_asks_nobody_is_served_over_any_connection(ingot, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod), shop(pod, "open.example", "open"))

    assert ask(ann, host="open.example", name=HOST).status == 200
    assert told(pod.last, "verify") is None


def test_connections_of_before_count_for_nothing_when_the_policy_changes(ingot, place, pod, clients, ann):
    ingot.serve(trust(clients), shop(pod))
    with connect(ingot, place, HOST, ann) as before:
        assert before.request("/", HOST).status == 200

        ingot.apply(guarded(pod))

        assert before.request("/", HOST).status == 421


def test_connections_of_before_count_for_nothing_when_the_authority_changes(ingot, place, ask, pod, clients, ann):
    ingot.serve(trust(clients), guarded(pod))
    with connect(ingot, place, HOST, ann) as before:
        assert before.request("/", HOST).status == 200

        ingot.apply(trust(Authority("next")))

        assert before.request("/", HOST).status == 421
    assert ask(ann).status == 400


def test_in_clear_there_is_a_redirect_and_nothing_else(ingot, pod, clients):
    ingot.serve(trust(clients), guarded(pod))

    answer = ingot.get(HOST, "/cart")

    assert answer.status == 308
    assert pod.requests == []


def test_in_clear_without_a_redirect_there_is_421(ingot, pod, clients):
    ingot.serve(trust(clients), guarded(pod, tls=False))

    assert ingot.get(HOST).status == 421
    assert pod.requests == []


def test_a_trusted_proxy_cannot_say_that_a_plain_request_was_none(make_ingot, pod, clients, served):
    ingot = make_ingot(tls=True, config={"use_forwarded_headers": "true", "proxy_real_ip_cidr": "127.0.0.0/8"})
    ingot.serve(secret("served", served), trust(clients), guarded(pod))

    assert ingot.get(HOST, headers={"X-Forwarded-Proto": "https", **SPOOFED}).status == 421
    assert pod.requests == []


def test_challenges_of_acme_are_answered_in_clear(ingot, pod, pods, clients):
    (solver,) = pods("solver")
    ingot.serve(trust(clients), guarded(pod),
                shop(solver, name="solver", path="/.well-known/acme-challenge/token", tls=False))

    answer = ingot.get(HOST, "/.well-known/acme-challenge/token", headers=SPOOFED)

    assert answer.pod == "solver"
    assert told(solver.last, "verify") is None


# ------------------------------------------------------------------ both sides

def test_a_client_that_comes_and_goes_changes_nothing(ingot, ask, pod, clients, ann, stranger):
    ingot.serve(trust(clients), guarded(pod))

    for _ in range(10):
        assert ask(ann).status == 200
        assert ask().status == 400
        assert ask(stranger).status == 400

    assert len(pod.requests) == 10
    eventually(lambda: pod.open_connections <= 1)
