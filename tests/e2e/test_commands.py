# SPDX-License-Identifier: Apache-2.0
"""The commands beside run: check, table, version, help; and their messages."""
import json
import os
import subprocess

import pytest

from world.ingot import BINARY
from world.objects import ingress, ingress_class, ingress_only, path_rule
from world.wait import eventually

HOST = "shop.example"


def call(*words, **more):
    return subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, check=False,
                          timeout=60, **more)


@pytest.fixture
def directory(place):
    """directory(*manifests): a directory with these."""
    def make(*manifests):
        for group in manifests:
            for manifest in group:
                (place / manifest.name).write_text(manifest.text)
        return place
    return make


POD = type("Pod", (), {"address": "127.0.0.1", "port": 9001})()


# ------------------------------------------------------------------ check

def test_check_finds_nothing_wrong_with_what_is_right(directory):
    run = call("check", directory(ingress_class(), ingress(HOST, to=[POD])))

    assert run.returncode == 0, run.stdout + run.stderr
    assert HOST in run.stdout
    assert "0 errors" in run.stdout


def test_check_names_file_line_object_and_field(directory):
    place = directory(ingress_class(), ingress(HOST, to=[POD]),
                      ingress_only("bad", {"a_b.example": [path_rule("/", "web")]}))

    run = call("check", place)

    assert run.returncode == 1
    (line,) = [line for line in (run.stdout + run.stderr).splitlines() if "a_b.example" in line
               and "IGT" in line]
    assert "ingress_shop_bad.yaml:" in line
    assert "error IGT1101" in line
    assert "shop/bad: spec.rules[0].host" in line


def test_check_reads_single_files_and_standard_input(directory):
    place = directory(ingress_class(), ingress(HOST, to=[POD]))
    files = sorted(place.glob("*.yaml"))
    text = "---\n".join(file.read_text() for file in files)

    assert call("check", *files).returncode == 0
    assert call("check", "-", input=text).returncode == 0


def test_check_of_what_cannot_be_read_is_2():
    run = call("check", "/nowhere/at/all")

    assert run.returncode == 2
    assert "/nowhere/at/all" in run.stderr


def test_check_of_a_file_that_does_not_parse_is_1(place):
    (place / "x.yaml").write_text("kind: [\n")

    run = call("check", place)

    assert run.returncode == 1
    assert "x.yaml:2" in run.stdout + run.stderr


def test_check_of_warnings_alone_is_0(directory):
    run = call("check", directory(ingress_class(), ingress_only(
        "lost", {HOST: [path_rule("/", "nobody")]})))

    assert run.returncode == 0
    assert "warning IGT1302" in run.stdout + run.stderr


# ------------------------------------------------------------------ table

def test_the_stored_table_is_json_that_names_every_host(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))
    eventually(lambda: ingot.state.exists() and len(list(ingot.state.iterdir())) >= 2)

    def dump():
        run = call("table", "dump", "--kind", "routes", "--state-dir", ingot.state)
        assert run.returncode == 0, run.stderr
        return HOST in run.stdout and json.loads(run.stdout)
    assert eventually(dump)


def test_a_look_up_says_which_ingress_answers(ingot, pod):
    ingot.serve(ingress(HOST, "/cart", to=[pod]))

    def look_up():
        run = call("table", "lookup", "--state-dir", ingot.state, f"http://{HOST}/cart/1")
        assert run.returncode == 0, run.stderr
        return run.stdout
    found = eventually(look_up)
    assert "web" in found
    assert "shop" in found


def test_the_table_of_an_instance_that_has_ended_is_read_from_its_directory(ingot, pod):
    ingot.serve(ingress(HOST, to=[pod]))
    eventually(lambda: len(list(ingot.state.glob("*.segment"))) == 2)
    ingot.stop()

    run = call("table", "lookup", "--state-dir", ingot.state, f"http://{HOST}/cart/1")

    assert run.returncode == 0, run.stderr
    assert "web" in run.stdout


def test_a_table_that_is_not_there_is_2(place):
    run = call("table", "dump", "--state-dir", place / "nothing")

    assert run.returncode == 2
    assert run.stdout == ""


# ------------------------------------------------------------------ usage

COMMANDS = ["run", "check", "table", "echo", "version"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(command, flag):
    run = call(command, flag)

    assert run.returncode == 0
    assert run.stderr == ""
    assert run.stdout.startswith(f"ingot {command}: ")
    assert "usage: ingot " + command in run.stdout
    assert "exit status" in run.stdout
    assert max(map(len, run.stdout.splitlines())) <= 100


def test_the_help_of_all_names_every_command():
    for words in (["--help"], ["help"], ["-h"]):
        run = call(*words)
        assert run.returncode == 0
        assert all(f"\n  {command} " in run.stdout for command in COMMANDS)


def test_version_is_one_line():
    run = call("version")

    assert run.returncode == 0
    assert run.stdout.startswith("ingot 0.")
    assert len(run.stdout.splitlines()) == 1


@pytest.mark.parametrize("words, hint", [
    (["rum"], "run"), (["run", "--manifets", "x"], "--manifests"), (["run"], "--manifests"),
    (["run", "--manifests", "x", "--http-port", "99999"], "65535"),
    (["run", "--manifests", "x", "--http-port", "http"], "http-port"),
    (["run", "--manifests", "x", "--workers", "0"], "--workers"),
    (["run", "--manifests", "x", "--bind-address", "nowhere"], "nowhere"),
    (["run", "--manifests", "x", "--admin-address", "1:2:3"], "--admin-address"),
    (["run", "--manifests", "x", "--configmap", "name"], "--configmap"),
    (["run", "--manifests", "x", "--log-level", "loud"], "debug"),
    (["run", "--manifests", "x", "extra"], "extra"),
    (["run", "--manifests"], "--manifests"),
    (["check"], "check"), (["check", "--frob"], "--frob"), (["table"], "dump"), (["table", "frob"], "frob"),
    (["version", "extra"], "extra"),
], ids=lambda value: "-".join(value)[-40:] if isinstance(value, list) else "")
def test_wrong_usage_is_one_line_that_teaches(words, hint):
    run = call(*words)

    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert hint in run.stderr


def test_flags_of_ingress_nginx_without_effect_are_taken_and_told(make_ingot, pod):
    ingot = make_ingot(flags=["--election-id=x", "--publish-service", "a/b", "--update-status=false",
                              "--validating-webhook=:8443"])
    ingot.serve(ingress(HOST, to=[pod]))

    assert ingot.get(HOST).status == 200
    assert "election-id" in ingot.said()


def test_a_pipe_that_closes_early_is_no_error(directory):
    place = directory(ingress_class(), *(ingress_only(f"i{n}", {f"h{n}.example": [
        path_rule("/", "web")]}) for n in range(300)))
    reader, writer = os.pipe()
    process = subprocess.Popen([BINARY, "check", place], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)

    error = process.communicate(timeout=30)[1]

    assert process.returncode in (0, 1, -13)
    assert "error" not in error.lower() or "IGT" in error
