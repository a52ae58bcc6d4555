#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the reference pages of docs/ from the .def files, where each fact is written once.

usage: reference.py --write    writes the pages
       reference.py --check    tells which pages differ from what would be written; status 1 where one does
"""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SRC = TOP / "src"
NOTE = "<!-- Written by tools/reference.py from {}. Change it there, then run ./dev docs. -->"


# ------------------------------------------------------------------ reading .def files

def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def split_arguments(text):
    """Arguments of a macro call; commas in strings and parentheses do not part them."""
    arguments, current, depth, quoted, at = [], "", 0, False, 0
    while at < len(text):
        byte = text[at]
        if byte == "\\" and quoted:
            current += text[at:at + 2]
            at += 2
            continue
        if byte == '"':
            quoted = not quoted
        if not quoted and byte == "," and depth == 0:
            arguments.append(current.strip())
            current = ""
        else:
            depth += (byte == "(") - (byte == ")") if not quoted else 0
            current += byte
        at += 1
    return arguments + [current.strip()]


def string(argument):
    """The value of one or more C string literals, or None for NULL."""
    if argument == "NULL":
        return None
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', argument)).replace('\\"', '"')


def calls(path, macro):
    """The arguments of every call of a macro in a .def file, in order."""
    text = without_comments((SRC / path).read_text(encoding="utf-8"))
    found = []
    for match in re.finditer(rf"^{macro}\(", text, re.M):
        depth, at, quoted = 1, match.end(), False
        while depth:
            byte = text[at]
            if byte == '"' and text[at - 1] != "\\":
                quoted = not quoted
            if not quoted:
                depth += (byte == "(") - (byte == ")")
            at += 1
        found.append(split_arguments(text[match.end():at - 1]))
    return found


def cell(text):
    return text.replace("|", "\\|")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def code(text):
    return f"`{text}`"


# ------------------------------------------------------------------ configuration

TYPES = {
    "SECONDS": "seconds", "SECONDS_OR_NONE": "seconds; 0: off", "TIME": "time: `90`, `1h 30m`, `500ms`",
    "COUNT": "number", "COUNT_OR_NONE": "number; 0: off", "SIZE": "size: `512`, `8k`, `10m`; 0: no limit",
    "BUFFER_SIZE": "size", "BOOL": "`true`, `false`", "SWITCH_ON": "`true`, `false`",
    "SWITCH_OFF": "`true`, `false`", "HEADER_BUFFERS": "number and size", "RETRY_CASES": "words",
    "NETWORKS": "addresses and networks, apart by commas", "REDIRECT_CODE": "status",
    "TLS_VERSIONS": "`TLSv1.2`, `TLSv1.3`", "WORDS": "names with colons", "DIGITS": "seconds",
    "PATHS": "paths, apart by commas",
}

# What an obeyed key means, and its default. A key that is missing here is an error of this program.
KEYS = {
    "allow-backend-server-header": ("false", "pass the `Server` field of a pod's response"),
    "client-body-timeout": ("60", "longest pause within a request body; then 408"),
    "client-header-timeout": ("60", "time for a whole request head, from its first byte; then 408. Also the "
                                    "time until the first byte of a new connection; then it is closed"),
    "compute-full-forwarded-for": ("false", "with `use-forwarded-headers`: pass the whole chain in "
                                            "`X-Forwarded-For`, not the client alone"),
    "disable-access-log": ("false", "no access log"),
    "disable-http-access-log": ("false", "the same"),
    "enable-access-log-for-default-backend": ("false", "log requests that no rule matched as well"),
    "enable-real-ip": ("false", "as `use-forwarded-headers`"),
    "enable-underscores-in-headers": ("false", "pass fields with `_` in their name, which are dropped otherwise"),
    "generate-request-id": ("true", "make an `X-Request-ID` where the client sent no sound one"),
    "ignore-invalid-headers": ("true", "drop fields whose names hold other characters than letters, digits and "
                                       "`-`; false: pass them"),
    "keep-alive": ("75", "how long an idle connection of a client is kept; 0: close after each answer"),
    "keep-alive-requests": ("1000", "requests that one connection of a client may carry"),
    "large-client-header-buffers": ("4 8k", "the size bounds one line (request line: 414, field: 431), number × "
                                            "size the whole head (431)"),
    "proxy-add-original-uri-header": ("false", "send `X-Original-URI` to pods"),
    "proxy-body-size": ("1m", "largest request body; beyond it 413"),
    "proxy-buffer-size": ("4k", "raises the bound of a response head; beyond it 502"),
    "proxy-connect-timeout": ("5", "time for connecting to a pod; then the next one, or 504"),
    "proxy-next-upstream": ("error timeout", "what is tried at another pod: `error`, `timeout`, `invalid_header`, "
                                             "`http_500`, `http_502`, `http_503`, `http_504`, `http_403`, "
                                             "`http_404`, `http_429`, `non_idempotent`, `off`"),
    "proxy-next-upstream-timeout": ("0", "no further try once that time has passed since the first one began"),
    "proxy-next-upstream-tries": ("3", "tries in all, the first one included"),
    "proxy-read-timeout": ("60", "time until a pod's response head, and longest pause within its body; then 504, or "
                                 "the response is cut. Also how long a tunnel may be idle"),
    "proxy-real-ip-cidr": ("private addresses", "peers that are believed, with `use-forwarded-headers`"),
    "proxy-send-timeout": ("60", "longest time in which a pod takes nothing of a request; then 504"),
    "retry-non-idempotent": ("false", "try POST and PATCH at another pod as well"),
    "server-tokens": ("false", "send a `Server` field with Ingot's name"),
    "upstream-keepalive-connections": ("320", "idle connections to pods that a worker keeps; 0: none"),
    "upstream-keepalive-requests": ("10000", "requests that one connection to a pod may carry"),
    "upstream-keepalive-time": ("1h", "age at which a connection to a pod is not used again"),
    "upstream-keepalive-timeout": ("60", "how long an idle connection to a pod is kept"),
    "use-forwarded-headers": ("false", "believe `X-Forwarded-*` of trusted peers: see `proxy-real-ip-cidr`"),
    "worker-shutdown-timeout": ("240s", "how long a worker that is told to stop may finish what is in progress; "
                                        "`--shutdown-grace-period` bounds it"),
    "force-ssl-redirect": (
        "false",
        "plain requests are redirected to https although the host has no TLS; the annotation of the same name wins"),
    "hsts": ("true", "what routes answer over TLS has the field `Strict-Transport-Security`"),
    "hsts-include-subdomains": ("true", "its `includeSubDomains`"),
    "hsts-max-age": ("31536000", "its `max-age`, in seconds"),
    "hsts-preload": ("false", "its `preload`"),
    "http-redirect-code": ("308", "status of redirects to https, 300 to 308"),
    "http2-max-concurrent-streams": ("128", "streams that a client may have open at once; at most 1024"),
    "no-tls-redirect-locations": (
        "/.well-known/acme-challenge",
        "beginnings of paths, with commas, that are not redirected to https"),
    "ssl-ciphers": ("ECDHE with AES-GCM or ChaCha20", "ciphers of TLS 1.2, as OpenSSL names them"),
    "ssl-ecdh-curve": ("X25519, P-256, P-384", "groups for the exchange of keys, as OpenSSL names them"),
    "ssl-protocols": ("TLSv1.2 TLSv1.3", "versions that are spoken; older words are passed over"),
    "ssl-redirect": (
        "true",
        "plain requests for hosts in `spec.tls` are redirected to https; the annotation of the same name wins"),
    "ssl-reject-handshake": (
        "false",
        "a client that asks for a name of no host is refused instead of getting the default certificate"),
    "ssl-session-tickets": ("false", "clients may resume by ticket"),
    "use-http2": ("true", "HTTP/2 is offered to clients over TLS, and taken from those that begin with it on a plain port"),
}

CLASSES = [
    ("LATER", "Known, without effect yet", "`ingot check` and the log name each that is set (IGT8103)."),
    ("GUARD", "Guards, and not obeyed yet", "These protect something. Until Ingot obeys them, what they would guard "
                                            "is not served."),
    ("REFUSED", "Refused", "Raw configuration and code are never executed (IGT8104)."),
    ("NO_EFFECT", "Accepted in silence", "They tune what Ingot does not have."),
    ("REMOVED", "From old releases", "They had a meaning in old releases of ingress-nginx only."),
]

GROUPS = [
    ("SOURCE", "What is served"), ("CLASS", "Which Ingresses"), ("LISTEN", "Where it listens"),
    ("PROCESSES", "Processes"), ("LOGS", "Logs and metrics"), ("OTHER", "Other"),
]


def flags():
    parts = []
    found = calls("cli/run_flag.def", "FLAG")
    known = {group for group, _ in GROUPS}
    assert {flag[6] for flag in found} <= known, "a group of flags without a heading here"
    for group, heading in GROUPS:
        rows = []
        for _, name, _, kind, fallback, argument, its_group, text in found:
            if its_group != group:
                continue
            shown = f"--{string(name)}" + (f" {string(argument)}" if string(argument) else "")
            fallback = string(fallback)
            rows.append([code(shown), code(fallback) if fallback and kind != "BOOL" else "–", string(text)])
        parts.append(f"### {heading}\n\n" + table(["flag", "default", "meaning"], rows))
    later = ", ".join(code("--" + string(call[1])) for call in calls("cli/run_flag.def", "LATER"))
    parts.append("### Taken without effect\n\nSo that manifests of ingress-nginx start unchanged; the log names those "
                 f"that were given.\n\n{later}.")
    return "\n\n".join(parts)


def keys():
    rows = []
    for name, kind, _ in calls("model/config_key.def", "KEY_VALUE"):
        fallback, meaning = KEYS[string(name)]
        rows.append([code(string(name)), TYPES[kind], code(fallback) if fallback[0] != "p" else fallback, meaning])
    parts = [table(["key", "value", "default", "meaning"], rows)]
    others = calls("model/config_key.def", "KEY")
    assert {call[1] for call in others} <= {word for word, _, _ in CLASSES}, "a class of keys without a heading here"
    for word, heading, text in CLASSES:
        names = [code(string(call[0])) for call in others if call[1] == word]
        if names:
            parts.append(f"### {heading}\n\n{text}\n\n{', '.join(names)}.")
    return "\n\n".join(parts)


ANNOTATION_CLASSES = [
    ("GUARD", "They protect something and are not obeyed yet. The routes of an Ingress that has one answer 503, "
              "since serving them unguarded would be worse (IGT1203)."),
    ("CANARY", "Not obeyed yet, and the Ingress would take traffic that is not meant for it: it is not served."),
    ("LATER", "Not obeyed yet; the Ingress is served without it (IGT1202)."),
    ("REFUSED", "Never executed (IGT1204)."),
    ("NO_EFFECT", "Accepted in silence: they tune what Ingot does not have."),
    ("REMOVED", "They had a meaning in old releases of ingress-nginx only."),
]


# What an obeyed annotation means. One that is missing here is an error of this program.
ANNOTATIONS = {
    "auth-tls-error-page": "path or URL that a client without a good certificate is sent to (302) instead of 400",
    "auth-tls-match-cn": "regular expression, `CN=…`, found anywhere in the subject of the certificate (`CN=ann,OU=sales,O=shop`); "
                         "else 403. One that cannot be used closes the host (IGT1207)",
    "auth-tls-pass-certificate-to-upstream": "`true`: pods get the certificate in `ssl-client-cert`, as PEM in URL encoding",
    "auth-tls-secret": "Secret of the same namespace with the authorities that client certificates must come from: `ca.crt`, and "
                       "`ca.crl` with what was revoked. Clients are asked on all paths of the hosts, and only over connections "
                       "opened under the host's own name (else 421). The oldest Ingress of a host decides (IGT2103). A Secret "
                       "that cannot be used closes the host: 403 (IGT1405). Pods get `ssl-client-verify`, `ssl-client-subject-dn` "
                       "and `ssl-client-issuer-dn`",
    "auth-tls-verify-client": "`on`: who shows no good certificate gets 400; `optional`: who shows none gets in, who shows a bad one "
                              "gets 400; `optional_no_ca`: everybody gets in, and nobody counts as verified; `off`: nobody is asked. "
                              "Default: `on`",
    "auth-tls-verify-depth": "how many certificates may stand between that of a client and `ca.crt`; default: 1",
    "backend-protocol": "what pods are spoken to with: `HTTP` or `HTTPS`; it wins over `appProtocol` of the Service port. "
                        "With `GRPC`, `GRPCS` and `FCGI`, which are not spoken yet, requests get 503",
    "proxy-ssl-ciphers": "ciphers of TLS 1.2 towards pods, as OpenSSL names them; default: ECDHE with AES-GCM or ChaCha20",
    "proxy-ssl-name": "name that certificates of pods must be good for, and that is sent to them; default: "
                      "`SERVICE.NAMESPACE.svc`",
    "proxy-ssl-protocols": "versions of TLS towards pods: `TLSv1.2`, `TLSv1.3`; default: both",
    "proxy-ssl-secret": "Secret of the same namespace with what TLS towards pods needs: `ca.crt` to verify them, `ca.crl` with "
                        "what was revoked, `tls.crt` and `tls.key` to be shown to them. One that cannot be used closes the "
                        "routes (IGT1405). The other `proxy-ssl-*` mean nothing without it (IGT1206)",
    "proxy-ssl-server-name": "`on`: the name is sent (SNI); default: `off`",
    "proxy-ssl-verify": "`on`: pods are verified, and one that is not what it should be gets no request; default: `off`, "
                        "which is told (IGT1309)",
    "proxy-ssl-verify-depth": "how many certificates may stand between that of a pod and `ca.crt`; default: 1",
    "force-ssl-redirect": "`true`: plain requests are redirected to https although the host has no TLS",
    "ssl-redirect": "`false`: plain requests are served although the host is in `spec.tls`",
}


def obeyed_annotations():
    return table(["annotation", "meaning"],
                 [[code(string(name)), ANNOTATIONS[string(name)]]
                  for name, _ in sorted(calls("model/annotation.def", "ANNOTATION_VALUE") +
                                        calls("model/annotation.def", "ANNOTATION_TEXT"))])


def annotations():
    found = calls("model/annotation.def", "ANNOTATION")
    assert {call[1] for call in found} <= {word for word, _ in ANNOTATION_CLASSES}, \
        "a class of annotations without words here"
    rows = []
    for word, text in ANNOTATION_CLASSES:
        names = [code(string(call[0])) for call in found if call[1] == word]
        if names:
            rows.append([", ".join(names), text])
    return table(["annotations", "what happens"], rows)


def configuration():
    return f"""{NOTE.format("cli/run_flag.def, model/config_key.def and model/annotation.def")}
# Configuration

Ingot has no configuration file. It is told what to do by Kubernetes objects, by one ConfigMap for what is global, and
by flags for what belongs to the process. Names are those of ingress-nginx wherever it has one.

* [Flags of `ingot run`](#flags-of-ingot-run)
* [Keys of the ConfigMap](#keys-of-the-configmap)
* [Annotations](#annotations)

## Flags of `ingot run`

`--name value` and `--name=value` are the same. Durations are written `240`, `10s`, `500ms` or `1m30s`; a bare number
counts seconds.

{flags()}

## Keys of the ConfigMap

`--configmap NAMESPACE/NAME` says which one. All values are strings. A change is in effect at once, without a restart and
without closing a connection. A value that does not parse leaves the default, and `ingot check` and the log say so
(IGT8102); so they do for a key that nobody knows (IGT8101).

{keys()}

## Annotations

Annotations of ingress-nginx begin with `nginx.ingress.kubernetes.io/`. An unknown one is told with the nearest known name
(IGT1201), a value that does not fit leaves what the ConfigMap says (IGT1205). These are obeyed:

{obeyed_annotations()}

All others are known and not obeyed yet; what happens depends on what the annotation is for.

{annotations()}
"""


# ------------------------------------------------------------------ faults

SIDES = [("DOWNSTREAM", "The client is at fault"), ("UPSTREAM", "The pod is at fault"),
         ("LOCAL", "Ingot answers itself")]
RETRIES = {"NEVER": "no", "SAFE": "yes", "IDEMPOTENT": "idempotent methods"}


def faults():
    found = calls("http/fault.def", "FAULT")
    parts = []
    for side, heading in SIDES:
        rows = []
        for name, its_side, retry, status, _, text in found:
            if its_side == side and name != "NONE":
                row = [code(name.lower()), status, string(text)]
                rows.append(row + [RETRIES[retry]] if side == "UPSTREAM" else row)
        head = ["reason", "status", "what happened"] + (["tried again"] if side == "UPSTREAM" else [])
        parts.append(f"## {heading}\n\n" + table(head, rows))
    body = "\n\n".join(parts)
    return f"""{NOTE.format("http/fault.def")}
# Reasons

Every answer that does not come from a pod, and every attempt at a pod that failed, has exactly one reason. The same word
stands in the access log (`reason`, JSON format) and in metrics (`ingot_local_responses_total`). A request that went well has
the reason `ok`. The status is what the client gets when nothing was answered before; 499 is never sent, since nobody is
there to receive it.

A client is told the status and nothing else: the reason is for the operator.

{body}

Whether an attempt is tried again also depends on [`proxy-next-upstream`](configuration.md#keys-of-the-configmap); once a byte
of a response went to the client, nothing is.
"""


# ------------------------------------------------------------------ diagnostics

DIAGNOSTIC_GROUPS = [
    (10, "Documents"), (11, "Host and path"), (12, "Annotations"), (13, "Backends"), (14, "Certificates"), (21, "Conflicts"),
    (22, "Classes"), (81, "ConfigMap"),
]


def diagnostics():
    found = calls("kube/diagnostic.def", "DIAGNOSTIC")
    known = {group for group, _ in DIAGNOSTIC_GROUPS}
    assert {int(call[1]) // 100 for call in found} <= known, "a group of diagnostics without a heading here"
    parts = []
    for group, heading in DIAGNOSTIC_GROUPS:
        rows = [[code(f"IGT{number}"), level.lower(), string(meaning), code(string(reason))]
                for _, number, level, reason, meaning in found if int(number) // 100 == group]
        if rows:
            parts.append(f"## {heading}\n\n" + table(["code", "level", "meaning", "reason"], rows))
    body = "\n\n".join(parts)
    return f"""{NOTE.format("kube/diagnostic.def")}
# Diagnostics

What is wrong with an object never stops another object, and never stops Ingot. It becomes a diagnostic: a line that names
the file, the object and the field, says what was found, what is accepted, and what happens now. `ingot check` prints all of
them, `ingot run` logs each once, and `ingot_diagnostics` counts them by level and code.

* **error**: it is not served as written.
* **warning**: it is served, probably not as meant.
* **note**: it has no effect, or is worth knowing.

Codes are never reused. `reason` is the word that Events will carry.

{body}
"""


PAGES = {"configuration.md": configuration, "faults.md": faults, "diagnostics.md": diagnostics}


def main():
    if sys.argv[1:] not in (["--write"], ["--check"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    stale = 0
    for name, make in PAGES.items():
        path = TOP / "docs" / name
        text = make()
        if sys.argv[1] == "--write":
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"docs/{name} is not what the .def files say; run ./dev docs")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
