# SPDX-License-Identifier: Apache-2.0
"""What testssl.sh says of the default settings: protocols, ciphers, forward secrecy, the server's defaults and order, and
every weakness that it knows, from Heartbleed to renegotiation."""
import json
import subprocess

import pytest

from world.certificates import Certificate, secret
from world.objects import ingress

CHECKS = ["--protocols", "--std", "--pfs", "--server-defaults", "--server-preference", "--vulnerable"]

# What comes of the certificate and the name of a test, and not of the server.
OF_THE_TEST = {
    "cert_chain_of_trust": "the certificate is signed by itself",
    "cert_revocation": "who signs himself revokes nothing",
    "DNS_CAArecord": "shop.example is in no DNS",
}

# Some of what must have been looked at: a verdict without them is none.
LOOKED_AT = {"SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "cipherlist_NULL", "cipherlist_EXPORT", "PFS",
             "heartbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS", "fallback_SCSV", "SWEET32",
             "LOGJAM", "BEAST", "LUCKY13", "RC4"}

LOW_OR_LESS = {"OK", "INFO", "LOW"}


@pytest.mark.slow
def test_testssl_finds_no_weakness(make_ingot, pod, tmp_path):
    ingot = make_ingot(tls=True)
    ingot.serve(secret("shop-tls", Certificate("shop.example")),
                ingress("shop.example", to=[pod], tls=[{"hosts": ["shop.example"], "secretName": "shop-tls"}]))
    report = tmp_path / "report.json"

    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--openssl-timeout", "5",
                    "--ip", "127.0.0.1", "--jsonfile", str(report), *CHECKS,
                    f"https://shop.example:{ingot.https_port}"],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=400, check=False)

    findings = json.loads(report.read_text())
    assert LOOKED_AT <= {finding["id"] for finding in findings}
    worse = {finding["id"]: finding["finding"] for finding in findings
             if finding["severity"] not in LOW_OR_LESS}
    assert not set(worse) - set(OF_THE_TEST), worse
