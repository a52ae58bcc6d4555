# SPDX-License-Identifier: Apache-2.0
"""gRPC through Ingot, by the real client and server."""
import grpc
import pytest

from world.objects import ingress
from world.rpc import Client, Pod, Questions, failure
from world.wait import PATIENCE, eventually

HOST = "shop.example"
PREFIX = "nginx.ingress.kubernetes.io/"
TIMEOUT = 10 * PATIENCE


@pytest.fixture
def grpc_pods():
    """grpc_pods("a", "b"): that many gRPC servers."""
    made = []

    def make(*names, **options):
        new = [Pod(name, **options) for name in names]
        made.extend(new)
        return new

    yield make
    for pod in made:
        pod.stop()


@pytest.fixture
def pod(grpc_pods):
    return grpc_pods("pod")[0]


def cart(to, **annotations):
    notes = {PREFIX + "backend-protocol": "GRPC",
             **{PREFIX + key.replace("_", "-"): value for key, value in annotations.items()}}
    return ingress(HOST, to=to, annotations=notes)


@pytest.fixture
def client(ingot, pod):
    ingot.serve(cart([pod], proxy_body_size="0"))
    with Client(ingot.address, HOST) as made:
        yield made


# ------------------------------------------------------------------ the four kinds

def test_a_call_comes_back(client):
    answer, call = client.unary("Echo").with_call(b"apple", timeout=TIMEOUT)

    assert answer == b"apple"
    assert call.code() is grpc.StatusCode.OK
    assert ("pod", "pod") in call.initial_metadata()
    assert dict(call.trailing_metadata()) == {"parting": "bye", "parting-bin": b"\x00\xff"}
