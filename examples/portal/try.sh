#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks the running example for each of its routes and says who answered. expected.txt is what comes out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trusted=$(mktemp)
trap 'rm -f "$trusted"' EXIT

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

# ask_tls HOST PORT SECRET: the same on HTTPS, trusting nobody but the certificate in that Secret
ask_tls()
{
	sed -n "/name: $3,/,/tls.crt/s/.*tls.crt: \([^,]*\),.*/\1/p" "$here/manifests/certificates.yaml" |
		base64 -d >"$trusted"
	n=0
	while [ "$n" -lt 40 ]; do
		n=$((n + 1))
		curl -s -w '\n%{http_code} over HTTP/%{http_version}\n' --cacert "$trusted" --resolve "$1:$2:127.0.0.1" "https://$1:$2/"
	done | sed -n 's/.*"name": "\([^"]*\)".*/\1/p; /^[0-9][0-9][0-9] over/p' | sort -u |
		tr '\n' ' ' | sed "s/^/$1 at $2, by its own certificate: /; s/ $//"
	echo
}

ask portal.com 8080
ask k8s.core 8080
ask portal2.com 8081
ask portal2.com 8080
ask portal.com 8081
ask unknown.com 8080
ask_tls portal.com 8443 portal-tls
ask_tls k8s.core 8443 core-tls
ask_tls portal2.com 8444 portal2-tls
