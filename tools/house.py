#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that no common tool knows: SPDX lines, lengths, names, words that have no place in the sources.

usage: house.py    reads every file that git knows; one line for each finding
"""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SPDX_C = "/* SPDX-License-Identifier: Apache-2.0 */"
SPDX_HASH = "# SPDX-License-Identifier: Apache-2.0"

FUNCTION_LINES = 100
FILE_LINES = 1000
COMMENT_COLUMNS = 120       # clang-format leaves comments alone, and holds the code to 100
EMPTY_NAMES = {"util", "utils", "common", "helpers", "helper", "misc", "manager"}
# Kept as they came: texts of others, and inputs.
FOREIGN = ("LICENSE", "tests/attack/h1.json", "tests/attack/run_h1.py", "tests/fuzz/corpus/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
SLEEP = re.compile(r"\b(time\.sleep|usleep|nanosleep)\s*\(|\bsleep\s*\(")


def files():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True,
                           text=True).stdout.split("\0")
    for name in names:
        path = TOP / name
        if name and not name.startswith(FOREIGN) and path.is_file() and not path.is_symlink():
            yield name, path


def spdx(name, lines):
    if name.endswith((".c", ".h", ".def")):
        if lines[:1] != [SPDX_C]:
            yield 1, f"the first line is not {SPDX_C}"
    elif name.endswith((".py", ".sh")) or name in ("dev", ".ci/run", "meson.build"):
        if SPDX_HASH not in lines[:2]:
            yield 1, f"none of the first two lines is {SPDX_HASH}"


def lengths(name, lines):
    if name.endswith((".c", ".h", ".py", ".sh")) and len(lines) > FILE_LINES:
        yield len(lines), f"{len(lines)} lines; past {FILE_LINES} the subject was two"
    if name.endswith((".c", ".h")):
        for number, line in enumerate(lines, 1):
            columns = len(line.expandtabs(8))
            if columns > COMMENT_COLUMNS and line.lstrip().startswith(("/*", "* ", "//")):
                yield number, f"a comment of {columns} columns; {COMMENT_COLUMNS} are the limit"


def functions(name, lines):
    if not name.endswith(".c"):
        return
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin is not None:
            if number - begin - 1 > FUNCTION_LINES:
                yield begin, f"a function of {number - begin - 1} lines; {FUNCTION_LINES} are the limit"
            begin = None


def words(name, lines):
    stem = pathlib.PurePath(name).stem
    if name.startswith("src/") and stem in EMPTY_NAMES:
        yield 1, f"\"{stem}\" names no subject"
    sources = name.endswith((".c", ".h", ".def", ".py", ".sh", ".build")) or name == "dev"
    for number, line in enumerate(lines, 1):
        if line.rstrip() != line and not name.endswith(".md"):
            yield number, "blanks at the end of a line"
        if sources and name != "tools/house.py" and UNFINISHED.search(line):
            yield number, "unfinished work is an issue, not a comment"
        if name.startswith("tests/") and SLEEP.search(line) and "time to wait for" not in line \
                and "misbehav" not in line and "pause" not in line:
            yield number, "tests wait for conditions, not for times"


def main():
    found = 0
    for name, path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = text.splitlines()
        if text and not text.endswith("\n"):
            print(f"{name}: no line end at the end of the file")
            found += 1
        for rule in (spdx, lengths, functions, words):
            for number, what in rule(name, lines):
                print(f"{name}:{number}: {what}")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
