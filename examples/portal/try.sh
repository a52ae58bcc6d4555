#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks the running example for each of its routes and says who answered. expected.txt is what comes out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trusted=$(mktemp)
answers=$(mktemp)
trap 'rm -f "$trusted" "$answers"' EXIT

# Many requests at a time, again until so many pods have answered, for half a minute at most: the statuses and the
# names of those who did.
ask_all()
{
	pods=$1
	shift
	: >"$answers"
	rounds=0
	while [ "$rounds" -lt 60 ]; do
		curl -s --parallel --parallel-max 20 -w '\n%{http_code} by HTTP/%{http_version}\n' "$@" |
			sed -n 's/.*"name": "\([^"]*\)".*/\1/p; /^[0-9][0-9][0-9] by/p' >>"$answers"
		sort -u -o "$answers" "$answers"
		[ "$(grep -vc ' by ' "$answers" || true)" -lt "$pods" ] || break
		rounds=$((rounds + 1))
		sleep 0.5
	done
	tr '\n' ' ' <"$answers" | sed 's/ $//'
	echo
}

# ask HOST PORT PODS
ask()
{
	printf '%s at %s: ' "$1" "$2"
	ask_all "$3" -H "Host: $1" "127.0.0.1:$2/?[1-60]"
}

# ask_tls HOST PORT PODS SECRET: the same on HTTPS, trusting nobody but the certificate in that Secret
ask_tls()
{
	sed -n "/name: $4,/,/tls.crt/s/.*tls.crt: \([^,]*\),.*/\1/p" "$here/manifests/certificates.yaml" |
		base64 -d >"$trusted"
	printf '%s at %s, by its own certificate: ' "$1" "$2"
	ask_all "$3" --cacert "$trusted" --resolve "$1:$2:127.0.0.1" "https://$1:$2/?[1-60]"
}

ask portal.com 8080 3
ask k8s.core 8080 2
ask portal2.com 8081 2
ask portal2.com 8080 0
ask portal.com 8081 0
ask unknown.com 8080 0
ask_tls portal.com 8443 3 portal-tls
ask_tls k8s.core 8443 2 core-tls
ask_tls portal2.com 8444 2 portal2-tls
