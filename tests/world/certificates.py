# SPDX-License-Identifier: Apache-2.0
"""Certificates made by openssl, and Secrets that hold them."""
import base64
import pathlib
import subprocess
import tempfile

from .objects import Manifest, meta

KEYS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"]}


class Certificate:
    """A self-signed certificate for these names, which is its own authority."""

    def __init__(self, *names, key="ecdsa", days=90, subject=None):
        subject = subject or (names[0] if names else "nobody")
        with tempfile.TemporaryDirectory() as place:
            place = pathlib.Path(place)
            command = ["openssl", "req", "-x509", *KEYS[key], "-nodes", "-subj", f"/CN={subject}",
                       "-days", str(days), "-keyout", str(place / "key"), "-out", str(place / "crt")]
            if names:
                command += ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
            subprocess.run(command, check=True, capture_output=True)
            self.pem = (place / "crt").read_text()
            self.key = (place / "key").read_text()

    def save(self, directory):
        """A file for clients that trust it."""
        path = pathlib.Path(directory) / "authority.pem"
        path.write_text(self.pem)
        return path


def secret(name, certificate=None, namespace="shop", **data):
    """data: further keys, as text."""
    if certificate is not None:
        data = {"tls.crt": certificate.pem, "tls.key": certificate.key, **data}
    return [Manifest(f"secret_{namespace}_{name}.yaml", {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": meta(name, namespace),
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}})]
