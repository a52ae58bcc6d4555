# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the nouns of world/, made for a test and taken down after it."""
import pathlib
import shutil
import tempfile

import pytest

from world.backend import Backend
from world.ingot import Ingot


@pytest.fixture
def place():
    """A directory for one test, with a short path (Unix sockets), gone afterwards."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="ingot-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def make_ingot(place):
    """make_ingot(workers=2, config={…}, flags=[…]): not started yet; serve() starts it."""
    made = []

    def make(**options):
        made.append(Ingot(place / f"ingot{len(made)}", **options))
        return made[-1]

    yield make
    statuses = []
    try:
        for ingot in made:
            statuses.append(ingot.stop())
            ingot.check_calm()
    finally:
        for ingot in made:
            ingot.kill()
    # 143: a second SIGTERM ended it at once, because requests of the test were still in progress
    assert set(statuses) <= {0, 143}, f"ingot run ended with {statuses}"


@pytest.fixture
def ingot(make_ingot):
    """One worker, default settings, not started yet: serve() starts it."""
    return make_ingot()


@pytest.fixture
def pods():
    """pods("a", "b", answer=…): that many backends; what reaches them must be well-formed."""
    made = []

    def make(*names, answer=None, **options):
        new = [Backend(name, answer, **options) for name in names]
        made.extend(new)
        return new

    yield make
    for pod in made:
        pod.stop()
    faults = {pod.name: pod.faults for pod in made if pod.faults}
    assert not faults, f"malformed requests reached pods: {faults}"


@pytest.fixture
def pod(pods):
    """One backend with the usual answer."""
    return pods("pod")[0]
