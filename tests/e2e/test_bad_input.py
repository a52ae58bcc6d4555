# SPDX-License-Identifier: Apache-2.0
"""What is wrong is told and left out; everything else is served on."""
import json
import os
import signal

import pytest
import yaml

from world.objects import (Manifest, backend_of, endpoints, ingress, ingress_only, path_rule, service,
                           slice_of)
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def shop(ingot, pod):
    return ingot.serve(ingress(HOST, to=[pod]))


def put(ingot, name, content):
    """A file at once."""
    draft = ingot.manifests / ".draft"
    draft.write_bytes(content if isinstance(content, bytes) else content.encode())
    draft.rename(ingot.manifests / name)


def told(ingot, *words):
    """A line of the program log has all these words."""
    def said():
        return any(all(word in line for word in words) for line in ingot.said().splitlines())
    eventually(said, 5, f"a line with {words}")


GOOD = ingress_only("new", {"new.example": [path_rule("/", "web")]})


@pytest.mark.parametrize("content", [
    "kind: [\n", "a: b: c\n", "\t\t- x\n", "{", "%YAML 9.9\n---\n", "key: *unknown\n", "--- !!binary x\n...\n}",
    "kind: Ingress\nmetadata: 7\n", "- just\n- a list\n", "just text\n", "\x00\x01\x02", "\ufeff{]",
    "? {a: b}\n: c\n", "a: &a [*a]\n", "x: 'never closed\n", "[" * 10_000, "{\"a\":" * 10_000,
], ids=range(17))
def test_a_file_that_does_not_parse_is_told_and_stops_nobody(shop, content):
    put(shop, "broken.yaml", content)

    told(shop, "broken.yaml")
    shop.apply(GOOD)
    assert shop.get("new.example").status == 200
    assert shop.get(HOST).status == 200


def test_a_broken_file_keeps_its_last_good_objects(shop):
    shop.apply(Manifest("file.yaml", *GOOD[0].documents))
    assert shop.get("new.example").status == 200

    put(shop, "file.yaml", "kind: [\n")
    told(shop, "file.yaml", ":2")

    assert shop.get("new.example").status == 200
    shop.apply(Manifest("file.yaml", *ingress_only("new", {
        "newer.example": [path_rule("/", "web")]})[0].documents))
    assert shop.get("newer.example").status == 200
    assert shop.get("new.example").status == 404


def test_a_good_document_behind_a_bad_one_is_told_with_its_line(shop):
    put(shop, "two.yaml", GOOD[0].text + "---\nkind: Ingress\napiVersion: networking.k8s.io/v1\n"
                                         "metadata: {name: bad, namespace: shop}\nspec: {rules: 7}\n")

    told(shop, "two.yaml", "rules")


@pytest.mark.parametrize("change, field", [
    ({"host": "a_b.example"}, "host"), ({"host": "-x.example"}, "host"), ({"host": "a b"}, "host"),
    ({"host": "192.0.2.1"}, "host"), ({"host": "*.*.example"}, "host"), ({"host": "a.*.example"}, "host"),
    ({"path": "no-slash"}, "path"), ({"pathType": "Regex"}, "pathType"),
])
def test_a_rule_that_cannot_be_served_is_told_and_the_other_is(shop, change, field):
    bad = path_rule(change.get("path", "/"), "web", path_type=change.get("pathType", "Prefix"))
    shop.apply(ingress_only("mixed", {"good.example": [path_rule("/", "web")],
                                      change.get("host", "bad.example"): [bad]}))

    told(shop, "shop/mixed", field)
    assert shop.get("good.example").status == 200
    assert shop.get(HOST).status == 200


@pytest.mark.parametrize("port, word", [(81, "81"), ("grpc", "grpc")])
def test_a_backend_that_is_not_there_is_told(shop, port, word):
    shop.apply(ingress_only("lost", {"lost.example": [path_rule("/", "nobody", 80),
                                                      path_rule("/p", "web", port)]}))

    told(shop, "shop/lost", "nobody")
    told(shop, "shop/lost", word)
    assert shop.get("lost.example").status == 503
    assert shop.get("lost.example", "/p").status == 503


def test_the_same_object_in_two_files_is_told(shop):
    put(shop, "z-again.yaml", GOOD[0].text)
    shop.write(GOOD)

    told(shop, "IGT1007", "z-again.yaml:1", "shop/new", GOOD[0].name)


def test_one_host_and_path_twice_is_told_to_the_younger(shop):
    shop.apply(ingress_only("younger", {HOST: [path_rule("/", "web")],
                                        "own.example": [path_rule("/", "web")]}, age=3600))

    told(shop, "shop/younger", "shop/web")
    assert shop.get("own.example").status == 200


def test_kinds_that_ingot_does_not_know_are_skipped_and_told_once(shop):
    put(shop, "other.yaml", "---\n".join(yaml.safe_dump({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": f"d{n}", "namespace": "shop"}}) for n in range(5)) + "---\n" + GOOD[0].text)

    eventually(lambda: shop.get("new.example").status == 200)
    assert sum("Deployment" in line for line in shop.said().splitlines()) == 1


def test_a_file_that_is_too_large_is_told(shop):
    put(shop, "huge.yaml", b"# " + b"x" * (100 << 20) + b"\n" + GOOD[0].text.encode())

    told(shop, "huge.yaml")
    assert shop.get("new.example").status == 404
    assert shop.get(HOST).status == 200


def test_a_list_json_and_subdirectories_are_read(shop, pods):
    (a,) = pods("a")
    documents = [document for manifest in ingress("list.example", to=[a], name="a")
                 for document in manifest.documents]
    (shop.manifests / "deeper" / "down").mkdir(parents=True)
    put(shop, "deeper/down/list.json", json.dumps({"apiVersion": "v1", "kind": "List",
                                                   "items": documents}))

    eventually(lambda: shop.get("list.example").pod == "a")


@pytest.mark.parametrize("name", [".web.yaml.swp", "web.yaml~", "#web.yaml#", ".hidden.yaml", "4913",
                                  "notes.txt", "web.yaml.bak"])
def test_files_of_editors_are_passed_over(shop, name):
    put(shop, name, GOOD[0].text)
    shop.apply(ingress_only("after", {"after.example": [path_rule("/", "web")]}))

    assert shop.get("after.example").status == 200
    assert shop.get("new.example").status == 404


def test_a_file_is_read_when_it_is_written_to_its_end(shop):
    """Half of a file that is being written must not count."""
    text = GOOD[0].text
    with open(shop.manifests / "growing.yaml", "w", encoding="utf-8") as file:
        for line in text.splitlines(keepends=True):
            file.write(line)
            file.flush()
            assert shop.get(HOST).status == 200

    eventually(lambda: shop.get("new.example").status == 200)
    assert "growing.yaml" not in shop.said()


def test_a_file_that_is_renamed_or_moved_away_takes_its_objects_along(shop):
    shop.apply(GOOD)
    assert shop.get("new.example").status == 200

    with shop.change():
        os.rename(shop.manifests / GOOD[0].name, shop.directory / "away.yaml")

    assert shop.get("new.example").status == 404


def test_a_directory_that_vanishes_serves_on_and_is_found_again(shop):
    elsewhere = shop.directory / "elsewhere"
    shop.manifests.rename(elsewhere)
    told(shop, "manifests")

    assert shop.get(HOST).status == 200
    elsewhere.rename(shop.manifests)
    eventually(lambda: shop.manifests.exists())
    shop.write(GOOD)
    eventually(lambda: shop.get("new.example").status == 200, 10)


def test_sighup_reads_everything_again(shop):
    shop.signal(signal.SIGHUP)

    shop.apply(GOOD)
    assert shop.get("new.example").status == 200
    assert shop.get(HOST).status == 200


def test_a_symbolic_link_that_is_swapped_is_followed(make_ingot, pods):
    """How ConfigMap volumes change: a link to a directory of a new version takes the place of the old."""
    a, b = pods("a", "b")
    ingot = make_ingot(classes=True)
    versions = {}
    for pod in (a, b):
        versions[pod.name] = ingot.directory / f"version-{pod.name}"
        versions[pod.name].mkdir()
        for manifest in ingress(HOST, to=[pod]):
            (versions[pod.name] / manifest.name).write_text(manifest.text)
    (ingot.manifests / "current").symlink_to(versions["a"])
    ingot.start()
    assert ingot.get(HOST).pod == "a"

    fresh = ingot.manifests / "fresh"
    fresh.symlink_to(versions["b"])
    fresh.rename(ingot.manifests / "current")

    eventually(lambda: ingot.get(HOST).pod == "b")


def test_objects_with_wrong_types_everywhere_harm_nobody(shop):
    """Each field of each kind in turn is a number, a list, a text, null."""
    kinds = [*backend_of("odd", []), *service("odd2"), *GOOD]
    slices = Manifest("s", slice_of("odd", "shop", 1, [type("P", (), {"address": "127.0.0.1", "port": 1})()]))
    documents = []
    for manifest in [*kinds, slices]:
        for document in manifest.documents:
            documents += list(mangled(document))
    for number, document in enumerate(documents):
        document.setdefault("metadata", {})
        if isinstance(document["metadata"], dict):
            document["metadata"]["name"] = f"m{number}"

    for at in range(0, len(documents), 40):
        put(shop, f"odd{at}.yaml", "---\n".join(map(yaml.safe_dump, documents[at:at + 40])))

    shop.apply(endpoints(to=[]))
    assert shop.get(HOST).status == 503
    shop.apply(ingress_only("last", {"last.example": [path_rule("/", "nobody")]}))
    assert shop.get("last.example").status == 503


def mangled(value, rebuild=lambda inner: inner):
    """The same document with one field replaced, for each field."""
    for wrong in (7, -1, "text", [], {}, None, True, [None], 1.5):
        yield rebuild(wrong) if isinstance(rebuild(wrong), dict) else {"kind": wrong}
    if isinstance(value, dict):
        for key in value:
            yield from mangled(value[key], lambda inner, key=key: rebuild({**value, key: inner}))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from mangled(inner, lambda inner, at=at: rebuild(
                value[:at] + [inner] + value[at + 1:]))
