#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks the running example for each of its routes and says who answered. expected.txt is what comes out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trusted=$(mktemp)
trap 'rm -f "$trusted"' EXIT

# Many requests at a time, so that each pod gets some of them: the statuses and the names of those who answered.
ask_all()
{
	curl -s --parallel --parallel-max 20 -w '\n%{http_code} by HTTP/%{http_version}\n' "$@" |
		sed -n 's/.*"name": "\([^"]*\)".*/\1/p; /^[0-9][0-9][0-9] by/p' | sort -u | tr '\n' ' '
}

# ask HOST PORT
ask()
{
	ask_all -H "Host: $1" "127.0.0.1:$2/?[1-60]" | sed "s/^/$1 at $2: /; s/ $//"
	echo
}

# ask_tls HOST PORT SECRET: the same on HTTPS, trusting nobody but the certificate in that Secret
ask_tls()
{
	sed -n "/name: $3,/,/tls.crt/s/.*tls.crt: \([^,]*\),.*/\1/p" "$here/manifests/certificates.yaml" |
		base64 -d >"$trusted"
	ask_all --cacert "$trusted" --resolve "$1:$2:127.0.0.1" "https://$1:$2/?[1-60]" |
		sed "s/^/$1 at $2, by its own certificate: /; s/ $//"
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
