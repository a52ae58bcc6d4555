# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects, as short as tests need them. Each function gives a list of manifests: a manifest is a file name
and the documents in it, so that applying it anew replaces what it said before."""
import itertools
import re

import yaml

NAMESPACE = "shop"

# One pod after the other, whatever the load: for tests that need to know whose turn it is.
IN_TURN = {"nginx.ingress.kubernetes.io/load-balance": "round_robin"}
_ages = itertools.count()


class Manifest:
    def __init__(self, name, *documents):
        self.name = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        self.documents = documents

    @property
    def text(self):
        return "---\n".join(yaml.safe_dump(document, sort_keys=False)
                            for document in self.documents)


def flat(manifests):
    for manifest in manifests:
        if isinstance(manifest, (list, tuple)):
            yield from flat(manifest)
        else:
            yield manifest


def created(age):
    """A creation time; larger is younger."""
    return f"2026-01-01T{age // 3600:02}:{age // 60 % 60:02}:{age % 60:02}Z"


def meta(name, namespace=NAMESPACE, **more):
    value = {"name": name}
    if namespace is not None:
        value["namespace"] = namespace
    value.update({key: entry for key, entry in more.items() if entry is not None})
    return value


def ingress_class(name="nginx", controller="k8s.io/ingress-nginx", default=False):
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else None
    return [Manifest(f"class_{name}.yaml", {
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": meta(name, None, annotations=annotations),
        "spec": {"controller": controller}})]


def service(name="web", namespace=NAMESPACE, ports=((80, "http", None),), **spec):
    """ports: (number, name, target); target None: the number that pods listen on stands in the slices."""
    entries = []
    for number, port_name, target in ports:
        entry = {"port": number, "protocol": "TCP"}
        if port_name:
            entry["name"] = port_name
        if target is not None:
            entry["targetPort"] = target
        entries.append(entry)
    return [Manifest(f"service_{namespace}_{name}.yaml", {
        "apiVersion": "v1", "kind": "Service", "metadata": meta(name, namespace),
        "spec": {"clusterIP": "10.96.0.1", "ports": entries, **spec}})]


def external_name(name, target, namespace=NAMESPACE, ports=((80, "http", None),)):
    entries = [{"port": number, "name": port_name} for number, port_name, _ in ports]
    return [Manifest(f"service_{namespace}_{name}.yaml", {
        "apiVersion": "v1", "kind": "Service", "metadata": meta(name, namespace),
        "spec": {"type": "ExternalName", "externalName": target, "ports": entries}})]


def slice_of(service_name, namespace, number, pods, port_name="http", **conditions):
    """One EndpointSlice: pods that share a port."""
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": meta(f"{service_name}-{number}", namespace,
                         labels={"kubernetes.io/service-name": service_name}),
        "addressType": "IPv6" if ":" in pods[0].address else "IPv4",
        "endpoints": [{"addresses": [pod.address],
                       "conditions": {"ready": True, **conditions}} for pod in pods],
        "ports": [{"name": port_name, "port": pods[0].port, "protocol": "TCP"}]}


def endpoints(service_name="web", to=(), namespace=NAMESPACE, port_name="http", unready=(),
              terminating=()):
    """The slices of a Service: one for each pod, since pods of a test differ by port."""
    documents = [slice_of(service_name, namespace, number, [pod], port_name)
                 for number, pod in enumerate(to)]
    documents += [slice_of(service_name, namespace, f"unready-{number}", [pod], port_name,
                           ready=False, serving=False)
                  for number, pod in enumerate(unready)]
    documents += [slice_of(service_name, namespace, f"leaving-{number}", [pod], port_name,
                           ready=False, serving=True, terminating=True)
                  for number, pod in enumerate(terminating)]
    return [Manifest(f"slices_{namespace}_{service_name}.yaml", *documents)]


def path_rule(path, service_name, port=80, path_type="Prefix"):
    port = {"name": port} if isinstance(port, str) else {"number": port}
    rule = {"path": path, "backend": {"service": {"name": service_name, "port": port}}}
    if path_type is not None:
        rule["pathType"] = path_type
    return rule


def ingress_only(name, rules=None, namespace=NAMESPACE, class_name="nginx", annotations=None,
                 age=None, **spec):
    """An Ingress without anything behind it. rules: {host: [path_rule, …]}; the host "" is none at all."""
    age = next(_ages) if age is None else age
    if class_name is not None:
        spec["ingressClassName"] = class_name
    if rules:
        spec["rules"] = [{**({"host": host} if host else {}),
                          **({"http": {"paths": paths}} if paths else {})}
                         for host, paths in rules.items()]
    return [Manifest(f"ingress_{namespace}_{name}.yaml", {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": meta(name, namespace, creationTimestamp=created(age),
                         annotations=annotations),
        "spec": spec})]


def ingress(host, path="/", to=(), name="web", path_type="Prefix", namespace=NAMESPACE, **more):
    """host + path lead to these pods: an Ingress, a Service of the same name, and its EndpointSlices."""
    return (ingress_only(name, {host: [path_rule(path, name, 80, path_type)]}, namespace, **more) +
            service(name, namespace) + endpoints(name, to, namespace))


def backend_of(name, to, namespace=NAMESPACE):
    """A Service with pods, and no Ingress."""
    return service(name, namespace) + endpoints(name, to, namespace)


def config_map(name="ingot", namespace="ingot", **data):
    """Keys are written with _ for -."""
    return [Manifest(f"configmap_{namespace}_{name}.yaml", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name, namespace),
        "data": {key.replace("_", "-"): str(value) for key, value in data.items()}})]
