"""Measures what an echo over ``vu.ws`` costs the generator, and its parts.

    python benchmarks/bench_websocket.py [--cores=1,0]

The service is `comparing/echo.py`, on a core of its own. Processor time (user and system) per
message that was sent and came back; the rows are counted in, as they are by a load test.
"""

import argparse
import os
import resource
import subprocess
import sys
import timeit
from pathlib import Path

import trio

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.http import Client, HttpRuntime
from pytest_k6api.protocols.websocket import WebSocketClient
from pytest_k6api.protocols.websocket.wire.frames import apply_mask, encode_frame
from pytest_k6api.protocols.websocket.wire.reader import FrameReader

ECHO = [sys.executable, "-m", "comparing.echo"]
VUS = 50
MESSAGE = "x" * 100


async def _echo(client: WebSocketClient, url: str, messages: int, size: int) -> None:
    message = "x" * size
    async with client.connect(url, name="/") as ws:
        for _ in range(messages):
            await ws.send(message)
            await ws.receive()


async def _pump(buffer: SampleBuffer, engine: MetricsEngine) -> None:
    while True:
        await trio.sleep(0.05)
        engine.ingest(buffer.drain(), trio.current_time())


async def measure(url: str, messages: int, size: int) -> float:
    """Return the microseconds of processor time per message."""
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
                client = WebSocketClient(Client(runtime, recorder), recorder)
                nursery.start_soon(_echo, client, url, messages, size)
        used = _used() - began
        services.cancel_scope.cancel()
    return used / VUS / messages * 1e6


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _parts() -> None:
    reader = FrameReader(1 << 20)
    text = b"\x81\x64" + MESSAGE.encode()
    data = MESSAGE.encode()
    for name, call in (
        ("mask 100 bytes", lambda: apply_mask(data, b"abcd")),
        ("write a frame", lambda: encode_frame(1, data, 0x61626364)),
        ("read a frame", lambda: reader.read_whole(text)),
    ):
        best = min(timeit.repeat(call, number=100_000, repeat=3)) / 100_000
        print(f"{name:20} {best * 1e6:6.2f} µs")
    for size in (1_000, 10_000, 100_000, 1_000_000):
        long, number = bytes(size), max(1, 1_000_000 // size)
        best = min(timeit.repeat(lambda: apply_mask(long, b"abcd"), number=number, repeat=3))  # noqa: B023
        print(f"{f'mask {size:,} bytes':20} {best / number * 1e6:6.1f} µs")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", default="", help="generator's and service's, such as 1,0")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1_000)
    options = parser.parse_args()
    pinned: list[str] = []
    if options.cores:
        ours, theirs = options.cores.split(",")
        os.sched_setaffinity(0, {int(ours)})
        pinned = ["taskset", "-c", theirs]
    _parts()
    here = Path(__file__).parent
    command = [*pinned, *ECHO]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        for _ in range(options.rounds):
            print(f"echo of 100 bytes    {trio.run(measure, url, options.messages, 100):6.1f} µs")
        process.terminate()


if __name__ == "__main__":
    main()
