# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects for benchmarks, as files in a directory: a small cluster to carry load, and a large one."""
import base64
import json
import os

NAMESPACE = "bench"
HOST = "bench.example"


def ingress_class():
    return {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
            "metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def config_map():
    """Connections live as long as those of the peers (proxies.py)."""
    return {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "ingot", "namespace": NAMESPACE},
            "data": {"keep-alive": "600", "keep-alive-requests": "1000000000",
                     "upstream-keepalive-connections": "512",
                     "upstream-keepalive-requests": "1000000000",
                     "upstream-keepalive-timeout": "600", "ssl-session-tickets": "true",
                     "proxy-read-timeout": "600", "proxy-send-timeout": "600"}}


def ingress(name, host, service):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"ingressClassName": "nginx", "rules": [{"host": host, "http": {"paths": [
                {"path": "/", "pathType": "Prefix",
                 "backend": {"service": {"name": service, "port": {"number": 80}}}}]}}]}}


def service(name):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "http", "port": 80}]}}


def secret(name, certificate):
    data = {key: base64.b64encode(path.read_bytes()).decode()
            for key, path in zip(("tls.crt", "tls.key"), certificate)}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}


def endpoint_slice(name, addresses, port):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": NAMESPACE,
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}
                          for address in addresses],
            "ports": [{"name": "http", "port": port, "protocol": "TCP"}]}


def block_yaml(value, indent=0):
    """Block style, as people write manifests; for values that need no quotes but these."""
    pad = "  " * indent
    if isinstance(value, dict):
        for key, entry in value.items():
            if isinstance(entry, (dict, list)) and entry:
                yield f"{pad}{key}:"
                yield from block_yaml(entry, indent + 1)
            else:
                yield f"{pad}{key}: {json.dumps(entry)}"
    else:
        for entry in value:
            if isinstance(entry, (dict, list)):
                lines = list(block_yaml(entry, indent + 1))
                yield f"{pad}- {lines[0].lstrip()}"
                yield from lines[1:]
            else:
                yield f"{pad}- {json.dumps(entry)}"


class Manifests:
    """A directory that is watched, and one beside it where files are made before they are renamed into it."""

    def __init__(self, directory, form="yaml"):
        self.form = form
        self.watched = directory / "manifests"
        self.drafts = directory / "drafts"
        self.watched.mkdir(parents=True)
        self.drafts.mkdir()

    def draft(self, name, *documents):
        """Makes a file; calling what this gives puts it into effect by one rename."""
        name = f"{name}.{self.form}"
        if self.form == "json":
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})
        else:
            text = "---\n".join("\n".join(block_yaml(one)) + "\n" for one in documents)
        draft = self.drafts / name
        draft.write_text(text)
        return lambda: os.rename(draft, self.watched / name)

    def write(self, name, *documents):
        self.draft(name, *documents)()

    def write_small(self, port, certificate=None):
        """One host that leads to the upstream on that port. certificate: (certificate, key) as files, for all hosts."""
        self.write("global", ingress_class(), config_map())
        if certificate:
            self.write("certificate", secret("tls", certificate))
        self.write("bench", ingress("bench", HOST, "bench"), service("bench"),
                   endpoint_slice("bench", ["127.0.0.1"], port))

    def write_world(self, apps, endpoints_each):
        """So many Ingresses and Services, one file an app, with endpoints that nobody will ask."""
        for number in range(apps):
            name = f"app{number}"
            addresses = []
            for one in range(number * endpoints_each, (number + 1) * endpoints_each):
                addresses.append(f"10.{one >> 16 & 255}.{one >> 8 & 255}.{one & 255}")
            self.write(name, ingress(name, f"{name}.team{number % 97}.{HOST}", name),
                       service(name), endpoint_slice(name, addresses, 8080))
