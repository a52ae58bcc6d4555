# SPDX-License-Identifier: Apache-2.0
"""The attack corpus against the real binary: every vector must come out exactly as it says."""
import json
import pathlib
import subprocess
import sys
import types

import pytest

from world.ingot import Ingot
from world.objects import backend_of, ingress
from world.wait import PATIENCE, free_port

HERE = pathlib.Path(__file__).parent
VECTORS = json.loads((HERE / "h1.json").read_text(encoding="utf-8"))["vectors"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """What the runner found, by id of the vector: one run over all of them."""
    place = tmp_path_factory.mktemp("attack")
    origin = types.SimpleNamespace(address="127.0.0.1", port=free_port())
    ingot = Ingot(place, flags=["--default-backend-service", "shop/fallback"])
    try:
        ingot.serve(ingress("ingot.test", "/", to=[origin]), backend_of("fallback", [origin]))
        run = subprocess.run(
            [sys.executable, HERE / "run_h1.py", "--target", f"127.0.0.1:{ingot.http_port}",
             "--backend-port", str(origin.port), "--vectors", HERE / "h1.json",
             "--timeout", str(2.0 * PATIENCE), "--json", place / "rows.json"],
            capture_output=True, text=True, timeout=1800, check=False)
        assert (place / "rows.json").exists(), run.stdout + run.stderr
        assert ingot.stop() == 0
        ingot.check_calm()
    finally:
        ingot.kill()
    return {row["id"]: row for row in json.loads((place / "rows.json").read_text())["rows"]}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_comes_out_as_it_must(rows, vector):
    row = rows[vector["id"]]

    assert row["class"] == "match", "\n".join(
        [f"{row['class']}: {vector['title']} ({vector['ref']})", *row["why"],
         f"client: {row['client']}", f"backend: {row['backend']}"])


def test_the_judge_itself_judges_right():
    run = subprocess.run([sys.executable, HERE / "run_h1.py", "--selftest"],
                         capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
