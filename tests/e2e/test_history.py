# SPDX-License-Identifier: Apache-2.0
"""Whatever happened before, an instance obeys the table of one that starts anew on the same objects.

SEED repeats what a failure prints; INGOT_HISTORY_ROUNDS makes the history longer."""
import os
import random
import time

from world.ingot import BINARY
from world.objects import (Manifest, config_map, external_name, ingress_class, ingress_only, meta,
                           path_rule, service)
from world.table import dump, meaning
from world.wait import eventually

NAMESPACES = ("north", "south")
SERVICES = ("s0", "s1", "s2", "s3", "s4")
HOSTS = ("", "a.example", "b.example", "c.example", "d.example", "*.example", "*.a.example",
         "bad_host")
PATHS = ("/", "/", "/a", "/a/", "/a/b", "/%7Ea", "nope")
TYPES = ("Prefix", "Prefix", "Exact", "ImplementationSpecific", "Wrong")
PORTS = (80, 80, 80, 80, "http", "admin", 81)
ANNOTATIONS = (None, None, None, None, {"nginx.ingress.kubernetes.io/auth-url": "http://x"},
               {"nginx.ingress.kubernetes.io/canary": "true"},
               {"kubernetes.io/ingress.class": "nginx"}, {"kubernetes.io/ingress.class": "other"})
CLASSES = ("nginx", "nginx", "nginx", "nginx", "second", "nobody", None)
ROUNDS = int(os.environ.get("INGOT_HISTORY_ROUNDS", "25"))


class Chance(random.Random):
    """Objects by chance, with few names, so that they meet."""

    def some_ingress(self):
        hosts = self.sample(HOSTS, self.randrange(4))
        rules = {host: [path_rule(self.choice(PATHS), self.choice(SERVICES), self.choice(PORTS),
                                  self.choice(TYPES)) for _ in range(self.randrange(4))]
                 for host in hosts}
        more = {}
        if self.randrange(4) == 0:
            more["defaultBackend"] = {"service": {"name": self.choice(SERVICES),
                                                  "port": {"number": 80}}}
        return ingress_only(f"i{self.randrange(8)}", rules, self.choice(NAMESPACES),
                            self.choice(CLASSES), self.choice(ANNOTATIONS),
                            age=self.randrange(4), **more)

    def some_service(self):
        name, namespace = self.choice(SERVICES), self.choice(NAMESPACES)
        kind = self.randrange(8)
        if self.randrange(12) == 0:
            name, namespace = "fallback", "ingot"
        if kind == 0:
            return external_name(name, self.choice(("db.example", "not_a_name", "192.0.2.7")),
                                 namespace)
        web = ((80, "http", None),)
        ports = self.choice((web, web, web, web + ((81, "admin", 9000),),
                             ((80, "http", "web"),), ((81, "admin", None),)))
        return service(name, namespace, ports)

    def some_slices(self):
        name, namespace = self.choice(SERVICES + ("fallback",)), self.choice(NAMESPACES + ("ingot",))
        number = self.randrange(4)
        pods = [{"addresses": [f"192.0.2.{self.randrange(1, 30)}"],
                 "conditions": self.choice(({"ready": True}, {"ready": False},
                                            {"ready": False, "serving": True,
                                             "terminating": True}))}
                for _ in range(self.randrange(4))]
        copy = self.choice(("", "", "", "_copy"))  # an object in two files
        return [Manifest(f"slice_{namespace}_{number}{copy}.yaml", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": meta(f"e{number}", namespace,
                             labels={"kubernetes.io/service-name": name}),
            "addressType": "IPv4", "endpoints": pods,
            "ports": [{"name": self.choice(("http", "http", "admin")), "port": self.choice((8080, 8081)),
                       "protocol": "TCP"}]})]

    def what_all_depend_on(self):
        return self.choice((
            lambda: config_map(keep_alive=self.randrange(90)),
            lambda: config_map(global_auth_url="http://x"),
            lambda: config_map(keep_alive=75),
            lambda: ingress_class("second", self.choice(("k8s.io/ingress-nginx", "other.example")),
                                  default=self.randrange(2) == 0),
            lambda: ingress_class("nginx")))()

    def something(self):
        kinds = (self.some_ingress,) * 7 + (self.some_service,) * 5 + (self.some_slices,) * 6
        return self.choice(kinds + (self.what_all_depend_on,))()


def change(chance, ingot):
    """Puts a file there, breaks one, or takes one away."""
    present = sorted(path for path in ingot.manifests.iterdir() if not path.name.startswith("."))
    if present and chance.randrange(4) == 0:
        chance.choice(present).unlink()
    else:
        ingot.write(chance.something())


def found(ingot):
    """How many diagnostics of each kind there are."""
    return {labels["code"]: value for labels, value in ingot.metrics().all("ingot_diagnostics")
            if value > 0}


def test_an_instance_obeys_the_table_of_a_fresh_start(make_ingot):
    seed = int(os.environ.get("SEED", time.time_ns() % 2 ** 32))
    chance = Chance(seed)
    flags = ["--default-backend-service", "ingot/fallback"]
    old = make_ingot(workers=2, flags=flags)
    print(f"SEED={seed}")
    old.serve()

    for _ in range(ROUNDS):
        for _ in range(chance.randrange(1, 30)):
            change(chance, old)
        fresh = make_ingot(flags=flags, classes=False)
        fresh.manifests = old.manifests
        fresh.start()
        wanted = meaning(dump(BINARY, fresh.state))

        eventually(lambda: meaning(dump(BINARY, old.state)) == wanted, 5.0,
                   f"the table of a fresh start (SEED={seed})")
        eventually(lambda: found(old) == found(fresh), 5.0,
                   f"the diagnostics of a fresh start (SEED={seed})")
        fresh.stop()
