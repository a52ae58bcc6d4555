# SPDX-License-Identifier: Apache-2.0
"""What a table says, without the numbers by which it says so: two tables that send every request the same way are
equal."""
import json
import subprocess

# Of a route as it is dumped; what they lead to stands in their place.
NUMBERS = ("upstream", "incarnation", "policy", "statRow")


def dump(binary, state):
    """The table of the instance that runs on that state directory."""
    done = subprocess.run([str(binary), "table", "dump", "--state-dir", str(state)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def meaning(table):
    """What holds for all, and each host with its routes; upstreams that no route leads to any more are left out."""
    routes, endpoints = table["routes"], table["endpoints"]
    upstreams = {(each["id"], each["incarnation"]): each for each in endpoints["upstreams"]}
    settings = {name: value for name, value in routes["settings"].items() if name != "hostSeed"}
    hosts = {host["host"]: [route_meaning(route, upstreams, routes["policies"])
                            for route in host["routes"]] for host in routes["hosts"]}
    return {"settings": settings, "trusted": routes["trusted"], "hosts": hosts}


def route_meaning(route, upstreams, policies):
    said = {name: value for name, value in route.items() if name not in NUMBERS}
    said["policy"] = policies[route["policy"]]
    if "upstream" in route:
        said["upstream"] = upstream_meaning(upstreams[route["upstream"], route["incarnation"]])
    return said


def upstream_meaning(upstream):
    said = {name: value for name, value in upstream.items()
            if name not in ("id", "incarnation", "endpoints")}
    said["endpoints"] = [{name: value for name, value in endpoint.items()
                          if name not in ("slot", "incarnation")}
                         for endpoint in upstream["endpoints"]]
    return said
