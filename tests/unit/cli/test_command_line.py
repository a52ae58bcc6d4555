# SPDX-License-Identifier: Apache-2.0
"""What the executables say on the command line: help, wrong words, exit statuses."""
import os
import pathlib
import shutil
import subprocess

import pytest

BUILT = pathlib.Path(os.environ["COMMAND_LINE_TEST_BUILD_DIR"])


def ingot(*words, program=BUILT / "ingot", **options):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=20, check=False,
                          **options)


@pytest.mark.parametrize("words", [[], ["run"], ["proxy"], ["echo"], ["version"], ["check"], ["table"]])
def test_help_is_on_every_level_and_within_100_columns(words):
    said = ingot(*words, "--help")

    assert said.returncode == 0
    assert said.stderr == ""
    assert "usage: " in said.stdout and "exit status" in said.stdout
    assert max(len(line) for line in said.stdout.splitlines()) <= 100


@pytest.mark.parametrize("command", ["run", "echo", "version", "check", "table"])
def test_help_of_a_command_is_its_help(command):
    assert ingot("help", command).stdout == ingot(command, "--help").stdout


def test_help_shows_examples_before_flags():
    text = ingot("run", "--help").stdout

    assert text.index("examples:") < text.index("--manifests DIR  ")


def test_without_words_the_help_is_an_error():
    said = ingot()

    assert said.returncode == 2
    assert said.stdout == ""
    assert "usage: ingot COMMAND" in said.stderr


@pytest.mark.parametrize("words", [["version"], ["--version"], ["run", "--version"],
                                   ["run", "--manifests", "x", "--version"]])
def test_the_version_is_one_line(words):
    said = ingot(*words)

    assert said.returncode == 0
    assert said.stdout.startswith("ingot ") and said.stdout.count("\n") == 1


@pytest.mark.parametrize("words, line", [
    (["rum"], "ingot: unknown command rum; did you mean run? (ingot --help)"),
    (["frobnicate"], "ingot: unknown command frobnicate (ingot --help)"),
    (["help", "chekc"], "ingot: unknown command chekc; did you mean check? (ingot --help)"),
    (["run"], "ingot run: nothing to serve: --manifests DIR is missing, and the Kubernetes API is not read yet "
              "(ingot run --help)"),
    (["run", "--manifest", "x"],
     "ingot run: unknown flag --manifest; did you mean --manifests? (ingot run --help)"),
    (["run", "--manifests=x", "--http-port", "http"],
     'ingot run: --http-port: "http" is not a port; write a number from 1 to 65535 (ingot run --help)'),
    (["run", "--manifests=x", "y"],
     'ingot run: "y" is not a flag, and nothing else is taken (ingot run --help)'),
    (["proxy"], "ingot proxy: descriptor 3 was to be inherited: Bad file descriptor (EBADF)"),
    (["version", "x"], 'ingot version: takes no "x" (ingot version --help)'),
])
def test_a_mistake_gets_one_line_and_status_2(words, line):
    said = ingot(*words)

    assert said.returncode == 2
    assert said.stdout == ""
    assert said.stderr == line + "\n"


def test_ingot_control_alone_says_what_it_is():
    said = ingot(program=BUILT / "ingot-control")

    assert said.returncode == 2
    assert said.stderr == "ingot-control is a part of ingot and is started by it (ingot --help)\n"


def test_a_missing_part_is_named(tmp_path):
    shutil.copy(BUILT / "ingot", tmp_path / "ingot")

    for words in (["check", "."], ["run", "--manifests", "."]):
        said = ingot(*words, program=tmp_path / "ingot")

        assert said.returncode == 2
        assert f"cannot open {tmp_path}/ingot-control, nor " in said.stderr
