# SPDX-License-Identifier: Apache-2.0
"""Services of type ExternalName: inside_external_name.py, in a network of its own."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
ISOLATED = ["unshare", "--user", "--map-root-user", "--net", "--mount"]


def test_external_names_are_resolved(place):
    if subprocess.run([*ISOLATED, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel gives no user namespaces")
    resolver = place / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    script = (f"ip link set lo up && mount --bind {resolver} /etc/resolv.conf && "
              f"exec {sys.executable} -B -m pytest -q -p no:cacheprovider {HERE}/inside_external_name.py")

    run = subprocess.run([*ISOLATED, "sh", "-c", script], capture_output=True, text=True,
                         check=False, cwd=HERE, env=dict(os.environ), timeout=600)

    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\b1[0-9] passed", run.stdout)
