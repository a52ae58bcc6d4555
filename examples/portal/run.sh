#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the example in the foreground: the pods as `ingot echo` processes, and two controllers, one for each class.
# Ctrl-C ends all of it. usage: run.sh PATH-OF-INGOT
set -eu
ingot=$(realpath "${1:?usage: run.sh PATH-OF-INGOT}")
here=$(realpath "$(dirname "$0")")
place=$(mktemp -d)
certificates=$here/manifests/certificates.yaml
pids=""

fail()
{
	printf 'portal: %s\n' "$*" >&2
	exit 1
}

# Ends what was started here, and nothing else.
# shellcheck disable=SC2317 # called by traps
end()
{
	trap '' INT TERM
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$place" "$certificates"
	trap - EXIT
}
trap end EXIT
trap 'end; exit 0' INT TERM

pod()
{
	"$ingot" echo --name "$1" --listen "127.0.0.1:$2" 2>>"$place/pods.log" &
	pids="$pids $!"
}

# certificate SECRET HOST: a Secret with a certificate that nobody trusts but who is told to
certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$2" \
		-addext "subjectAltName=DNS:$2" -keyout "$place/key" -out "$place/$2.pem" 2>"$place/openssl.log" ||
		fail "no certificate: $(cat "$place/openssl.log")"
	cat >>"$place/certificates" <<END
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: $1, namespace: api-tester-322}
data: {tls.crt: $(base64 -w0 "$place/$2.pem"), tls.key: $(base64 -w0 "$place/key")}
END
}

# controller NAME CLASS CONTROLLER HTTP-PORT HTTPS-PORT ADMIN-PORT
controller()
{
	"$ingot" run --manifests "$here/manifests" --ingress-class "$2" --controller-class "$3" \
		--bind-address 127.0.0.1 --http-port "$4" --https-port "$5" \
		--admin-address "127.0.0.1:$6" --workers 2 --state-dir "$place/$1" --log-level warn &
	pids="$pids $!"
}

check_alive()
{
	for pid in $pids; do
		kill -0 "$pid" 2>/dev/null || {
			grep -v level=info "$place/pods.log" >&2
			fail "a process ended early, see above"
		}
	done
}

# Must answer 200 on /readyz within ten seconds, while everything started here lives.
await_ready()
{
	tries=0
	until [ "$(curl -s -o /dev/null -w '%{http_code}' "127.0.0.1:$1/readyz")" = 200 ]; do
		check_alive
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "no readiness at 127.0.0.1:$1 within 10 s"
		sleep 0.1
	done
}

certificate portal-tls portal.com
certificate core-tls k8s.core
certificate portal2-tls portal2.com
mv "$place/certificates" "$certificates"
pod portal-1 9101
pod portal-2 9102
pod portal-3 9103
pod core-1 9111
pod core-2 9112
pod portal2-1 9121
pod portal2-2 9122
controller nginx-ingress-controller nginx k8s.io/ingress-nginx 8080 8443 10254
controller ingress-nginx nginx2 k8s.io/ingress-nginx2 8081 8444 10255
await_ready 10254
await_ready 10255

cat <<'END'

Two controllers are running: class nginx at 127.0.0.1:8080 and 8443 (https), class nginx2 at 8081 and 8444.
In another terminal, try:

  curl -H 'Host: portal.com'  127.0.0.1:8080     a pod of portal; again: perhaps another one
  curl -H 'Host: k8s.core'    127.0.0.1:8080     a pod of core
  curl -H 'Host: portal2.com' 127.0.0.1:8081     a pod of portal2, through its own controller
  curl -H 'Host: portal2.com' 127.0.0.1:8080     404: not the class of this controller
  curl -H 'Host: unknown.com' 127.0.0.1:8080     404: no Ingress names this host
  curl -k --resolve portal.com:8443:127.0.0.1 https://portal.com:8443    the same under its own certificate
  curl 127.0.0.1:10254/readyz                    200: every worker serves the whole table
  curl 127.0.0.1:10254/metrics                   what it counted

Change a file in examples/portal/manifests/ and ask again: no restart, no reload.
Below: one line for each request. Ctrl-C ends everything.

END
while check_alive; do
	sleep 1 &
	wait $!
done
