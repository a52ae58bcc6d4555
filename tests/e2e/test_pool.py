# SPDX-License-Identifier: Apache-2.0
"""Connections to pods: kept, left alone when stale, retried where that is safe."""
import json
import socket
import threading

from world.backend import first_time, name_and_body, plain, raw
from world.objects import IN_TURN, endpoints, ingress
from world.wait import eventually

HOST = "shop.example"


def test_connections_to_pods_are_kept_across_clients(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST, times=20).statuses == {200: 20}
    assert pod.connections == 1


def test_a_connection_that_the_pod_closed_meanwhile_is_not_used(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))
    assert ingot.get(HOST).status == 200

    for _ in range(10):
        pod.close_idle()
        assert ingot.get(HOST, method="POST", body=b"x").status == 200

    assert len(pod.requests) == 11


def test_a_stale_connection_is_retried_and_the_client_never_sees_it(ingot, pods):
    """The pod closes at the very moment when the request arrives: the first bytes of it are the signal."""
    (pod,) = pods("pod")
    usual = name_and_body(pod)
    closing = threading.Event()

    def answer(wire, request):
        if closing.is_set():
            closing.clear()
            wire.close()
            return
        usual(wire, request)

    pod.answer = answer
    ingot.serve(ingress(HOST, to=[pod]))

    for _ in range(10):
        assert ingot.get(HOST).status == 200
        closing.set()
        assert ingot.get(HOST).status == 200
        assert not closing.is_set()


def test_a_post_on_a_stale_connection_is_not_sent_twice(ingot, pods):
    (pod,) = pods("pod")
    usual = name_and_body(pod)
    state = {"count": 0}

    def answer(wire, request):
        state["count"] += 1
        if state["count"] == 2:
            wire.read_body(request)
            wire.close()
            return
        usual(wire, request)

    pod.answer = answer
    ingot.serve(ingress(HOST, to=[pod]))
    ingot.get(HOST)

    assert ingot.get(HOST, method="POST", body=b"order").status == 502
    assert len(pod.requests) == 2


def test_bytes_on_an_idle_connection_end_it(ingot, pods):
    (pod,) = pods("pod")
    ingot.serve(ingress(HOST, to=[pod]))
    ingot.get(HOST)

    pod.wires[0].send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    answer = ingot.get(HOST)
    assert answer.body == b"pod /\n"
    assert pod.connections == 2


def test_a_response_that_closes_is_the_last_of_its_connection(ingot, pods):
    (pod,) = pods("pod", answer=plain("x", headers=[("Connection", "close")]))
    ingot.serve(ingress(HOST, to=[pod]))

    ingot.get(HOST, times=3)

    assert pod.connections == 3


def test_an_http_1_0_pod_is_spoken_to_once_a_connection(ingot, pods):
    (pod,) = pods("pod", answer=raw("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST, times=3).statuses == {200: 3}
    assert pod.connections == 3


def test_no_pool_means_a_connection_for_each_request(make_ingot, pod):
    ingot = make_ingot(config={"upstream_keepalive_connections": 0})
    ingot.serve(ingress(HOST, to=[pod]))

    ingot.get(HOST, times=5)

    assert pod.connections == 5


def test_a_connection_carries_so_many_requests_and_no_more(make_ingot, pod):
    ingot = make_ingot(config={"upstream_keepalive_requests": 2})
    ingot.serve(ingress(HOST, to=[pod]))

    ingot.get(HOST, times=6)

    assert pod.connections == 3


def test_an_idle_connection_to_a_pod_is_closed_when_its_time_is_over(make_ingot, pod):
    ingot = make_ingot(config={"upstream_keepalive_timeout": 1})
    ingot.serve(ingress(HOST, to=[pod]))
    ingot.get(HOST)
    assert pod.open_connections == 1

    eventually(lambda: pod.open_connections == 0, 10, "the end of the idle connection")


def test_connections_to_a_pod_that_left_are_closed(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress(HOST, to=[a, b], annotations=IN_TURN))
    ingot.get(HOST, times=4)

    ingot.apply(endpoints(to=[a]))

    eventually(lambda: b.open_connections == 0, 5, "the end of connections to the pod that left")
    assert a.open_connections == 1


# ------------------------------------------------------------------ retries

def dead_port():
    """A port that refuses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Dead:
    """A pod that is not there."""

    def __init__(self):
        self.address, self.port = "127.0.0.1", dead_port()


def test_a_pod_that_refuses_is_passed_over(ingot, pods):
    (alive,) = pods("alive")
    ingot.serve(ingress(HOST, to=[Dead(), alive], annotations=IN_TURN))

    answers = ingot.get(HOST, times=20, method="POST", body=b"x" * 5000)

    assert answers.by_pod == {"alive": 20}
    assert all(request.body == b"x" * 5000 for request in alive.requests)


def test_pods_that_all_refuse_are_502(ingot):
    ingot.serve(ingress(HOST, to=[Dead(), Dead()], annotations=IN_TURN))

    assert ingot.get(HOST).status == 502


def test_a_pod_that_resets_before_its_answer_is_tried_elsewhere(ingot, pods):
    broken, = pods("broken", answer=raw(then="reset"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))

    assert ingot.get(HOST, times=10).by_pod == {"alive": 10}
    assert broken.requests


def test_a_post_that_was_sent_is_not_tried_elsewhere(ingot, pods):
    broken, = pods("broken", answer=raw(then="close"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))

    answers = ingot.get(HOST, times=10, method="POST", body=b"x")

    assert answers.statuses == {200: 5, 502: 5}
    assert len(broken.requests) == 5
    assert len(alive.requests) == 5


def test_non_idempotent_requests_are_tried_elsewhere_when_asked_for(make_ingot, pods):
    ingot = make_ingot(config={"retry_non_idempotent": "true"})
    broken, = pods("broken", answer=raw(then="close"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))

    answers = ingot.get(HOST, times=10, method="POST", body=b"order")

    assert answers.by_pod == {"alive": 10}
    assert {request.body for request in alive.requests} == {b"order"}


def test_a_retry_does_not_meet_the_pod_that_failed_though_it_is_its_turn(make_ingot, pods):
    """Between the attempt at the pod that fails and the retry another client takes the turn of the other one."""
    ingot = make_ingot(config={"upstream_keepalive_connections": 0, "proxy_next_upstream_tries": 2})
    release = threading.Event()

    def fail(wire, request):
        release.wait(20)
        wire.close()
    (failing,) = pods("failing", answer=fail)
    (alive,) = pods("alive")
    ingot.serve(ingress(HOST, to=[failing, alive], annotations=IN_TURN))
    while not failing.requests:     # whose turn is first is by chance
        client = ingot.connect()
        client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        eventually(lambda: failing.requests or client.has_news())
    assert ingot.get(HOST).pod == "alive"

    release.set()

    assert client.response().pod == "alive"


def leaves_while_asked(ingot, pod, release):
    """The answer to a request during which the only pod leaves the Service; released, the pod does its part."""
    client = ingot.connect()
    before = len(pod.requests)
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    pod.await_requests(before + 1)
    ingot.apply(endpoints(to=[]))
    release.set()
    return client.response()


def test_the_failure_is_told_when_no_pod_is_left_for_a_retry(make_ingot, pods):
    ingot = make_ingot(log="json")
    release = threading.Event()

    def answer(wire, request):
        release.wait(20)
        wire.close()
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))

    assert leaves_while_asked(ingot, pod, release).status == 502
    assert ingot.get(HOST).status == 503        # nobody was tried
    assert [json.loads(line)["reason"] for line in ingot.log_lines(2)] == ["upstream_closed", "no_endpoints"]


def test_a_stale_connection_is_told_when_no_pod_is_left_for_a_retry(ingot, pods):
    release = threading.Event()

    def answer(wire, request):
        if len(pod.requests) == 1:
            wire.respond("ok")
            return
        release.wait(20)
        wire.close()
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))
    assert ingot.get(HOST).status == 200

    assert leaves_while_asked(ingot, pod, release).status == 502


def test_the_status_is_told_when_no_pod_is_left_for_a_retry(make_ingot, pods):
    ingot = make_ingot(config={"proxy_next_upstream": "http_404"})
    release = threading.Event()

    def answer(wire, request):
        release.wait(20)
        wire.respond("not here", "404 Not Found")
    (pod,) = pods("pod", answer=answer)
    ingot.serve(ingress(HOST, to=[pod]))

    assert leaves_while_asked(ingot, pod, release).status == 404


def test_a_request_is_tried_three_times_at_most(ingot, pods):
    broken = pods("a", "b", "c", "d", answer=raw(then="close"))
    ingot.serve(ingress(HOST, to=broken))

    assert ingot.get(HOST).status == 502
    assert sum(len(pod.requests) for pod in broken) == 3


def test_statuses_are_tried_elsewhere_only_when_configured(make_ingot, pods):
    ingot = make_ingot(config={"proxy_next_upstream": "error timeout http_503"})
    busy, = pods("busy", answer=plain("busy", "503 Busy"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[busy, alive], annotations=IN_TURN))

    assert ingot.get(HOST, times=10).by_pod == {"alive": 10}


def test_when_every_pod_says_503_the_client_gets_the_last(make_ingot, pods):
    ingot = make_ingot(config={"proxy_next_upstream": "http_503"})
    ingot.serve(ingress(HOST, to=pods("a", "b", answer=plain("busy", "503 Busy"))))

    answer = ingot.get(HOST)

    assert (answer.status, answer.body) == (503, b"busy")


def test_statuses_of_pods_are_passed_on_by_default(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("a", "b", answer=plain("busy", "503 Busy"))))

    assert ingot.get(HOST).body == b"busy"


def test_no_retry_when_it_is_off(make_ingot, pods):
    ingot = make_ingot(config={"proxy_next_upstream": "off"})
    broken, = pods("broken", answer=raw(then="close"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))

    assert ingot.get(HOST, times=10).statuses == {200: 5, 502: 5}


def test_a_malformed_answer_is_tried_elsewhere_when_asked_for(make_ingot, pods):
    ingot = make_ingot(config={"proxy_next_upstream": "error invalid_header"})
    broken, = pods("broken", answer=raw("nonsense\r\n\r\n", then="close"))
    alive, = pods("alive")
    ingot.serve(ingress(HOST, to=[broken, alive], annotations=IN_TURN))

    assert ingot.get(HOST, times=10).by_pod == {"alive": 10}


def test_nothing_is_tried_again_once_bytes_went_to_the_client(ingot, pods):
    half, = pods("half", answer=raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
                                    then="reset"))
    ingot.serve(ingress(HOST, to=[half]))
    client = ingot.connect()
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    client.head()

    assert client.reader.exactly(4) == b"half"
    assert client.is_closed()
    assert len(half.requests) == 1


def test_a_retry_meets_another_pod_where_there_is_one(ingot, pods):
    a, b, c = pods("a", "b", "c")
    for pod in (a, b):
        pod.answer = first_time(raw(then="close"), name_and_body(pod))
    ingot.serve(ingress(HOST, to=[a, b, c], annotations=IN_TURN))

    assert ingot.get(HOST, times=12).statuses == {200: 12}
    assert len(a.requests) + len(b.requests) + len(c.requests) == 14
