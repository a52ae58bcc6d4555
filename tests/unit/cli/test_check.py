# SPDX-License-Identifier: Apache-2.0
"""`ingot check` and `ingot table` against the real binaries, without a running instance."""
import json
import os
import pathlib
import subprocess

import pytest

BUILT = pathlib.Path(os.environ["COMMAND_LINE_TEST_BUILD_DIR"])

CLASS = """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: %s}
spec: {controller: %s}
"""

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: shop}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
"""

SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %s-1, namespace: shop, labels: {kubernetes.io/service-name: %s}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [%s]
"""

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s, namespace: shop}
spec:
  ingressClassName: %s
  rules:
  - host: %s
    http:
      paths:
      - path: %s
        pathType: Prefix
        backend: {service: {name: %s, port: {number: 80}}}
"""


def ingot(*words, **options):
    return subprocess.run([BUILT / "ingot", *map(str, words)], capture_output=True, text=True,
                          timeout=20, check=False, **options)


def pods(count):
    return ", ".join(f"{{addresses: [192.0.2.{number + 1}]}}" for number in range(count))


def ingress(name="web", host="shop.example", path="/", service="cart", of_class="nginx"):
    return INGRESS % (name, of_class, host, path, service)


@pytest.fixture
def place(tmp_path):
    """place(name=text…): a directory with a class, a Service with two pods, and these files."""
    def make(**files):
        files = {"class": CLASS % ("nginx", "k8s.io/ingress-nginx"), "cart": SERVICE % "cart",
                 "pods": SLICE % ("cart", "cart", pods(2)), **files}
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path
    return make


# ------------------------------------------------------------------ check

def test_what_would_be_served_is_a_table(place):
    said = ingot("check", place(web=ingress(path="/cart")))

    assert said.returncode == 0, said.stdout + said.stderr
    header, row, blank, total = said.stdout.splitlines()
    assert header.split() == ["HOST", "PATH", "TYPE", "SERVICE", "ENDPOINTS", "INGRESS"]
    assert row.split() == ["shop.example", "/cart", "Prefix", "shop/cart:80", "2", "shop/web"]
    assert blank == ""
    assert total == "0 errors, 0 warnings, 0 notes in 4 objects.  1 route on 1 host would be served."


def test_columns_are_apart_by_three_blanks_and_aligned(place):
    said = ingot("check", place(web=ingress(host="a.example"),
                                long=ingress("long", host="a-very-long-name.example")))

    lines = said.stdout.splitlines()[:3]
    at = lines[0].index("PATH")
    assert all(line[at - 3:at] == "   " and line[at - 4] != " " or line[at] in "P/" for line in lines)
    assert {line[at] for line in lines[1:]} == {"/"}


def test_a_diagnostic_names_file_line_column_level_code_object_and_field(place):
    said = ingot("check", place(web=ingress(host="a_b.example")))

    assert said.returncode == 1
    line = said.stdout.splitlines()[0]
    place_of, level, code, rest = line.split(" ", 3)
    file, row, column, end = place_of.split(":")
    assert file.endswith("web.yaml") and int(row) == 8 and int(column) > 1 and end == ""
    assert (level, code) == ("error", "IGT1101:")
    assert rest.startswith('shop/web: spec.rules[0].host: "a_b.example" ')
    assert said.stdout.splitlines()[-1].startswith("1 error, 0 warnings, ")


def test_diagnostics_are_in_the_order_of_files_and_lines(place):
    said = ingot("check", place(zz=ingress("zz", host="z_.example"),
                                aa=ingress("aa", host="a_.example")))

    files = [line.split(":")[0].rsplit("/", 1)[-1] for line in said.stdout.splitlines() if "IGT" in line]
    assert files == ["aa.yaml", "zz.yaml"]


def test_warnings_alone_are_well_unless_strict(place):
    where = place(web=ingress(service="nobody"))

    assert ingot("check", where).returncode == 0
    assert ingot("check", where, "--strict").returncode == 1
    assert ingot("check", "--strict", where).returncode == 1


def test_a_route_to_nobody_is_shown_with_its_status(place):
    said = ingot("check", place(web=ingress(service="nobody")))

    assert "503 (no Service)" in said.stdout


def test_less_grave_things_can_be_hidden_and_are_counted(place):
    said = ingot("check", place(web=ingress(service="nobody")), "--min-level", "error")

    assert "IGT1302" not in said.stdout
    assert "1 warning" in said.stdout


def test_a_code_can_be_ignored(place):
    where = place(web=ingress(host="a_b.example"))

    said = ingot("check", where, "--ignore", "IGT9999,igt1101")

    assert said.returncode == 0
    assert "IGT1101" not in said.stdout
    assert "0 errors" in said.stdout


def test_only_the_class_asked_for_is_served(place):
    where = place(other=CLASS % ("other", "example.com/other"), web=ingress(),
                  two=ingress("two", host="two.example", of_class="other"))

    nginx = ingot("check", where).stdout
    other = ingot("check", where, "--controller-class", "example.com/other").stdout

    assert "shop.example" in nginx and "two.example" not in nginx
    assert "two.example" in other and "shop.example" not in other


def test_files_directories_and_standard_input_add_up(place, tmp_path):
    where = place()
    extra = tmp_path.parent / f"{tmp_path.name}-extra.yaml"
    extra.write_text(ingress("extra", host="extra.example"))

    said = ingot("check", "-f", extra, where, "-", input=ingress("piped", host="piped.example"))

    assert said.returncode == 0, said.stdout + said.stderr
    assert "extra.example" in said.stdout and "piped.example" in said.stdout
    extra.unlink()


def test_json_has_the_same_facts(place):
    said = ingot("check", place(web=ingress(), bad=ingress("bad", host="a_b.example")), "-o", "json")

    report = json.loads(said.stdout)
    assert said.returncode == 1
    assert (report["apiVersion"], report["kind"]) == ("ingot/v1", "CheckReport")
    (diagnostic,) = report["diagnostics"]
    assert diagnostic["code"] == "IGT1101"
    assert diagnostic["level"] == "error"
    assert diagnostic["object"] == "shop/bad"
    assert diagnostic["field"] == "spec.rules[0].host"
    assert diagnostic["line"] == 8
    (route,) = report["routes"]
    assert route == {"host": "shop.example", "path": "/", "type": "Prefix", "namespace": "shop",
                     "ingress": "web", "service": "cart", "servicePort": "80", "endpoints": 2}
    assert (report["errors"], report["objects"], report["hosts"]) == (1, 5, 1)


def test_json_of_odd_text_is_json(place):
    where = place(web=ingress(host='"q\\"uo\\\\te\\u00e4\\t"'))

    report = json.loads(ingot("check", where, "--output=json").stdout)

    assert report["errors"] == 1


def test_an_empty_directory_is_nothing_and_well(tmp_path):
    said = ingot("check", tmp_path)

    assert said.returncode == 0
    assert said.stdout == "0 errors, 0 warnings, 0 notes in 0 objects.  0 routes on 0 hosts would be served.\n"


def test_what_cannot_be_read_is_2_and_named():
    said = ingot("check", "/nowhere/at/all")

    assert said.returncode == 2
    assert said.stdout == ""
    assert "/nowhere/at/all" in said.stderr


@pytest.mark.parametrize("words, answer", [
    ([], "nothing to check"),
    (["--strickt", "."], "did you mean --strict?"),
    ([".", "--min-level", "bad"], "error|warning|note"),
    ([".", "-o", "sarif"], "text|json"),
])
def test_wrong_usage_is_2_and_one_line(words, answer):
    said = ingot("check", *words)

    assert said.returncode == 2
    assert answer in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_reader_that_has_enough_is_no_error(place):
    where = place(web=ingress())

    said = subprocess.run(f"{BUILT / 'ingot'} check {where} | true", shell=True, capture_output=True,
                          text=True, check=False, timeout=20)

    assert said.stderr == ""


# ------------------------------------------------------------------ table

def test_the_table_of_manifests_is_one_json_document(place):
    said = ingot("table", "dump", "--manifests", place(web=ingress()))

    table = json.loads(said.stdout)
    assert said.returncode == 0
    assert table["routes"]["kind"] == "routes"
    assert "shop.example" in [host["host"] for host in table["routes"]["hosts"]]
    (upstream,) = table["endpoints"]["upstreams"]
    assert len(upstream["endpoints"]) == 2


@pytest.mark.parametrize("kind", ["routes", "endpoints"])
def test_one_kind_is_dumped_alone(place, kind):
    said = ingot("table", "dump", "--kind", kind, "--manifests", place(web=ingress()))

    assert json.loads(said.stdout)["kind"] == kind


@pytest.mark.parametrize("words", [
    ["shop.example", "/cart/1"], ["http://shop.example/cart/1"], ["shop.example/cart/1"],
    ["SHOP.example:8080", "/cart/1?x=y"], ["https://shop.example:443/x/../cart/1"],
])
def test_a_look_up_finds_the_route_as_a_request_would(place, words):
    said = ingot("table", "lookup", *words, "--manifests", place(web=ingress(path="/cart")))

    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["result"] == "route"
    assert found["route"]["ingress"] == "web"
    assert len(found["upstream"]["endpoints"]) == 2


def test_a_look_up_without_a_match_is_1(place):
    said = ingot("table", "lookup", "other.example", "/", "--manifests", place(web=ingress()))

    assert said.returncode == 1
    assert json.loads(said.stdout)["route"]["answer"] == "notFound"


@pytest.mark.parametrize("words, answer", [
    (["dump"], "--state-dir, --file and --manifests"),
    (["dump", "--state-dir", "a", "--file", "b"], "only one of"),
    (["dump", "x", "--file", "b"], "flags only"),
    (["show", "--file", "b"], "neither dump nor lookup"),
    ([], "dump or lookup"),
    (["lookup", "--file", "b"], "HOST PATH, or a URL"),
    (["dump", "--file", "/nowhere"], "/nowhere"),
    (["dump", "--state-dir", "/nowhere"], "/nowhere"),
    (["dump", "--manifests", "/nowhere"], "/nowhere"),
])
def test_wrong_usage_of_table_is_2_and_one_line(words, answer):
    said = ingot("table", *words)

    assert said.returncode == 2
    assert said.stdout == ""
    assert answer in said.stderr
    assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("words, answer", [
    (["shop.example"], "neither a URL nor HOST and PATH"),
    (["a b", "/"], "not a host name"),
    (["shop.example", "cart"], "begins with '/'"),
])
def test_what_is_no_request_is_2(place, words, answer):
    said = ingot("table", "lookup", *words, "--manifests", place(web=ingress()))

    assert said.returncode == 2
    assert answer in said.stderr


@pytest.mark.parametrize("content", [b"", b"INGOT-RT", b"INGOT-RT" + bytes(200), b"\xff" * 4096, b"{}\n"])
def test_a_file_that_is_no_segment_is_2_and_named(tmp_path, content):
    file = tmp_path / "some.segment"
    file.write_bytes(content)

    said = ingot("table", "dump", "--file", file)

    assert said.returncode == 2
    assert str(file) in said.stderr
