"""Measures what calls of ``vu.grpc`` cost the generator: unary ones, and messages of streams.

    python benchmarks/bench_grpc.py [--cores=1,0] [--service=./server]

The service is `comparing/grpc_echo.py`, on a core of its own, or another program that prints
its address and sends messages back, whatever the method. Processor time (user and system) per
call or message; the rows are counted in, as they are by a load test.
"""

import argparse
import os
import resource
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import trio

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.grpc import Channel, GrpcClient
from pytest_k6api.protocols.http import Client, HttpRuntime

ECHO = [sys.executable, "-m", "comparing.grpc_echo"]
VUS = 50
# Field 1 of a message, a text of 30 bytes, so that other servers can read it.
MESSAGE = b"\x0a\x1e" + b"x" * 30

Work = Callable[[Channel, int], Awaitable[None]]


async def unary(channel: Channel, calls: int) -> None:
    """Make `calls` one after the other."""
    call = channel.unary_unary("/echo.Echo/Unary", bytes, bytes)
    for _ in range(calls):
        await call(MESSAGE)


async def chat(channel: Channel, messages: int) -> None:
    """Send `messages` over one stream, each when the one before has come back."""
    async with channel.stream_stream("/echo.Echo/Chat", bytes, bytes)() as call:
        for _ in range(messages):
            await call.write(MESSAGE)
            await call.read()
        await call.done_writing()
        await call.code()


async def _pump(buffer: SampleBuffer, engine: MetricsEngine) -> None:
    while True:
        await trio.sleep(0.05)
        engine.ingest(buffer.drain(), trio.current_time())


async def measure(work: Work, target: str, number: int) -> float:
    """Return the microseconds of processor time per call or message."""
    tags = TagTable()
    buffer, engine = SampleBuffer(), MetricsEngine(tags, [])
    context = TagContext(tags, {"scenario": "echo"})
    runtime = HttpRuntime()
    async with trio.open_nursery() as services:
        await services.start(runtime.run)
        services.start_soon(_pump, buffer, engine)
        began = _used()
        async with trio.open_nursery() as nursery:
            for _ in range(VUS):
                recorder = Recorder(buffer, context)
                client = GrpcClient(Client(runtime, recorder), recorder)
                nursery.start_soon(work, client.channel(target), number)
        used = _used() - began
        services.cancel_scope.cancel()
    return used / VUS / number * 1e6


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", default="", help="generator's and service's, such as 1,0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--service", help="another service than ours: a command")
    options = parser.parse_args()
    command = shlex.split(options.service) if options.service else ECHO
    if options.cores:
        ours, theirs = options.cores.split(",")
        os.sched_setaffinity(0, {int(ours)})
        command = ["taskset", "-c", theirs, *command]
    here = Path(__file__).parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here) as process:
        assert process.stdout
        target = urlsplit(process.stdout.readline().strip()).netloc
        for _ in range(options.rounds):
            for work in (unary, chat):
                cost = trio.run(measure, work, target, options.calls)
                print(f"{work.__name__:8} {cost:6.1f} µs", flush=True)
        process.terminate()


if __name__ == "__main__":
    main()
