# SPDX-License-Identifier: Apache-2.0
"""Which pod gets a request: by load, in turn, by what the request says."""
import collections
import os
import signal
import threading

import pytest

from world import process
from world.backend import late, plain, silent
from world.client import request_bytes
from world.figures import endpoint_loads
from world.load import Load
from world.objects import (IN_TURN, config_map, endpoints, ingress, ingress_only, path_rule)
from world.wait import eventually

HOST = "shop.example"
PREFIX = "nginx.ingress.kubernetes.io/"


def by(algorithm):
    return {PREFIX + "load-balance": algorithm}


def hashed(text, **more):
    return {PREFIX + "upstream-hash-by": text,
            **{PREFIX + "upstream-hash-by-" + name.replace("_", "-"): value for name, value in more.items()}}


@pytest.fixture
def holding(pods):
    """Pods that keep requests until the test is over."""
    release = threading.Event()

    def make(*names):
        return pods(*names, answer=silent(release))
    yield make
    release.set()


def hold(ingot, count, connections=None, **headers):
    """So many requests that stay under way, one after the other."""
    for connection in connections or [ingot.connect(timeout=20) for _ in range(count)]:
        before = endpoint_loads(ingot).in_flight
        connection.send(request_bytes("/", HOST, headers=headers))
        eventually(lambda: endpoint_loads(ingot).in_flight == before + 1, what="a request under way")


# ------------------------------------------------------------------ by load

@pytest.mark.parametrize("annotations, config", [
    ({}, {}),
    (by("ewma"), {"load_balance": "round_robin"}),
    (by("least_requests"), {}),
    ({}, {"load_balance": "least_requests"}),
], ids=["default", "ewma", "least_requests", "least_requests of the ConfigMap"])
def test_a_slow_pod_gets_less(make_ingot, pods, annotations, config):
    a, b, slow = pods("a", "b", "slow")
    slow.answer = late(slow, 0.03)
    ingot = make_ingot(workers=2, config=config)
    ingot.serve(ingress(HOST, to=[a, b, slow], annotations=annotations))

    with Load(ingot, HOST, clients=6) as load:
        eventually(lambda: len(load.answers) > 600, 20)

    shares = collections.Counter(load.answers)
    assert not load.failures
    assert shares["slow"] < 0.2 * len(load.answers), shares
    assert min(shares["a"], shares["b"]) > 0.1 * len(load.answers), shares
    eventually(lambda: endpoint_loads(ingot).in_flight == 0)


@pytest.mark.parametrize("annotations, config", [
    (IN_TURN, {}), ({}, {"load_balance": "round_robin"}),
], ids=["annotation", "ConfigMap"])
def test_in_turn_a_slow_pod_gets_as_much(make_ingot, pods, annotations, config):
    a, b, slow = pods("a", "b", "slow")
    slow.answer = late(slow, 0.01)
    ingot = make_ingot(config=config)
    ingot.serve(ingress(HOST, to=[a, b, slow], annotations=annotations))

    assert ingot.get(HOST, times=30).by_pod == {"a": 10, "b": 10, "slow": 10}


def test_a_pod_that_fails_at_once_does_not_attract(make_ingot, pods):
    a, b = pods("a", "b")
    (broken,) = pods("broken", answer=plain("no", "500 Broken", [("Pod", "broken")]))
    ingot = make_ingot(config={"proxy_next_upstream": "off"})
    ingot.serve(ingress(HOST, to=[a, b, broken]))

    pods_seen = ingot.get(HOST, times=200).by_pod

    assert pods_seen.get("broken", 0) < 20, pods_seen


def connections_without(ingot, worker, count):
    """So many open connections to other workers than that one: they answer while it stands still."""
    clients = [ingot.connect(timeout=20) for _ in range(16)]
    os.kill(worker, signal.SIGSTOP)
    try:
        eventually(lambda: process.is_stopped(worker))
        for client in clients:
            client.send(request_bytes("/", "nobody.example"))
        found = eventually(lambda: len(ours := [client for client in clients if client.has_news()]) >= count and ours)
    finally:
        os.kill(worker, signal.SIGCONT)
    for client in clients:
        assert client.response().status == 404
    return found[:count]


def test_a_worker_knows_what_the_other_one_has_under_way(make_ingot, holding):
    busy, idle = holding("busy", "idle")
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=[busy], annotations=by("least_requests")))
    one, other = ingot.worker_pids
    hold(ingot, 4, connections_without(ingot, one, 4))

    ingot.apply(endpoints(to=[busy, idle]))
    hold(ingot, 4, connections_without(ingot, other, 4))

    # one pick in 256 does not look at load
    eventually(lambda: len(busy.requests) + len(idle.requests) == 8)
    assert len(idle.requests) >= 3


# ------------------------------------------------------------------ what is under way

def test_what_a_killed_worker_had_under_way_is_taken_back(make_ingot, holding):
    made = holding("a", "b", "c")
    ingot = make_ingot(workers=1)
    ingot.serve(ingress(HOST, to=made))
    hold(ingot, 10)

    os.kill(ingot.worker_pids[0], signal.SIGKILL)

    eventually(lambda: endpoint_loads(ingot).in_flight == 0, what="nothing being under way")
    hold(ingot, 3)


def test_a_worker_killed_under_load_leaves_nothing_under_way(make_ingot, pods):
    made = pods("a", "b", "c")
    for pod in made:
        pod.answer = late(pod, 0.005)
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=made))

    with Load(ingot, HOST, clients=8) as load:
        victim = ingot.worker_pids[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in ingot.worker_pids and len(ingot.worker_pids) == 2)
        seen = len(load.answers)
        eventually(lambda: len(load.answers) > seen + 50 or not any(t.is_alive() for t in load.threads))

    eventually(lambda: endpoint_loads(ingot).in_flight == 0, what="nothing being under way")


# ------------------------------------------------------------------ by what the request says

KEYS = [
    ("$http_x_user", lambda key: {"headers": {"X-User": key}}),
    ("$cookie_sid", lambda key: {"headers": {"Cookie": f"theme=dark; sid={key}; last=1"}}),
    ("$arg_id", lambda key: {"target": f"/?a=1&id={key}&b=2"}),
    ("${arg_id}-of-$host", lambda key: {"target": f"/?id={key}"}),
    ("$uri", lambda key: {"target": f"/shelf/{key}?time=now"}),
    ("$request_uri", lambda key: {"target": f"/shelf?key={key}"}),
    ("$remote_addr", lambda key: {"headers": {"X-Forwarded-For": f"203.0.113.{key}"}}),
    ("$binary_remote_addr", lambda key: {"headers": {"X-Forwarded-For": f"203.0.113.{key}"}}),
]


@pytest.mark.parametrize("text, request_of", KEYS, ids=[text for text, _ in KEYS])
def test_the_same_key_leads_to_the_same_pod_in_every_worker(make_ingot, pods, text, request_of):
    ingot = make_ingot(workers=2, config={"use_forwarded_headers": "true"})
    ingot.serve(ingress(HOST, to=pods("a", "b", "c"), annotations=hashed(text)))

    seen = {}
    for key in range(1, 25):
        options = request_of(key)
        target = options.pop("target", "/")
        answers = ingot.get(HOST, target, times=4, **options)
        assert answers.statuses == {200: 4}
        assert len(answers.by_pod) == 1, f"{key} leads to {answers.by_pod}"
        seen[key] = next(iter(answers.by_pod))

    assert set(seen.values()) == {"a", "b", "c"}


def test_keys_of_other_pods_stay_where_they_are_when_one_goes(ingot, pods):
    made = pods("a", "b", "c", "d")
    ingot.serve(ingress(HOST, to=made, annotations=hashed("$arg_id")))

    def where():
        return {key: ingot.get(HOST, f"/?id={key}").pod for key in range(60)}
    before = where()
    ingot.apply(endpoints(to=made[:3]))
    after = where()

    assert "d" in before.values()
    assert all(after[key] == pod for key, pod in before.items() if pod != "d")
    ingot.apply(endpoints(to=made))
    assert where() == before


def test_requests_without_the_key_lead_to_one_pod(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("a", "b", "c"), annotations=hashed("$http_x_user")))

    assert len(ingot.get(HOST, times=20).by_pod) == 1


def test_a_subset_shares_a_key(ingot, pods):
    ingot.serve(ingress(HOST, to=pods("a", "b", "c", "d"),
                        annotations=hashed("$http_x_user", subset="true", subset_size="2")))

    def pods_of(user):
        return set(ingot.get(HOST, times=30, headers={"X-User": user}).by_pod)
    sets = [pods_of(str(number)) for number in range(12)]

    assert all(len(found) == 2 for found in sets)
    assert len({tuple(sorted(found)) for found in sets}) == 2


def test_a_hot_key_is_bounded_only_where_that_is_asked_for(make_ingot, holding):
    made = holding("a", "b", "c", "d")
    ingot = make_ingot(workers=2)
    ingot.serve(ingress(HOST, to=made, annotations=hashed("$http_x_user")))
    hold(ingot, 6, **{"X-User": "hot"})
    eventually(lambda: sorted(len(pod.requests) for pod in made) == [0, 0, 0, 6])

    ingot.apply(ingress_only("web", {HOST: [path_rule("/", "web")]}, age=0,
                             annotations={**hashed("$http_x_user"), "ingot/upstream-hash-balance-factor": "1.25"}))
    hold(ingot, 10, **{"X-User": "hot"})

    # 16 under way: 4 each in the mean, 5 by the bound; the first had 6 before
    eventually(lambda: sum(len(pod.requests) for pod in made) == 16)
    assert max(len(pod.requests) for pod in made) == 6
    assert sorted(len(pod.requests) for pod in made)[2] <= 5


# ------------------------------------------------------------------ who decides, and when

def test_a_change_of_the_annotation_is_in_effect_at_once_and_closes_nothing(ingot, pods):
    made = pods("a", "b", "c")
    rules = {HOST: [path_rule("/", "web")]}
    ingot.serve(ingress(HOST, to=made, age=0, annotations=hashed("$host")))
    client = ingot.connect()

    def pods_of(times):
        return collections.Counter(client.request("/", HOST).pod for _ in range(times))
    assert len(pods_of(9)) == 1

    ingot.apply(ingress_only("web", rules, age=0, annotations=IN_TURN))
    assert sorted(pods_of(9).values()) == [3, 3, 3]
    ingot.apply(ingress_only("web", rules, age=0, annotations=hashed("$host")))
    assert len(pods_of(9)) == 1


def test_a_change_of_the_configmap_is_in_effect_at_once(make_ingot, pods):
    ingot = make_ingot(config={"load_balance": "ewma"})
    ingot.serve(ingress(HOST, to=pods("a", "b")))
    ingot.get(HOST, times=2)

    ingot.apply(config_map(load_balance="round_robin"))

    assert ingot.get(HOST, times=20).by_pod == {"a": 10, "b": 10}


def test_the_oldest_ingress_decides_for_pods_that_two_share(ingot, pods):
    younger = ingress_only("younger", {"young.example": [path_rule("/", "web")]}, age=9000, annotations=hashed("$host"))
    ingot.serve(ingress(HOST, to=pods("a", "b"), age=0, annotations=IN_TURN), younger)

    assert ingot.get("young.example", times=10).by_pod == {"a": 5, "b": 5}
    ingot.delete(ingress_only("web", {HOST: [path_rule("/", "web")]}))
    assert len(ingot.get("young.example", times=10).by_pod) == 1
