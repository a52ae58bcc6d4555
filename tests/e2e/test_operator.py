# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: health, readiness, metrics."""
import os
import signal

import pytest

from world.client import request_bytes
from world.objects import Manifest, endpoints, ingress, ingress_only, path_rule
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def shop(make_ingot, pod):
    def make(**options):
        return make_ingot(**options).serve(ingress(HOST, to=[pod]))
    return make


def test_readyz_and_healthz_are_200_when_it_serves(shop):
    ingot = shop(workers=2)

    assert ingot.admin("/readyz").status == 200
    assert ingot.admin("/healthz").status == 200


def test_readyz_is_never_200_before_the_whole_table_is_served(make_ingot, pod):
    """From the first answer on, /readyz and the traffic must agree."""
    ingot = make_ingot(workers=2)
    ingot.write(ingress(HOST, to=[pod]))
    ingot.start(ready=False)

    eventually(lambda: ingot.admin("/readyz").status == 200, 10)

    assert ingot.get(HOST, times=20).statuses == {200: 20}


def test_readyz_says_what_is_missing(make_ingot, place):
    ingot = make_ingot()
    ingot.manifests.joinpath("class_nginx.yaml").unlink()
    ingot.manifests.rmdir()
    ingot.start(ready=False)

    answer = eventually(lambda: ingot.admin("/readyz"), 10)

    assert answer.status == 503
    assert "manifests" in answer.text or "table" in answer.text


def test_unknown_admin_paths_are_404(shop):
    ingot = shop()

    assert ingot.admin("/nothing").status == 404
    assert ingot.admin("/metrics", method="POST").status == 405


def test_the_admin_port_survives_nonsense(shop):
    import socket
    ingot = shop()
    for nonsense in (b"\x00" * 100, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100):
        with socket.create_connection(("127.0.0.1", ingot.admin_port)) as client:
            client.sendall(nonsense)
    assert ingot.admin("/readyz").status == 200


# ------------------------------------------------------------------ metrics

def counted(ingot, number, name, **labels):
    """A request is counted when its answer is out: the client may be quicker than the figure."""
    eventually(lambda: ingot.metrics().sum(name, **labels) >= number)
    assert ingot.metrics().sum(name, **labels) == number


def test_requests_are_counted_by_ingress_status_and_method(shop):
    ingot = shop()

    ingot.get(HOST, times=7)
    ingot.get(HOST, method="POST", body=b"x")

    labels = {"namespace": "shop", "ingress": "web", "service": "web", "host": HOST}
    counted(ingot, 7, "ingot_requests_total", status="200", method="GET", **labels)
    counted(ingot, 1, "ingot_requests_total", status="200", method="POST", **labels)


def test_durations_are_a_histogram(shop):
    ingot = shop()

    ingot.get(HOST, times=5)

    name = "ingot_request_duration_seconds"
    eventually(lambda: ingot.metrics().sum(f"{name}_count", namespace="shop") >= 5)
    metrics = ingot.metrics()
    assert metrics.types[name] == "histogram"
    labels = {"namespace": "shop", "ingress": "web"}
    assert metrics.sum(f"{name}_count", **labels) == 5
    assert metrics.sum(f"{name}_bucket", le="+Inf", **labels) == 5
    assert 0 < metrics.sum(f"{name}_sum", **labels) < 5
    buckets = [value for _, value in metrics.all(f"{name}_bucket", **labels)]
    assert buckets == sorted(buckets)


def test_answers_of_its_own_are_counted_by_reason(shop):
    ingot = shop()

    ingot.get("unknown.example", times=3)

    counted(ingot, 3, "ingot_local_responses_total", reason="no_route")


def test_connections_are_gauges(shop, pod):
    ingot = shop()
    clients = [ingot.connect() for _ in range(5)]
    for client in clients:
        client.request("/", HOST)

    metrics = ingot.metrics()

    assert metrics.sum("ingot_downstream_connections") == 5
    assert metrics.sum("ingot_upstream_connections") == 1
    for client in clients:
        client.close()
    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections") == 0)


def test_the_table_is_described(shop, pods):
    ingot = shop()
    before = ingot.metrics()
    a, b = pods("a", "b")

    ingot.apply(endpoints(to=[a, b]))

    after = ingot.metrics()
    assert after.sum("ingot_table_generation", segment="endpoints") > \
        before.sum("ingot_table_generation", segment="endpoints")
    assert after.sum("ingot_table_propagation_seconds_count") > \
        before.sum("ingot_table_propagation_seconds_count")
    assert after.sum("ingot_table_refused_total") == 0
    assert after.types["ingot_table_propagation_seconds"] == "histogram"


def test_diagnostics_are_counted(shop):
    ingot = shop()

    with ingot.change():
        ingot.write(ingress_only("bad", {"a_b.example": [path_rule("/", "web")],
                                         "good.example": [path_rule("/", "web")]}))

    assert ingot.metrics().sum("ingot_diagnostics", level="error") >= 1


def test_processes_are_described(shop):
    ingot = shop(workers=2)

    metrics = ingot.metrics()

    cpu = metrics.all("ingot_process_cpu_seconds_total") or \
        metrics.all("process_cpu_seconds_total")
    memory = metrics.all("ingot_process_resident_memory_bytes") or \
        metrics.all("process_resident_memory_bytes")
    assert {labels.get("role") for labels, _ in cpu} >= {"control", "proxy"}
    assert all(value > 1 << 20 for _, value in memory)


def test_labels_never_come_from_a_client(shop):
    ingot = shop()

    for number in range(50):
        ingot.get(f"h{number}.example", f"/p{number}", method=f"M{number}")

    text = ingot.metrics().text
    assert "h7.example" not in text
    assert "M7" not in text
    assert "/p7" not in text


def test_every_series_has_help_and_type(shop):
    ingot = shop()
    ingot.get(HOST)

    metrics = ingot.metrics()

    helps = [line.split(" ")[2] for line in metrics.text.splitlines()
             if line.startswith("# HELP ")]
    assert len(helps) == len(set(helps))
    for name, _, _ in metrics.samples:
        base = name
        for suffix in ("_bucket", "_sum", "_count"):
            if name.endswith(suffix) and name.removesuffix(suffix) in metrics.types:
                base = name.removesuffix(suffix)
        assert base in metrics.types, name
        assert base in helps, name
    assert len(metrics.samples) == len(
        {(name, tuple(sorted(labels.items()))) for name, labels, _ in metrics.samples})


def test_restarts_of_workers_are_counted(shop):
    ingot = shop()
    (worker,) = ingot.worker_pids

    os.kill(worker, signal.SIGKILL)

    eventually(lambda: ingot.metrics().sum("ingot_worker_restarts_total") == 1)
    eventually(lambda: ingot.admin("/readyz").status == 200)


def test_figures_of_an_ingress_that_went_do_not_grow_again_for_another(shop, pods):
    ingot = shop()
    ingot.get(HOST, times=5)
    (pod,) = pods("other")

    ingot.delete(ingress_only("web", {HOST: [path_rule("/", "web")]}))
    ingot.apply(ingress("other.example", to=[pod], name="other"))
    ingot.get("other.example", times=2)

    metrics = ingot.metrics()
    assert metrics.sum("ingot_requests_total", ingress="other") == 2


def test_a_connection_closed_in_a_request_is_no_response(shop):
    ingot = shop()
    client = ingot.connect()
    client.send(request_bytes("/", HOST)[:20])
    client.close()

    assert ingot.get(HOST).status == 200
    counted(ingot, 1, "ingot_requests_total", host=HOST)


def test_the_names_of_ingress_nginx_are_there_when_asked_for(shop):
    ingot = shop(flags=["--enable-metrics"])
    ingot.get(HOST, times=3)

    metrics = ingot.metrics()

    labels = {"namespace": "shop", "ingress": "web", "status": "200"}
    counted(ingot, 3, "nginx_ingress_controller_requests", **labels)
    metrics = ingot.metrics()
    assert metrics.types["nginx_ingress_controller_request_duration_seconds"] == "histogram"
    assert metrics.sum("nginx_ingress_controller_config_last_reload_successful") == 1


def test_manifests_with_broken_text_show_in_the_log_with_their_place(shop):
    ingot = shop()

    ingot.write(Manifest("broken.yaml"))
    (ingot.manifests / "broken.yaml").write_text("kind: [\n")

    eventually(lambda: "broken.yaml" in ingot.said())
