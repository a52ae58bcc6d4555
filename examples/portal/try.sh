#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks the running example for each of its routes and says who answered. expected.txt is what comes out.
set -eu

# ask HOST PORT: the statuses and the names of the pods over many requests
ask()
{
	n=0
	while [ "$n" -lt 40 ]; do
		n=$((n + 1))
		curl -s -w '\n%{http_code}\n' -H "Host: $1" "127.0.0.1:$2"
	done | sed -n 's/.*"name": "\([^"]*\)".*/\1/p; /^[0-9][0-9][0-9]$/p' | sort -u |
		tr '\n' ' ' | sed "s/^/$1 at $2: /; s/ $//"
	echo
}

ask portal.com 8080
ask k8s.core 8080
ask portal2.com 8081
ask portal2.com 8080
ask portal.com 8081
ask unknown.com 8080
