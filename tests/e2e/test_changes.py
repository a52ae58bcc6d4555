# SPDX-License-Identifier: Apache-2.0
"""Changes of objects while requests travel: nothing is dropped, and new requests obey."""
import threading
import time

from world.backend import gigabytes
from world.load import Load
from world.objects import (IN_TURN, Manifest, endpoints, ingress, ingress_only, path_rule, service)
from world.wait import eventually


def test_a_new_host_is_served_and_a_deleted_one_is_not(ingot, pods):
    a, b = pods("a", "b")
    second = ingress_only("b", {"b.example": [path_rule("/", "b")]})
    ingot.serve(ingress("a.example", to=[a], name="a"), service("b"), endpoints("b", [b]))
    assert ingot.get("b.example").status == 404

    ingot.apply(second)
    assert ingot.get("b.example").pod == "b"

    ingot.delete(second)
    assert ingot.get("b.example").status == 404
    assert ingot.get("a.example").pod == "a"


def test_a_pod_that_leaves_gets_no_new_request(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", to=[a, b], annotations=IN_TURN))

    ingot.apply(endpoints(to=[a]))

    assert ingot.get("shop.example", times=100).by_pod == {"a": 100}


def test_a_pod_that_comes_gets_its_share(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", to=[a], annotations=IN_TURN))
    assert ingot.get("shop.example", times=4).by_pod == {"a": 4}

    ingot.apply(endpoints(to=[a, b]))

    assert ingot.get("shop.example", times=20).by_pod == {"a": 10, "b": 10}


def test_the_last_pod_that_leaves_leaves_503(ingot, pod):
    ingot.serve(ingress("shop.example", to=[pod]))

    ingot.apply(endpoints(to=[]))

    assert ingot.get("shop.example").status == 503


def test_a_kept_connection_obeys_the_change(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", to=[a]))
    client = ingot.connect()
    assert client.request("/", "shop.example").pod == "a"

    ingot.apply(endpoints(to=[b]))

    assert client.request("/", "shop.example").pod == "b"


def test_no_request_fails_while_hosts_come_and_go(make_ingot, pods):
    ingot = make_ingot(workers=2)
    ingot.serve(ingress("shop.example", to=pods("a", "b")))

    with Load(ingot, "shop.example") as load:
        for number in range(40):
            extra = ingress_only(f"x{number % 5}", {f"x{number}.example": [path_rule("/", "web")]})
            ingot.apply(extra)

    assert load.failures == []
    assert len(load.answers) > 100


def test_no_request_fails_while_pods_come_and_go(make_ingot, pods):
    ingot = make_ingot(workers=2)
    a, b, c = pods("a", "b", "c")
    ingot.serve(ingress("shop.example", to=[a]))

    with Load(ingot, "shop.example") as load:
        for turn in range(40):
            ingot.apply(endpoints(to=[[a, b], [b, c], [c, a]][turn % 3]))

    assert load.failures == []
    assert set(load.answers) == {"a", "b", "c"}


def test_a_request_in_progress_ends_at_the_pod_where_it_began(ingot, pods):
    release = threading.Event()

    def slow(wire, request):
        wire.read_body(request)
        release.wait(20)
        wire.respond("slow", headers=[("Pod", "slow")])

    (old,) = pods("old", answer=slow)
    (new,) = pods("new")
    ingot.serve(ingress("shop.example", to=[old]))
    waiting = ingot.connect(timeout=20)
    waiting.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    old.await_requests(1)

    ingot.apply(endpoints(to=[new]))
    assert ingot.get("shop.example").pod == "new"
    release.set()

    assert waiting.response().pod == "slow"


def test_a_download_survives_the_deletion_of_its_ingress(ingot, pods):
    size = 64 << 20
    (pod,) = pods("pod", answer=gigabytes(size))
    rule = ingress_only("web", {"shop.example": [path_rule("/", "web")]})
    ingot.serve(rule, service("web"), endpoints("web", [pod]))
    client = ingot.connect(timeout=30)
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    head = client.head()

    ingot.delete(rule)
    assert ingot.get("shop.example").status == 404

    assert len(client.body(head).body) == size


def test_a_change_is_in_effect_within_a_moment(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", to=[a]))
    times = []

    for turn in range(10):
        began = time.monotonic()
        ingot.write(endpoints(to=[[b], [a]][turn % 2]))
        wanted = ["b", "a"][turn % 2]
        eventually(lambda: ingot.get("shop.example").pod == wanted)
        times.append(time.monotonic() - began)

    assert sorted(times)[5] < 0.25, times


def test_settings_of_the_configmap_change_while_serving(ingot, pod):
    from world.objects import config_map
    ingot.serve(ingress("shop.example", to=[pod]))
    assert ingot.get("shop.example", method="POST", body=b"12345").status == 200

    ingot.apply(config_map(proxy_body_size="4"))
    assert ingot.get("shop.example", method="POST", body=b"12345").status == 413

    ingot.apply(config_map(proxy_body_size="5"))
    assert ingot.get("shop.example", method="POST", body=b"12345").status == 200


def test_a_change_of_pods_alone_leaves_the_routes_as_they_are(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", to=[a]))
    before = ingot.metrics()

    ingot.apply(endpoints(to=[a, b]))

    after = ingot.metrics()
    assert after.sum("ingot_table_generation", segment="routes") == \
        before.sum("ingot_table_generation", segment="routes")
    assert after.sum("ingot_table_generation", segment="endpoints") > \
        before.sum("ingot_table_generation", segment="endpoints")
