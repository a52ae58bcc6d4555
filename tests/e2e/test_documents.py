# SPDX-License-Identifier: Apache-2.0
"""Documents do not lie: generated pages are up to date, links lead somewhere, the tutorial works as it stands."""
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from world.ingot import BUILD
from world.wait import PATIENCE

TOP = pathlib.Path(__file__).parent.parent.parent
PAGES = [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("examples/**/*.md"),
         TOP / "tests/attack/README.md"]


def test_generated_pages_are_what_the_sources_say():
    run = subprocess.run([sys.executable, "-B", TOP / "tools/reference.py", "--check"],
                         capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.M):
        words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), target


def test_pages_name_files_that_exist():
    page = TOP / "docs" / "architecture.md"

    for name in re.findall(r"`((?:proxy|http|table|stats|observe)/[a-z0-9_/]+(?:\.c|/))`",
                           page.read_text()):
        assert (TOP / "src" / name).exists(), name


def test_the_tutorial_works_as_it_stands(place):
    """All its blocks but the building, in one shell, from a directory with build/ingot in it."""
    page = (TOP / "docs" / "getting-started.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", page, re.M)
    lines = [line[4:] for block in blocks for line in block.splitlines()]
    script = "\n".join(line for line in lines if not line.startswith("./dev"))
    (place / "build").symlink_to(BUILD)
    shutil.rmtree("/tmp/shop", ignore_errors=True)

    run = subprocess.run(["bash", "-c", "set -e\n" + script + "\nwait"], cwd=place, text=True,
                         capture_output=True, timeout=60 * PATIENCE, check=False)

    shutil.rmtree("/tmp/shop", ignore_errors=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert '"name": "web-' in run.stdout
    assert '"target": "/cart"' in run.stdout
    assert "ingot_requests_total{" in run.stdout


def test_flags_that_pages_mention_exist():
    """Flags that pages mention are flags that exist."""
    known = set(re.findall(r'"([a-z_-]+)", (?:0|\'v\'), [A-Z_]+,', (TOP / "src/cli/run_flag.def").read_text()))
    known |= {name for name in re.findall(r'LATER\([A-Z_]+, "([a-z_-]+)"', (
        TOP / "src/cli/run_flag.def").read_text())}
    known |= {"help", "listen", "name", "resolve", "state-dir", "haproxy-protocol"}    # resolve: curl's, as the last

    for page in PAGES:
        text = re.sub(r"^( {4}|\t).*git.*$", "", page.read_text(), flags=re.M)
        for flag in re.findall(r"(?<![\w-])--([a-z][a-z_-]+)", text):
            assert flag in known, f"{page.name}: --{flag}"


def test_the_readme_counts_the_keys_right():
    obeyed = len(re.findall(r"^KEY_VALUE", (TOP / "src/model/config_key.def").read_text(), re.M))

    assert f"[{obeyed} keys]" in (TOP / "README.md").read_text()
