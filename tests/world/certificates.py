# SPDX-License-Identifier: Apache-2.0
"""Certificates made by openssl, and Secrets that hold them."""
import base64
import pathlib
import subprocess
import tempfile

from .objects import Manifest, meta

KEYS = {"ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["-newkey", "rsa:2048"]}


def openssl(*arguments, place=None):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                          cwd=place).stdout.decode()


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


class Issued:
    """A certificate that an authority issued; chain: those that stand between, behind it."""

    def __init__(self, pem, key, chain=""):
        self.leaf = pem
        self.pem = pem + chain
        self.key = key

    def save(self, directory, name="client"):
        """Files for a server or client of Python: (certificates, key)."""
        crt, key = (pathlib.Path(directory) / f"{name}.{kind}" for kind in ("crt", "key"))
        crt.write_text(self.pem)
        key.write_text(self.key)
        return crt, key


class Authority:
    """A root, or one below another, that issues certificates and revokes them."""

    CONFIG = """
[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
private_key = key
certificate = crt
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = optional
organizationName = optional
organizationalUnitName = optional
"""

    def __init__(self, subject="root", parent=None):
        self.kept = tempfile.TemporaryDirectory()
        self.place = pathlib.Path(self.kept.name)
        self.parent = parent
        (self.place / "config").write_text(self.CONFIG)
        (self.place / "index").touch()
        (self.place / "serial").write_text("1000\n")
        if parent is None:
            openssl("req", "-x509", *KEYS["ecdsa"], "-nodes", "-subj", f"/CN={subject}", "-days", 365,
                    "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "key", "-out",
                    "crt", place=self.place)
        else:
            made = parent.issue(subject=f"/CN={subject}", extensions=[
                "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"])
            (self.place / "crt").write_text(made.leaf)
            (self.place / "key").write_text(made.key)
        self.pem = (self.place / "crt").read_text()
        # what stands between a certificate and the root
        self.chain = "" if parent is None else self.pem + parent.chain

    def issue(self, *names, subject=None, extensions=(), days=None, digest="sha256"):
        """names: DNS names, or "IP:…"; subject: "/CN=ann/O=shop"; days: (from, to) as openssl ca takes them."""
        subject = subject or f"/CN={names[0] if names else 'nobody'}"
        requested = list(extensions)
        if names:
            alternatives = [name if name.startswith("IP:") else f"DNS:{name}" for name in names]
            requested.append("subjectAltName=" + ",".join(alternatives))
        added = [part for extension in requested for part in ("-addext", extension)]
        openssl("req", "-new", *KEYS["ecdsa"], "-nodes", "-subj", subject, *added, "-keyout", "new.key",
                "-out", "new.csr", place=self.place)
        time = ["-startdate", days[0], "-enddate", days[1]] if days else ["-days", 90]
        openssl("ca", "-config", "config", "-batch", "-notext", "-preserveDN", "-md", digest, *time,
                "-in", "new.csr", "-out", "new.crt", place=self.place)
        return Issued((self.place / "new.crt").read_text(), (self.place / "new.key").read_text(),
                      self.chain)

    def revoke(self, issued):
        (self.place / "revoked.crt").write_text(issued.leaf)
        openssl("ca", "-config", "config", "-revoke", "revoked.crt", place=self.place)

    def revoked(self):
        """The list of those that are, in PEM."""
        openssl("ca", "-config", "config", "-gencrl", "-out", "crl", place=self.place)
        return (self.place / "crl").read_text()

    def save(self, directory, name="authority"):
        path = pathlib.Path(directory) / f"{name}.pem"
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
