"""A Greeter on grpcio's server, in a process of its own: `python server.py FOLDER`.

The generated code is in FOLDER. Prints the port, and ends with its standard input.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, sys.argv[1])

import greeter_pb2  # type: ignore[import-not-found]
import greeter_pb2_grpc  # type: ignore[import-not-found]
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]


class Greeter(greeter_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):  # noqa: N802
        if request.name == "nobody":
            context.set_trailing_metadata((("reason", "none"), ("raw-bin", b"\x00\xff")))
            context.abort(grpc.StatusCode.NOT_FOUND, "no such person: 100 % «nobody»")
        if request.name == "slow":
            time.sleep(3)
        context.send_initial_metadata((("greeted", "yes"),))
        context.set_trailing_metadata((("raw-bin", b"\x00\xff"),))
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        return greeter_pb2.Reply(
            text="Hello " + request.name * max(1, request.times), metadata=metadata
        )

    def GreetOften(self, request, context):  # noqa: N802
        for number in range(request.times):
            yield greeter_pb2.Reply(text=f"Hello {request.name} {number}")
        if request.name == "nobody":
            context.abort(grpc.StatusCode.ABORTED, "enough")

    def GreetAll(self, requests, context):  # noqa: N802
        return greeter_pb2.Reply(text="Hello " + ", ".join(each.name for each in requests))

    def Chat(self, requests, context):  # noqa: N802
        for request in requests:
            yield greeter_pb2.Reply(text=f"Hello {request.name}")


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(8), compression=grpc.Compression.NoCompression)
    greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    state = health.HealthServicer()
    state.set("shop.Greeter", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(state, server)
    names = ("shop.Greeter", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(0)


main()
