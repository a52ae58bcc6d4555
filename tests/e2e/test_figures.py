# SPDX-License-Identifier: Apache-2.0
"""What is counted, and where: failures of endpoints, bytes, connections."""
import pytest

from world.backend import raw, silent
from world.client import Closed
from world.figures import endpoint_loads
from world.objects import ingress
from world.wait import eventually

HOST = "shop.example"


@pytest.fixture
def shop(make_ingot, pods):
    """One pod with that answer, and an Ingot that tries it once."""
    def make(answer=None, **config):
        (pod,) = pods("pod", answer=answer)
        ingot = make_ingot(config={"proxy_next_upstream_tries": 1, **config})
        return ingot.serve(ingress(HOST, to=[pod]))
    return make


# ------------------------------------------------------------------ failures of endpoints

HALF = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + "x" * 50_000
BROKEN_CHUNK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnonsense\r\n"
NEVER = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.mark.parametrize("answer, config, fault", [
    (raw(then="close"), {}, "upstream_closed"),
    (raw("nonsense\r\n\r\n"), {}, "bad_response"),
    (silent(), {"proxy_read_timeout": 1}, "upstream_timeout"),
    (raw(HALF, then="close"), {}, "response_cut"),
    (raw(BROKEN_CHUNK), {}, "bad_response_body"),
    (raw(NEVER), {"proxy_read_timeout": 1}, "response_stalled"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_failure_of_a_pod_is_counted_before_and_after_its_head(shop, answer, config, fault):
    ingot = shop(answer, **config)

    try:
        ingot.get(HOST)
    except (Closed, ConnectionResetError):
        pass

    eventually(lambda: ingot.metrics().sum("ingot_local_responses_total", reason=fault) == 1)
    loads = endpoint_loads(ingot)
    assert (loads.requests, loads.failures, loads.in_flight) == (1, 1, 0)


def test_a_client_that_goes_is_no_failure_of_the_pod(shop):
    ingot = shop(raw(NEVER))
    client = ingot.connect()
    client.send("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    assert client.head().status == 200

    client.reset()

    eventually(lambda: endpoint_loads(ingot).in_flight == 0)
    assert endpoint_loads(ingot).failures == 0


def test_an_answer_is_no_failure_of_the_pod(shop):
    ingot = shop()

    assert ingot.get(HOST, times=3).statuses == {200: 3}

    loads = endpoint_loads(ingot)
    assert (loads.requests, loads.failures) == (3, 0)


# ------------------------------------------------------------------ connections

def test_a_client_that_is_only_waited_for_is_neither_active_nor_idle(shop):
    ingot = shop()
    client = ingot.connect()
    client.send("POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 9999999\r\n\r\n")
    assert client.response().status == 413
    assert client.is_closed()       # for its part; the other is waited for, so that it gets the answer

    figures = ingot.metrics()

    assert figures.get("ingot_downstream_connections", state="active") == 0
    assert figures.get("ingot_downstream_connections", state="idle") == 0


def test_gauges_of_clients_come_back_to_nothing(shop):
    ingot = shop()
    idle, refused, begun = (ingot.connect() for _ in range(3))
    assert idle.request("/", HOST).status == 200
    refused.send("nonsense\r\n\r\n")
    assert refused.response().status == 400
    begun.send("GET / HT")
    eventually(lambda: ingot.metrics().get("ingot_downstream_connections", state="active") == 1)
    assert ingot.metrics().get("ingot_downstream_connections", state="idle") == 1

    for client in (idle, refused, begun):
        client.close()

    eventually(lambda: ingot.metrics().sum("ingot_downstream_connections") == 0)
