# SPDX-License-Identifier: Apache-2.0
"""Which Ingresses are ours."""
from world.objects import backend_of, ingress, ingress_class, ingress_only, path_rule

OTHER = "example.com/other"


def with_class(name, **more):
    """An Ingress for the host NAME.example."""
    return ingress_only(name, {f"{name}.example": [path_rule("/", "web")]}, **more)


def test_an_ingress_of_our_class_is_served(ingot, pod):
    ingot.serve(backend_of("web", [pod]), with_class("ours", class_name="nginx"))

    assert ingot.get("ours.example").status == 200


def test_an_ingress_of_another_controllers_class_is_not(ingot, pod):
    ingot.serve(backend_of("web", [pod]), ingress_class("traefik", OTHER),
                with_class("theirs", class_name="traefik"),
                with_class("nobodys", class_name="missing"))

    assert ingot.get("theirs.example").status == 404
    assert ingot.get("nobodys.example").status == 404


def test_the_controller_of_the_class_decides_and_not_its_name(ingot, pod):
    ingot.serve(backend_of("web", [pod]), ingress_class("internal"),
                with_class("ours", class_name="internal"))

    assert ingot.get("ours.example").status == 200


def test_the_old_annotation_counts_where_no_class_is_named(ingot, pod):
    old = {"kubernetes.io/ingress.class": "nginx"}
    wrong = {"kubernetes.io/ingress.class": "traefik"}
    ingot.serve(backend_of("web", [pod]),
                with_class("old", class_name=None, annotations=old),
                with_class("wrong", class_name=None, annotations=wrong),
                with_class("both", class_name="missing", annotations=old))

    assert ingot.get("old.example").status == 200
    assert ingot.get("wrong.example").status == 404
    assert ingot.get("both.example").status == 404


def test_an_ingress_without_class_is_not_ours(ingot, pod):
    ingot.serve(backend_of("web", [pod]), with_class("bare", class_name=None))

    assert ingot.get("bare.example").status == 404


def test_an_ingress_without_class_is_ours_when_asked_for(make_ingot, pod):
    ingot = make_ingot(flags=["--watch-ingress-without-class"])
    ingot.serve(backend_of("web", [pod]), with_class("bare", class_name=None))

    assert ingot.get("bare.example").status == 200


def test_an_ingress_without_class_is_ours_when_our_class_is_the_default(make_ingot, pod):
    ingot = make_ingot(classes=False)
    ingot.serve(ingress_class("nginx", default=True), backend_of("web", [pod]),
                with_class("bare", class_name=None))

    assert ingot.get("bare.example").status == 200


def test_a_class_may_come_and_go(ingot, pod):
    theirs = ingress_class("edge", OTHER)
    ingot.serve(backend_of("web", [pod]), theirs, with_class("edge", class_name="edge"))
    assert ingot.get("edge.example").status == 404

    ingot.apply(ingress_class("edge"))
    assert ingot.get("edge.example").status == 200

    ingot.apply(theirs)
    assert ingot.get("edge.example").status == 404


def test_two_controllers_on_one_directory_share_nothing(make_ingot, pods):
    one, two = pods("one", "two")
    first = make_ingot()
    second = make_ingot(classes=False, flags=["--ingress-class", "nginx2",
                                              "--controller-class", "k8s.io/ingress-nginx2"])
    second.manifests.rmdir()
    second.manifests.symlink_to(first.manifests)
    first.write(ingress_class("nginx2", "k8s.io/ingress-nginx2"),
                ingress("one.example", to=[one], name="one"),
                ingress("two.example", to=[two], name="two", class_name="nginx2"))
    first.start()
    second.start()

    assert first.get("one.example").pod == "one"
    assert first.get("two.example").status == 404
    assert second.get("two.example").pod == "two"
    assert second.get("one.example").status == 404


def test_one_namespace_alone_may_be_watched(make_ingot, pods):
    a, b = pods("a", "b")
    ingot = make_ingot(flags=["--watch-namespace", "alpha"])
    ingot.serve(ingress("a.example", to=[a], namespace="alpha"),
                ingress("b.example", to=[b], namespace="beta"))

    assert ingot.get("a.example").pod == "a"
    assert ingot.get("b.example").status == 404
