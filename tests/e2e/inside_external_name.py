# SPDX-License-Identifier: Apache-2.0
"""Services of type ExternalName. Run by test_external_name.py in a network of its own, where the only name server is
the test's own on 127.0.0.1:53."""
import pytest

from world.dns import NameServer
from world.objects import external_name, ingress_only, path_rule
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def names():
    server = NameServer()
    yield server
    server.stop()


@pytest.fixture
def serve(ingot):
    """serve("web.test", port): shop.example leads to that name and port."""
    def start(target, port):
        ingot.serve(external_name("web", target, ports=((port, "http", None),)),
                    ingress_only("web", {HOST: [path_rule("/", "web", port)]}))
        return ingot
    return start


def test_requests_go_where_the_name_points(names, serve, pod):
    names.names["web.test"] = ["127.0.0.1"]
    ingot = serve("web.test", pod.port)

    assert ingot.get(HOST).pod == "pod"
    assert pod.last.header("Host") == HOST


def test_a_trailing_dot_does_not_matter(names, serve, pod):
    names.names["web.test"] = ["127.0.0.1"]

    assert serve("web.test.", pod.port).get(HOST).pod == "pod"


def test_every_address_of_a_name_is_used(names, serve, pods):
    (one,) = pods("one")
    (two,) = pods("two", address="127.0.0.2", port=one.port)
    names.names["web.test"] = ["127.0.0.1", "127.0.0.2"]
    ingot = serve("web.test", one.port)

    assert ingot.get(HOST, times=10).by_pod == {one.name: 5, two.name: 5}


def test_the_name_is_asked_for_again_when_its_time_is_over(names, serve, pods):
    (one,) = pods("one")
    (two,) = pods("two", address="127.0.0.2", port=one.port)
    names.names["web.test"] = ["127.0.0.1"]
    ingot = serve("web.test", one.port)
    assert ingot.get(HOST).pod == "one"

    names.names["web.test"] = ["127.0.0.2"]

    eventually(lambda: ingot.get(HOST).pod == two.name, 10)


def test_the_name_is_not_asked_for_with_each_request(names, serve, pod):
    names.ttl = 300
    names.names["web.test"] = ["127.0.0.1"]
    ingot = serve("web.test", pod.port)

    ingot.get(HOST, times=50)

    assert len(names.queries) <= 8


def test_a_name_that_does_not_exist_is_503_and_comes_to_life(names, serve, pod):
    ingot = serve("web.test", pod.port)
    assert ingot.get(HOST).status == 503

    names.names["web.test"] = ["127.0.0.1"]

    eventually(lambda: ingot.get(HOST).status == 200, 20)


def test_a_name_server_that_is_silent_costs_a_bounded_time(names, serve, pod):
    names.silent = True
    ingot = serve("web.test", pod.port)

    assert ingot.get(HOST, timeout=10).status == 503


def test_addresses_that_were_found_serve_on_while_the_name_server_is_away(names, serve, pod):
    names.names["web.test"] = ["127.0.0.1"]
    ingot = serve("web.test", pod.port)
    assert ingot.get(HOST).status == 200

    names.silent = True
    asked = len(names.queries)

    def asked_in_vain():
        assert ingot.get(HOST, timeout=10).status == 200
        return len(names.queries) > asked
    eventually(asked_in_vain, 20)


def test_ipv6_addresses_are_used(names, serve, pods):
    (six,) = pods("six", address="::1")
    names.names["web.test"] = ["::1"]

    assert serve("web.test", six.port).get(HOST).pod == "six"


def test_another_name_is_in_effect_at_once(names, serve, pods):
    (one,) = pods("one")
    (two,) = pods("two", address="127.0.0.2", port=one.port)
    names.names.update({"one.test": ["127.0.0.1"], "two.test": ["127.0.0.2"]})
    ingot = serve("one.test", one.port)
    assert ingot.get(HOST).pod == "one"

    ingot.apply(external_name("web", "two.test", ports=((one.port, "http", None),)))

    assert ingot.get(HOST).pod == two.name


def test_names_may_be_switched_off(names, make_ingot, pod):
    names.names["web.test"] = ["127.0.0.1"]
    ingot = make_ingot(flags=["--disable-svc-external-name"])
    ingot.serve(external_name("web", "web.test", ports=((pod.port, "http", None),)),
                ingress_only("web", {HOST: [path_rule("/", "web", pod.port)]}))

    assert ingot.get(HOST).status == 503
    assert names.queries == []
