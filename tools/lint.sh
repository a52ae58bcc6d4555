#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything about the form of the sources that a tool can judge; called by `./dev lint`, which has set up what
# is needed. Each check says what it found, all checks run, and the last line says how it ended.
set -u
cd "$(dirname "$0")/.." || exit 2

python=/usr/bin/python3
jobs=${JOBS:-$(nproc)}
compile_database=build-clang
failed=""
count=0

# check NAME COMMAND…: shows the output only where the command fails.
check()
{
	name=$1
	shift
	count=$((count + 1))
	if output=$("$@" 2>&1); then
		printf '  ok      %s\n' "$name"
	else
		printf '  FAILED  %s\n%s\n' "$name" "$output"
		failed="$failed $name"
	fi
}

tracked()
{
	git ls-files -- "$@"
}

# Each called by check, shellcheck cannot see it.
# shellcheck disable=SC2317
form()
{
	tracked '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

# shellcheck disable=SC2317
shell()
{
	{
		tracked '*.sh'
		tracked dev .ci/run
	} | xargs shellcheck
}

# shellcheck disable=SC2317
python_syntax()
{
	tracked '*.py' | xargs "$python" -B -W error -c '
import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)'
}

# A header compiles alone, with nothing before it.
# shellcheck disable=SC2016,SC2317 # the inner shell expands
headers()
{
	tracked 'src/*.h' | xargs -P "$jobs" -n 8 sh -c '
		status=0
		for header in "$@"; do
			printf "#include \"%s\"\n" "${header#src/}" |
				gcc -std=gnu17 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -fsyntax-only \
					-x c - || status=255
		done
		exit $status' sh
}

# shellcheck disable=SC2317
tidy()
{
	[ -f "$compile_database/compile_commands.json" ] ||
		CC=clang meson setup "$compile_database" >/dev/null || return 1
	tracked 'src/*.c' | xargs -P "$jobs" -n 4 clang-tidy --quiet -p "$compile_database" \
		--warnings-as-errors='*' 2>/dev/null
}

# shellcheck disable=SC2317
cpp()
{
	tracked 'src/*.c' | xargs cppcheck -j "$jobs" --quiet --std=c11 --enable=warning,portability \
		--inline-suppr --error-exitcode=1 --max-configs=1 -Isrc -D__GNUC__ -D_GNU_SOURCE \
		--suppressions-list=tools/cppcheck.txt
}

printf 'lint:\n'
check "form (clang-format)" form
check "house rules (tools/house.py)" "$python" -B tools/house.py
check "arrows between folders" "$python" -B tools/arrows.py
check "headers compile alone" headers
check "shell (shellcheck)" shell
check "Python parses" python_syntax
check "generated pages are up to date" "$python" -B tools/reference.py --check
check "cppcheck" cpp
check "clang-tidy" tidy

if [ -n "$failed" ]; then
	printf 'lint: failed:%s\n' "$failed"
	exit 1
fi
printf 'lint: all %d checks passed\n' "$count"
