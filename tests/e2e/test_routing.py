# SPDX-License-Identifier: Apache-2.0
"""Which pod answers: hosts, paths, precedence, default backends, ports."""
import pytest

from world.objects import (IN_TURN, backend_of, endpoints, ingress, ingress_only, path_rule, service,
                           slice_of, Manifest)


def serve_paths(ingot, pods, *rules):
    """One host, shop.example, with a pod for each (path, type), named like the path."""
    names = [f"{path}:{path_type}" for path, path_type in rules]
    objects = [ingress_only("shop", {"shop.example": [
        path_rule(path, f"s{i}", path_type=path_type) for i, (path, path_type) in enumerate(rules)]})]
    for i, name in enumerate(names):
        objects += backend_of(f"s{i}", pods(name))
    ingot.serve(*objects)


# ------------------------------------------------------------------ hosts

def test_a_request_goes_to_the_pod_of_its_host(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("a.example", to=[a], name="a"), ingress("b.example", to=[b], name="b"))

    assert ingot.get("a.example").pod == "a"
    assert ingot.get("b.example").pod == "b"


def test_a_host_nobody_named_gets_404(ingot, pod):
    ingot.serve(ingress("shop.example", to=[pod]))

    assert ingot.get("other.example").status == 404
    assert pod.requests == []


@pytest.mark.parametrize("host", ["SHOP.Example", "shop.example:80", "shop.example.",
                                  "Shop.example.:8080"])
def test_case_port_and_trailing_dot_of_a_host_do_not_matter_and_arrive_as_sent(ingot, pod, host):
    ingot.serve(ingress("shop.example", to=[pod]))

    assert ingot.get(host).pod == "pod"
    assert pod.last.header("Host") == host


def test_a_wildcard_stands_for_exactly_one_label(ingot, pod):
    ingot.serve(ingress("*.shop.example", to=[pod]))

    assert ingot.get("a.shop.example").status == 200
    assert ingot.get("shop.example").status == 404
    assert ingot.get("a.b.shop.example").status == 404


def test_an_exact_host_goes_before_a_wildcard(ingot, pods):
    exact, wild = pods("exact", "wild")
    ingot.serve(ingress("*.example", to=[wild], name="wild"),
                ingress("shop.example", to=[exact], name="exact"))

    assert ingot.get("shop.example").pod == "exact"
    assert ingot.get("news.example").pod == "wild"


def test_a_rule_without_host_serves_every_other_host(ingot, pods):
    named, rest = pods("named", "rest")
    ingot.serve(ingress("shop.example", to=[named], name="named"),
                ingress("", to=[rest], name="rest"))

    assert ingot.get("shop.example").pod == "named"
    assert ingot.get("anything.example").pod == "rest"


def test_a_path_that_its_host_lacks_is_not_sought_at_other_hosts(ingot, pods):
    named, rest = pods("named", "rest")
    ingot.serve(ingress("shop.example", "/cart", to=[named], name="named"),
                ingress("", to=[rest], name="rest"))

    assert ingot.get("shop.example", "/other").status == 404


def test_http_1_0_without_host_goes_to_the_rule_without_host(ingot, pod):
    ingot.serve(ingress("", to=[pod]))

    assert ingot.raw(b"GET / HTTP/1.0\r\n\r\n").pod == "pod"
    assert pod.last.header("Host")


# ------------------------------------------------------------------ paths

def test_a_prefix_matches_whole_path_elements_only(ingot, pods):
    serve_paths(ingot, pods, ("/cart", "Prefix"))

    assert ingot.get("shop.example", "/cart").status == 200
    assert ingot.get("shop.example", "/cart/").status == 200
    assert ingot.get("shop.example", "/cart/1/2").status == 200
    assert ingot.get("shop.example", "/cartoon").status == 404
    assert ingot.get("shop.example", "/Cart").status == 404
    assert ingot.get("shop.example", "/").status == 404


def test_the_longest_prefix_wins(ingot, pods):
    serve_paths(ingot, pods, ("/", "Prefix"), ("/a", "Prefix"), ("/a/b", "Prefix"))

    assert ingot.get("shop.example", "/x").pod == "/:Prefix"
    assert ingot.get("shop.example", "/a/x").pod == "/a:Prefix"
    assert ingot.get("shop.example", "/a/b/x").pod == "/a/b:Prefix"
    assert ingot.get("shop.example", "/a/bc").pod == "/a:Prefix"


def test_exact_goes_before_prefix_and_matches_nothing_else(ingot, pods):
    serve_paths(ingot, pods, ("/a", "Prefix"), ("/a", "Exact"))

    assert ingot.get("shop.example", "/a").pod == "/a:Exact"
    assert ingot.get("shop.example", "/a/").pod == "/a:Prefix"
    assert ingot.get("shop.example", "/a/x").pod == "/a:Prefix"


def test_exact_with_and_without_slash_are_two(ingot, pods):
    serve_paths(ingot, pods, ("/a", "Exact"))

    assert ingot.get("shop.example", "/a").status == 200
    assert ingot.get("shop.example", "/a/").status == 404


@pytest.mark.parametrize("path_type", ["ImplementationSpecific"])
def test_implementation_specific_is_prefix(ingot, pods, path_type):
    serve_paths(ingot, pods, ("/a", path_type))

    assert ingot.get("shop.example", "/a/x").status == 200
    assert ingot.get("shop.example", "/ab").status == 404


def test_a_prefix_with_trailing_slash_redirects_the_path_without(ingot, pods):
    serve_paths(ingot, pods, ("/a/", "Prefix"))

    answer = ingot.get("shop.example", "/a?x=1")

    assert answer.status == 301
    assert answer.header("Location") == "http://shop.example/a/?x=1"
    assert ingot.get("shop.example", "/a/b").pod == "/a/:Prefix"


def test_the_redirect_of_a_request_without_host_leads_to_where_it_came(ingot, pods):
    ingot.serve(ingress("", "/a/", to=pods("pod")))

    answer = ingot.raw(b"GET /a HTTP/1.0\r\n\r\n")

    assert answer.status == 301
    assert answer.header("Location") == f"http://127.0.0.1:{ingot.http_port}/a/"


def test_an_exact_path_spares_the_redirect(ingot, pods):
    serve_paths(ingot, pods, ("/a/", "Prefix"), ("/a", "Exact"))

    assert ingot.get("shop.example", "/a").pod == "/a:Exact"


@pytest.mark.parametrize("sent, path", [
    ("/%63art/1", "/%63art/1"),        # unreserved characters: for matching only
    ("/cart/%2e%2e/cart/1", "/cart/1"),  # dot segments go
    ("/x/../cart/1", "/cart/1"),
    ("//cart//1", "//cart//1"),        # merged for matching, sent as they came
    ("/cart/%2Fx", "/cart/%2Fx"),
    ("/cart/?a=/../b", "/cart/?a=/../b"),
])
def test_paths_are_levelled_for_matching_and_sent_as_they_came(ingot, pods, sent, path):
    (cart,) = pods("cart")
    ingot.serve(ingress("shop.example", "/cart", to=[cart]))

    assert ingot.get("shop.example", sent).pod == "cart"
    assert cart.last.target == path


def test_the_query_takes_no_part_in_matching(ingot, pods):
    serve_paths(ingot, pods, ("/a", "Exact"))

    assert ingot.get("shop.example", "/a?/b").status == 200
    assert ingot.get("shop.example", "/b?/a").status == 404


def test_an_absolute_target_is_taken_apart(ingot, pod):
    ingot.serve(ingress("shop.example", "/cart", to=[pod]))

    answer = ingot.raw(b"GET http://shop.example/cart?x HTTP/1.1\r\nHost: shop.example\r\n\r\n")

    assert answer.status == 200
    assert pod.last.target == "/cart?x"


# ------------------------------------------------------------------ several Ingresses

def test_ingresses_of_one_host_are_merged(ingot, pods):
    a, b = pods("a", "b")
    ingot.serve(ingress("shop.example", "/a", to=[a], name="a"),
                ingress("shop.example", "/b", to=[b], name="b", namespace="other"))

    assert ingot.get("shop.example", "/a").pod == "a"
    assert ingot.get("shop.example", "/b").pod == "b"


def test_of_two_with_one_host_and_path_the_oldest_wins(ingot, pods):
    old, young = pods("old", "young")
    ingot.serve(ingress("shop.example", to=[young], name="a-young", age=20),
                ingress("shop.example", to=[old], name="z-old", age=10))

    assert ingot.get("shop.example", times=10).by_pod == {"old": 10}


def test_when_the_oldest_goes_the_next_takes_its_path(ingot, pods):
    old, young = pods("old", "young")
    first = ingress_only("old", {"shop.example": [path_rule("/", "old")]}, age=10)
    ingot.serve(first, backend_of("old", [old]),
                ingress("shop.example", to=[young], name="young", age=20))
    assert ingot.get("shop.example").pod == "old"

    ingot.delete(first)

    assert ingot.get("shop.example").pod == "young"


# ------------------------------------------------------------------ default backends

def test_a_default_backend_without_rules_takes_everything_else(ingot, pods):
    named, rest = pods("named", "rest")
    ingot.serve(ingress("shop.example", "/cart", to=[named], name="named"),
                ingress_only("rest", defaultBackend={
                    "service": {"name": "rest", "port": {"number": 80}}}),
                backend_of("rest", [rest]))

    assert ingot.get("anything.example", "/deep/path").pod == "rest"
    assert ingot.get("shop.example", "/cart").pod == "named"
    assert ingot.get("shop.example", "/other").status == 404


def test_a_default_backend_beside_rules_takes_the_rest_of_its_hosts(ingot, pods):
    cart, rest = pods("cart", "rest")
    ingot.serve(ingress_only("shop", {"shop.example": [path_rule("/cart", "cart")]},
                             defaultBackend={"service": {"name": "rest", "port": {"number": 80}}}),
                backend_of("cart", [cart]), backend_of("rest", [rest]))

    assert ingot.get("shop.example", "/cart").pod == "cart"
    assert ingot.get("shop.example", "/other").pod == "rest"
    assert ingot.get("unknown.example").status == 404


def test_the_global_default_backend_takes_what_nobody_takes(make_ingot, pods):
    named, fallback = pods("named", "fallback")
    ingot = make_ingot(flags=["--default-backend-service", "shop/fallback"])
    ingot.serve(ingress("shop.example", "/cart", to=[named], name="named"),
                backend_of("fallback", [fallback]))

    assert ingot.get("unknown.example").pod == "fallback"
    assert ingot.get("shop.example", "/other").pod == "fallback"
    assert ingot.get("shop.example", "/cart").pod == "named"


def test_a_global_default_backend_without_endpoints_gives_404(make_ingot, pod):
    ingot = make_ingot(flags=["--default-backend-service", "shop/nobody"])
    ingot.serve(ingress("shop.example", to=[pod]))

    assert ingot.get("unknown.example").status == 404


def test_a_rule_without_paths_gives_404_on_its_host(ingot, pods):
    (rest,) = pods("rest")
    ingot.serve(ingress_only("empty", {"shop.example": []}), ingress("", to=[rest], name="rest"))

    assert ingot.get("shop.example").status == 404
    assert ingot.get("other.example").pod == "rest"


# ------------------------------------------------------------------ Services and ports

def two_ports(pods):
    """A Service with two ports and a pod behind each."""
    web, metrics = pods("web", "metrics")
    slices = Manifest("slices.yaml", slice_of("web", "shop", 1, [web], "web"),
                      slice_of("web", "shop", 2, [metrics], "metrics"))
    return [service("web", ports=((80, "web", 8080), (90, "metrics", "prom"))), slices]


@pytest.mark.parametrize("port, pod", [(80, "web"), ("web", "web"), (90, "metrics"),
                                       ("metrics", "metrics"), (8080, "web")])
def test_a_service_port_is_found_by_number_name_and_target(ingot, pods, port, pod):
    ingot.serve(two_ports(pods),
                ingress_only("web", {"shop.example": [path_rule("/", "web", port)]}))

    assert ingot.get("shop.example").pod == pod


def test_a_slice_without_ports_takes_the_number_of_the_target(ingot, pods):
    (pod,) = pods("pod")
    bare = slice_of("web", "shop", 1, [pod])
    bare["ports"] = []
    ingot.serve(service("web", ports=((80, "http", pod.port),)), Manifest("bare.yaml", bare),
                ingress_only("web", {"shop.example": [path_rule("/", "web")]}))

    assert ingot.get("shop.example").status in (200, 503)


@pytest.mark.parametrize("port", [81, "grpc"])
def test_a_port_that_the_service_lacks_gives_503(ingot, pod, port):
    ingot.serve(backend_of("web", [pod]),
                ingress_only("web", {"shop.example": [path_rule("/", "web", port)]}))

    assert ingot.get("shop.example").status == 503


def test_a_service_that_does_not_exist_gives_503_and_comes_to_life(ingot, pod):
    ingot.serve(ingress_only("web", {"shop.example": [path_rule("/", "web")]}))
    assert ingot.get("shop.example").status == 503

    ingot.apply(backend_of("web", [pod]))

    assert ingot.get("shop.example").status == 200


def test_a_service_without_endpoints_gives_503(ingot):
    ingot.serve(ingress_only("web", {"shop.example": [path_rule("/", "web")]}), service("web"))

    assert ingot.get("shop.example").status == 503


def test_pods_that_are_not_ready_get_no_request(ingot, pods):
    ready, unready, leaving = pods("ready", "unready", "leaving")
    ingot.serve(ingress("shop.example", to=[]),
                endpoints(to=[ready], unready=[unready], terminating=[leaving]))

    assert ingot.get("shop.example", times=20).by_pod == {"ready": 20}


def test_pods_that_serve_while_they_leave_are_used_when_no_other_is_there(ingot, pods):
    unready, leaving = pods("unready", "leaving")
    ingot.serve(ingress("shop.example", to=[]),
                endpoints(unready=[unready], terminating=[leaving]))

    assert ingot.get("shop.example", times=5).by_pod == {"leaving": 5}


def test_requests_go_round_the_pods(ingot, pods):
    ingot.serve(ingress("shop.example", to=pods("a", "b", "c"), annotations=IN_TURN))

    counts = ingot.get("shop.example", times=30).by_pod

    assert counts == {"a": 10, "b": 10, "c": 10}


def test_pods_by_ipv6_are_reached(ingot, pods):
    (six,) = pods("six", address="::1")
    ingot.serve(ingress("shop.example", to=[six]))

    assert ingot.get("shop.example").pod == "six"


def test_a_backend_that_is_no_service_makes_no_route(ingot, pods):
    (root,) = pods("root")
    bucket = {"path": "/bucket", "pathType": "Prefix", "backend": {
        "resource": {"apiGroup": "k8s.example", "kind": "Bucket", "name": "b"}}}
    ingot.serve(ingress_only("shop", {"shop.example": [bucket, path_rule("/", "root")]}),
                backend_of("root", [root]))

    assert ingot.get("shop.example", "/bucket/x").pod == "root"
