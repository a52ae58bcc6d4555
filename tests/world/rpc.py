# SPDX-License-Identifier: Apache-2.0
"""A gRPC server and client, both the real ones, for one service with a method of each kind. Messages are bytes."""
import threading
from concurrent import futures

import grpc

from .wait import PATIENCE

SERVICE = "shop.Cart"
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Pod(grpc.GenericRpcHandler):
    """A pod. Each call leaves its metadata in seen; answers say which pod gave them."""

    def __init__(self, name="pod", credentials=None, threads=128, port=0, options=()):
        self.name, self.address = name, "127.0.0.1"
        self.seen = []                  # (method, metadata, seconds until the deadline or None, peer)
        self.ended = threading.Semaphore(0)     # one for each call that is over, however it ended
        self.release = threading.Event()        # of /Hold
        self.holding = threading.Semaphore(0)   # one for each call that came to /Hold
        self.server = grpc.server(futures.ThreadPoolExecutor(threads), (self,),
                                  options=[*UNLIMITED, ("grpc.so_reuseport", 0), *options])
        self.port = (self.server.add_secure_port(f"127.0.0.1:{port}", credentials) if credentials
                     else self.server.add_insecure_port(f"127.0.0.1:{port}"))
        self.server.start()

    def stop(self):
        self.release.set()
        self.server.stop(0).wait()

    def service(self, details):
        method = details.method.rpartition("/")[2]
        kinds = {"Echo": grpc.unary_unary_rpc_method_handler,
                 "Fail": grpc.unary_unary_rpc_method_handler,
                 "Hold": grpc.unary_unary_rpc_method_handler,
                 "Mute": grpc.unary_unary_rpc_method_handler,
                 "Count": grpc.unary_stream_rpc_method_handler,
                 "Sum": grpc.stream_unary_rpc_method_handler,
                 "Talk": grpc.stream_stream_rpc_method_handler}
        if method not in kinds:
            return None
        return kinds[method](self.noted(method, getattr(self, method.lower(), None)))

    def noted(self, method, behaviour):
        def call(request, context):
            self.seen.append((method, dict(context.invocation_metadata()),
                              context.time_remaining(), context.peer()))
            context.add_callback(self.ended.release)
            if method == "Mute":
                return self.hold(request, context)
            context.send_initial_metadata((("pod", self.name),))
            context.set_trailing_metadata((("parting", "bye"), ("parting-bin", b"\x00\xff")))
            return behaviour(request, context)
        return call

    @property
    def connections(self):
        return len({peer for _, _, _, peer in self.seen})

    # -------------------------------------------------------------- methods

    def echo(self, request, context):
        return request

    def fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nö 100%")

    def hold(self, request, context):
        self.holding.release()
        self.release.wait(60 * PATIENCE)
        return request

    def count(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number

    def sum(self, requests, context):
        return b"%d" % sum(len(request) for request in requests)

    def talk(self, requests, context):
        for request in requests:
            yield request.upper()


class Client:
    """A channel of its own."""

    def __init__(self, address, host, credentials=None, options=()):
        target = f"{address[0]}:{address[1]}"
        options = [*UNLIMITED, ("grpc.default_authority", host),
                   ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), *options]
        self.channel = (grpc.secure_channel(target, credentials, options) if credentials
                        else grpc.insecure_channel(target, options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.channel.close()

    @staticmethod
    def path(method):
        return f"/{SERVICE}/{method}"

    def unary(self, method):
        return self.channel.unary_unary(self.path(method))

    def to_many(self, method):
        return self.channel.unary_stream(self.path(method))

    def from_many(self, method):
        return self.channel.stream_unary(self.path(method))

    def many_to_many(self, method):
        return self.channel.stream_stream(self.path(method))


def failure(call, *words, **more):
    """What a call that must fail ends with."""
    try:
        result = call(*words, timeout=more.pop("timeout", 10 * PATIENCE), **more)
        list(result) if hasattr(result, "cancel") else None
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"the call came to an end: {result!r}")


class Questions:
    """Requests of a stream, sent one by one as a test says."""

    def __init__(self):
        self.condition = threading.Condition()
        self.queue = []
        self.closed = False

    def put(self, message):
        with self.condition:
            self.queue.append(message)
            self.condition.notify()

    def close(self):
        with self.condition:
            self.closed = True
            self.condition.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self.condition:
            self.condition.wait_for(lambda: self.queue or self.closed)
            if not self.queue:
                raise StopIteration
            return self.queue.pop(0)
