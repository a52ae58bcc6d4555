#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that includes between the folders of src/ point along the arrows of arrows.txt, that the arrows make no
circle, and that no role may include another.

usage: arrows.py [SOURCE-DIRECTORY]
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

# Each a process of its own; only the command line knows more than one.
ROLES = {"control", "proxy", "lb", "dns"}
MAY_INCLUDE_ROLES = {"cli"}


def read_arrows(text):
    """{folder: [what it may include]}, itself among it."""
    arrows = {}
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            arrows[folder.strip()] = [folder.strip(), *allowed.split()]
    return arrows


def circles(arrows):
    """Lines that tell of each folder from which arrows lead back to it."""
    folders = {folder: {entry.split("/")[0] for entry in allowed} - {folder}
               for folder, allowed in arrows.items()}
    for folder in folders:
        reached, new = set(), folders[folder]
        while new:
            reached |= new
            new = {target for at in new for target in folders.get(at, ())} - reached
        if folder in reached:
            yield f"tools/arrows.txt: the arrows from {folder} lead back to it"


def roles_that_meet(arrows):
    """Lines that tell of each role, or folder that roles are made of, that may include a role."""
    for folder, allowed in arrows.items():
        if folder in MAY_INCLUDE_ROLES:
            continue
        for role in ROLES & {entry.split("/")[0] for entry in allowed} - {folder}:
            yield f"tools/arrows.txt: {folder} may not include the role {role}"


def is_allowed(target, allowed):
    """target: "kube/store.h"; allowed: folders, or files without their ending."""
    stem = target.rsplit(".", 1)[0]
    return any(stem == entry or target.startswith(entry + "/") for entry in allowed)


def headers_in_circles(source):
    """Lines that tell of each header that includes itself by way of others: one of them cannot compile alone."""
    graph = {}
    for path in sorted(source.rglob("*.h")):
        name = path.relative_to(source).as_posix()
        graph[name] = set(INCLUDE.findall(path.read_text(encoding="utf-8")))
    for name in graph:
        reached, new = set(), graph[name]
        while new:
            reached |= new
            new = {target for at in new for target in graph.get(at, ())} - reached
        if name in reached:
            yield f"src/{name}: includes itself by way of others"


def forbidden(source, arrows):
    """Lines that tell of each include that points elsewhere."""
    for path in sorted([*source.rglob("*.[ch]"), *source.rglob("*.def")]):
        relative = path.relative_to(source)
        folder = relative.parts[0]
        if folder not in arrows:
            yield f"src/{relative}: the folder {folder} is not in tools/arrows.txt"
            continue
        text = path.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            target = match[1]
            if "/" not in target:
                yield f"src/{relative}:{line}: \"{target}\" is not written from src/ on"
            elif not is_allowed(target, arrows[folder]):
                yield (f"src/{relative}:{line}: {folder} may not include {target} "
                       f"(allowed: {' '.join(arrows[folder])})")


def main():
    source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "src"
    arrows = read_arrows((HERE / "arrows.txt").read_text(encoding="utf-8"))
    found = [*circles(arrows), *roles_that_meet(arrows),
             *headers_in_circles(source), *forbidden(source, arrows)]
    print("\n".join(found) if found else "every include points along an arrow")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
