# SPDX-License-Identifier: Apache-2.0
"""gRPC through Ingot, by the real client and server."""
import os
import pathlib
import re
import signal
import threading

import grpc
import pytest
import yaml

from world import http2
from world.backend import plain
from world.certificates import Authority, Certificate, secret
from world.client import Connection
from world.objects import Manifest, endpoints, ingress, ingress_only, path_rule, service
from world.rpc import Client, Pod, Questions, failure
from world.wait import PATIENCE, eventually

HOST = "shop.example"
PREFIX = "nginx.ingress.kubernetes.io/"
TIMEOUT = 10 * PATIENCE
Status = grpc.StatusCode
LARGE = os.urandom(10 << 20)


@pytest.fixture
def grpc_pods():
    """grpc_pods("a", "b"): that many gRPC servers."""
    made = []

    def make(*names, **options):
        new = [Pod(name, **options) for name in names]
        made.extend(new)
        return new

    yield make
    for pod in made:
        pod.stop()


@pytest.fixture
def pod(grpc_pods):
    return grpc_pods("pod")[0]


def notes(protocol="GRPC", **annotations):
    return {PREFIX + "backend-protocol": protocol,
            **{PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}}


def cart(to, protocol="GRPC", **annotations):
    """annotations: written with _ for -."""
    return ingress(HOST, to=to, annotations=notes(protocol, **annotations))


@pytest.fixture
def ingot(make_ingot):
    return make_ingot(config={"proxy-body-size": "0"})


@pytest.fixture
def client(ingot, pod):
    ingot.serve(cart([pod]))
    with Client(ingot.address, HOST) as made:
        yield made


def held(client, pod, count=1):
    """Calls that have come to the pod's /Hold."""
    calls = [client.unary("Hold").future(b"%d" % i, timeout=TIMEOUT) for i in range(count)]
    for _ in calls:
        assert pod.holding.acquire(timeout=TIMEOUT)
    return calls


# ------------------------------------------------------------------ the four kinds

def test_a_call_comes_back(client, ingot, pod):
    answer, call = client.unary("Echo").with_call(b"apple", timeout=TIMEOUT)

    assert answer == b"apple"
    assert call.code() is Status.OK
    assert ("pod", "pod") in call.initial_metadata()
    assert dict(call.trailing_metadata()) == {"parting": "bye", "parting-bin": b"\x00\xff"}
    line = ingot.log_lines(1)[0]
    assert '"POST /shop.Cart/Echo HTTP/2.0" 200 ' in line
    assert f"{pod.address}:{pod.port}" in line


def test_metadata_reaches_the_pod(client, pod):
    client.unary("Echo")(b"", timeout=TIMEOUT, metadata=(("basket", "7"), ("basket-bin", b"\xff\x00")))

    _, metadata, _, _ = pod.seen[0]
    assert metadata["basket"] == "7"
    assert metadata["basket-bin"] == b"\xff\x00"
    assert metadata["x-forwarded-for"] == "127.0.0.1"


def test_many_messages_come_back(client):
    assert list(client.to_many("Count")(b"1000", timeout=TIMEOUT)) == [b"%d" % i for i in range(1000)]


def test_many_messages_go_there(client):
    assert client.from_many("Sum")(iter([b"apple"] * 1000), timeout=TIMEOUT) == b"5000"


def test_both_sides_talk_at_once(client):
    questions = Questions()
    answers = client.many_to_many("Talk")(questions, timeout=TIMEOUT)

    for word in (b"apple", b"pear", b"plum"):
        questions.put(word)
        assert next(answers) == word.upper()    # comes while the request goes on
    questions.close()
    assert list(answers) == []
    assert answers.code() is Status.OK


def test_a_conversation_may_begin_with_the_answer(client):
    questions = Questions()
    answers = client.many_to_many("Talk")(questions, timeout=TIMEOUT)

    assert ("pod", "pod") in answers.initial_metadata()     # blocks until the head is there
    questions.close()
    assert list(answers) == []


def test_large_messages_go_both_ways(client):
    assert client.unary("Echo")(LARGE, timeout=3 * TIMEOUT) == LARGE


# ------------------------------------------------------------------ outcomes

def test_the_pods_own_outcome_arrives(client):
    error = failure(client.unary("Fail"), b"")

    assert error.code() is Status.FAILED_PRECONDITION
    assert error.details() == "nö 100%"
    assert dict(error.trailing_metadata())["parting"] == "bye"


def test_trailers_only(client):
    error = failure(client.unary("Unknown"), b"")

    assert error.code() is Status.UNIMPLEMENTED
    assert error.details() == "Method not found!"


def test_the_deadline_goes_on_and_its_end_reaches_the_pod(client, pod):
    error = failure(client.unary("Hold"), b"", timeout=0.5 * PATIENCE)

    assert error.code() is Status.DEADLINE_EXCEEDED
    _, _, left, _ = pod.seen[0]
    assert left < PATIENCE           # its wire form is rounded
    assert pod.ended.acquire(timeout=TIMEOUT)       # although nobody released it


def test_a_call_without_a_deadline_has_none(client, pod):
    client.unary("Echo")(b"")

    assert pod.seen[0][2] > 1e9         # the library's word for none


def test_cancellation_reaches_the_pod(client, pod, ingot):
    (call,) = held(client, pod)

    call.cancel()

    assert pod.ended.acquire(timeout=TIMEOUT)
    assert '"POST /shop.Cart/Hold HTTP/2.0" 200 0 ' in ingot.log_lines(1)[0]
    assert client.unary("Echo")(b"on", timeout=TIMEOUT) == b"on"
    assert pod.connections == 1


def test_cancelling_a_conversation_reaches_the_pod(client, pod):
    questions = Questions()
    answers = client.many_to_many("Talk")(questions, timeout=TIMEOUT)
    questions.put(b"a")
    assert next(answers) == b"A"

    answers.cancel()

    assert pod.ended.acquire(timeout=TIMEOUT)


# ------------------------------------------------------------------ errors of Ingot's own

def test_a_host_that_nobody_serves(client, ingot):
    with Client(ingot.address, "other.example") as other:
        error = failure(other.unary("Echo"), b"")

    assert error.code() is Status.UNIMPLEMENTED
    assert error.details().startswith("404 ")


def test_a_service_without_endpoints(ingot):
    ingot.serve(cart([]))
    with Client(ingot.address, HOST) as client:
        error = failure(client.unary("Echo"), b"")

    assert error.code() is Status.UNAVAILABLE
    assert error.details().startswith("503 ")
    assert "application/grpc" not in ingot.log_lines(1)[0]
    assert '" 503 ' in ingot.log_lines(1)[0]


def test_a_pod_that_is_gone(ingot, grpc_pods):
    (pod,) = grpc_pods("pod")
    pod.stop()
    ingot.serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        error = failure(client.unary("Echo"), b"")

    assert error.code() is Status.UNAVAILABLE
    assert error.details().startswith("502 ")
    eventually(lambda: ingot.metrics().sum("ingot_local_responses_total", reason="connect_refused") == 1)


def test_a_pod_that_says_nothing_in_time(make_ingot, pod):
    ingot = make_ingot(config={"proxy-read-timeout": "1"}).serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        error = failure(client.unary("Mute"), b"")

    assert error.code() is Status.UNAVAILABLE
    assert error.details().startswith("504 ")
    assert pod.ended.acquire(timeout=TIMEOUT)


def test_a_conversation_that_pauses_for_too_long(make_ingot, pod):
    ingot = make_ingot(config={"proxy-read-timeout": "1"}).serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        questions = Questions()
        answers = client.many_to_many("Talk")(questions, timeout=TIMEOUT)
        questions.put(b"a")
        assert next(answers) == b"A"

        with pytest.raises(grpc.RpcError) as error:
            next(answers)

    assert error.value.code() is Status.INTERNAL    # RST_STREAM with INTERNAL_ERROR: the head had gone
    assert pod.ended.acquire(timeout=TIMEOUT)


def test_a_body_that_is_too_large(make_ingot, pod):
    ingot = make_ingot(config={"proxy-body-size": "1k"}).serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        error = failure(client.unary("Echo"), b"x" * 2000)

    assert error.code() is Status.UNKNOWN
    assert error.details().startswith("413 ")


def test_the_shape_of_an_error(ingot):
    ingot.serve(cart([]))
    with http2.Client(ingot.address) as client:
        answer = client.get(HOST, "/shop.Cart/Echo", method="POST",
                            fields=[("content-type", "application/grpc+proto"), ("te", "trailers")])

        assert answer.status == 200 and answer.ended
        assert answer.header("content-type") == "application/grpc"
        assert answer.header("grpc-status") == "14"
        assert answer.header("grpc-message").startswith("503 ")
        assert answer.header("content-length") is None
        assert not answer.body and not answer.trailers


@pytest.mark.parametrize("kind", ["application/grpc-web", "application/grpc-web+proto", "application/json"])
def test_who_does_not_speak_grpc_gets_a_page(ingot, kind):
    ingot.serve(cart([]))
    with http2.Client(ingot.address) as client:
        answer = client.get(HOST, method="POST", fields=[("content-type", kind)])

    assert answer.status == 503
    assert answer.header("grpc-status") is None
    assert b"<h1>503" in answer.body


def test_grpc_web_passes_as_it_is(ingot, pods):
    frames = b"\0\0\0\0\5apple" + b"\x80\0\0\0\x0fgrpc-status:0\r\n"
    (pod,) = pods("pod", answer=plain(frames, headers=[("Content-Type", "application/grpc-web")]))
    ingot.serve(ingress(HOST, to=[pod]))

    answer = ingot.request(HOST, "/shop.Cart/Echo", method="POST", body=b"\0\0\0\0\5apple",
                           headers=[("Content-Type", "application/grpc-web"), ("X-Grpc-Web", "1")])

    assert answer.body == frames
    assert pod.last.header("Content-Type") == "application/grpc-web"


def test_a_client_of_http_1_gets_the_messages(client, ingot):
    with Connection(ingot.address) as plain_client:
        answer = plain_client.request("/shop.Cart/Echo", HOST, method="POST", body=b"\0\0\0\0\5apple", headers=[
            ("Content-Type", "application/grpc"), ("TE", "trailers"), ("Connection", "te")])

    assert answer.status == 200
    assert answer.body == b"\0\0\0\0\5apple"
    assert ("grpc-status", "0") in [(name.lower(), value) for name, value in answer.trailers]


def test_a_client_of_http_1_gets_an_outcome_without_messages(client, ingot):
    with Connection(ingot.address) as plain_client:
        for _ in range(2):      # the connection stays
            answer = plain_client.request("/shop.Cart/Unknown", HOST, method="POST", headers=[
                ("Content-Type", "application/grpc"), ("TE", "trailers"), ("Connection", "te")])

            assert (answer.status, answer.framing, answer.body) == (200, "length", b"")
            assert answer.header("grpc-status") == "12"


# ------------------------------------------------------------------ connections

def test_a_hundred_calls_at_once_share_a_connection(client, pod, ingot):
    calls = held(client, pod, 100)

    assert ingot.metrics().sum("ingot_upstream_connections", state="active") == 1
    pod.release.set()
    assert [call.result() for call in calls] == [b"%d" % i for i in range(100)]
    assert pod.connections == 1


def test_calls_of_many_clients_share_a_connection(client, pod, ingot):
    client.unary("Echo")(b"", timeout=TIMEOUT)
    for _ in range(5):
        with Client(ingot.address, HOST) as other:
            assert other.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"

    assert pod.connections == 1


def test_a_pod_that_stops_lets_calls_end(ingot, grpc_pods):
    old, new = grpc_pods("old", "new")
    ingot.serve(cart([old]))
    with Client(ingot.address, HOST) as client:
        (call,) = held(client, old)
        ended = old.server.stop(TIMEOUT)            # GOAWAY; calls under way may end
        with ingot.change():
            ingot.write(*endpoints("web", [new]))
        assert client.unary("Echo").with_call(b"x", timeout=TIMEOUT)[1].initial_metadata()
        assert [method for method, *_ in new.seen] == ["Echo"]

        old.release.set()

        assert call.result() == b"0"
        assert ended.wait(TIMEOUT)


def test_a_pod_that_restarts_is_called_again(ingot, grpc_pods):
    (pod,) = grpc_pods("pod")
    ingot.serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"
        pod.server.stop(0).wait()
        (again,) = grpc_pods("again", port=pod.port)

        assert client.unary("Echo")(b"y", timeout=TIMEOUT) == b"y"
        assert len(again.seen) == 1


def test_ingot_ends_when_the_calls_have(ingot, pod):
    ingot.serve(cart([pod]))
    with Client(ingot.address, HOST) as client:
        (call,) = held(client, pod)
        ingot.signal(signal.SIGTERM)
        threading.Timer(0.3, pod.release.set).start()

        assert call.result() == b"0"
    assert ingot.wait() == 0


def test_a_service_port_can_say_it(ingot, pod):
    port = service("web")
    port[0].documents[0]["spec"]["ports"] = [{"port": 80, "name": "http", "appProtocol": "kubernetes.io/h2c"}]
    ingot.serve(ingress_only("web", {HOST: [path_rule("/", "web")]}), port, endpoints("web", [pod]))
    with Client(ingot.address, HOST) as client:
        assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"


# ------------------------------------------------------------------ TLS

@pytest.fixture(scope="module")
def authority():
    return Authority("backends")


@pytest.fixture
def tls_pod(grpc_pods, authority):
    def make(name):
        issued = authority.issue(name)
        credentials = grpc.ssl_server_credentials([(issued.key.encode(), issued.pem.encode())])
        return grpc_pods("pod", credentials=credentials)[0]
    return make


VERIFIED = {"protocol": "GRPCS", "proxy_ssl_secret": "shop/backends", "proxy_ssl_verify": "on"}


def test_tls_towards_pods(ingot, tls_pod):
    pod = tls_pod("anything.example")
    ingot.serve(cart([pod], "GRPCS"))
    with Client(ingot.address, HOST) as client:
        assert client.unary("Echo")(LARGE, timeout=3 * TIMEOUT) == LARGE
        assert list(client.to_many("Count")(b"10", timeout=TIMEOUT)) == [b"%d" % i for i in range(10)]
    assert pod.connections == 1


def test_pods_that_are_verified(ingot, tls_pod, authority):
    pod = tls_pod("web.shop.svc")
    ingot.serve(cart([pod], **VERIFIED), secret("backends", **{"ca.crt": authority.pem}))
    with Client(ingot.address, HOST) as client:
        assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"


def test_a_pod_that_does_not_verify(ingot, tls_pod, authority):
    pod = tls_pod("other.example")
    ingot.serve(cart([pod], **VERIFIED), secret("backends", **{"ca.crt": authority.pem}))
    with Client(ingot.address, HOST) as client:
        error = failure(client.unary("Echo"), b"x")

    assert error.code() is Status.UNAVAILABLE
    eventually(lambda: ingot.metrics().sum("ingot_local_responses_total", reason="upstream_unverified") == 1)
    assert not pod.seen


def test_tls_on_both_sides(make_ingot, tls_pod):
    pod = tls_pod("anything.example")
    front = Certificate(HOST)
    ingot = make_ingot(tls=True).serve(secret("shop-tls", front), ingress(
        HOST, to=[pod], annotations=notes("GRPCS"), tls=[{"hosts": [HOST], "secretName": "shop-tls"}]))
    credentials = grpc.ssl_channel_credentials(front.pem.encode())

    with Client((ingot.bind, ingot.https_port), HOST, credentials,
                [("grpc.ssl_target_name_override", HOST)]) as client:
        assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"
    assert pod.seen[0][1]["x-forwarded-proto"] == "https"


# ------------------------------------------------------------------ the guide

def test_the_guide_works_as_it_stands(ingot, pod):
    page = (pathlib.Path(__file__).parent.parent.parent / "docs" / "grpc.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    ingot.serve([Manifest("guide.yaml", *yaml.safe_load_all(block))],
                endpoints("cart", [pod], port_name="grpc"))
    with Client(ingot.address, HOST) as client:
        assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"
        assert failure(client.channel.unary_unary("/shop.Other/Echo"), b"").code() is Status.UNIMPLEMENTED


# ------------------------------------------------------------------ retries

def test_a_call_goes_on_to_a_pod_that_is_there(ingot, grpc_pods):
    gone, there = grpc_pods("gone", "there")
    gone.stop()
    ingot.serve(cart([gone, there]))
    with Client(ingot.address, HOST) as client:
        for _ in range(4):
            assert client.unary("Echo")(b"x", timeout=TIMEOUT) == b"x"
    assert len(there.seen) == 4
