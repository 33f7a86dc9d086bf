"""CPU that one server-sent event costs, metrics included, with many slow streams at once.

Starts a service on the second core that sends an event to each of 1,000 streams ten times a
second, and itself on the first, with garbage collected as seldom as in load tests. Prints
microseconds of CPU per event (user and system, the kernel's share of the loopback included),
and what the parser alone takes.

    python benchmarks/bench_sse.py [--streams 1000] [--rate 10] [--seconds 5] [--profile]
"""

import argparse
import cProfile
import os
import pstats
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

import trio

from pytest_k6api.metrics import MetricsEngine
from pytest_k6api.model import Recorder, SampleBuffer, TagContext, TagTable
from pytest_k6api.protocols.http import (
    SSE_ROWS,
    Client,
    ClientOptions,
    HttpRuntime,
    raised_descriptor_limit,
)
from pytest_k6api.protocols.http.sse import EventParser
from pytest_k6api.run.generator import tuned_gc

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_DATA = b'id: 12345\ndata: {"price": 123.45, "volume": 1000, "symbol": "ABCDEF"}\n\n'
_EVENT = b"%x\r\n%b\r\n" % (len(_DATA), _DATA)
_SLICES = 50  # of a second in which streams take turns, so that events do not come all at once


def serve(streams: int, rate: float) -> None:
    """Accept `streams` connections, and send each `rate` events a second, for ever."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    peers = []
    for _ in range(streams):
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.recv(4096)
        peer.send(_HEAD)
        peers.append(peer)
    turns = max(1, round(_SLICES / rate))
    groups = [peers[turn::turns] for turn in range(turns)]
    due, turn = time.monotonic(), 0
    while True:
        for peer in groups[turn % turns]:
            with suppress(OSError):
                peer.send(_EVENT)
        turn += 1
        due += 1 / (rate * turns)
        time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def service(streams: int, rate: float) -> Iterator[str]:
    """Run `serve` in a process on the second core; give its URL."""
    command = [sys.executable, __file__, "--serve", f"--streams={streams}", f"--rate={rate}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with suppress(OSError):
            os.sched_setaffinity(process.pid, {(os.cpu_count() or 1) - 1})
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def load(url: str, streams: int, seconds: float) -> tuple[int, float]:
    """Read `streams` streams; return how many events came within `seconds`, and the CPU seconds."""
    runtime = HttpRuntime(ClientOptions())
    tags = TagTable()
    context = TagContext(tags, {"scenario": "bench"})
    buffer, engine = SampleBuffer(), MetricsEngine(tags, [])
    events = 0

    async def pump() -> None:
        nonlocal events
        while True:
            await trio.sleep(0.05)
            batch = buffer.drain()
            events += len(batch.rows.get(SSE_ROWS, ()))
            engine.ingest(batch, trio.current_time())

    async def vu() -> None:
        client = Client(runtime, Recorder(buffer, context))
        async with client.sse(url) as stream:
            async for event in stream:
                if len(event.data) < 10:
                    raise RuntimeError(f"an event came as {event!r}")

    async with trio.open_nursery() as nursery:
        await nursery.start(runtime.run)
        nursery.start_soon(pump)
        for _ in range(streams):
            nursery.start_soon(vu)
        await trio.sleep(1 + streams / 1000)
        count, began = events, time.process_time()
        await trio.sleep(seconds)
        count, spent = events - count, time.process_time() - began
        nursery.cancel_scope.cancel()
    return count, spent


def parse(events: int) -> float:
    """Parse so many events, one by one; return the CPU seconds."""
    parser = EventParser(1 << 20)
    parser.feed(_DATA)
    began = time.process_time()
    for _ in range(events):
        parser.take_lone(_DATA)
    return time.process_time() - began


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        with raised_descriptor_limit():
            serve(arguments.streams, arguments.rate)
    with suppress(OSError):
        os.sched_setaffinity(0, {0})
    print(f"parser alone: {parse(100_000) / 100_000 * 1e6:.2f} µs per event")
    for _ in range(1 if arguments.profile else arguments.rounds):
        limits = raised_descriptor_limit()
        with limits, service(arguments.streams, arguments.rate) as url, tuned_gc():
            run = (url, arguments.streams, arguments.seconds)
            if arguments.profile:
                profile = cProfile.Profile()
                profile.runcall(partial(trio.run, load, *run))
                pstats.Stats(profile).sort_stats("tottime").print_stats(25)
                return
            count, spent = trio.run(load, *run)
        print(
            f"{spent / count * 1e6:.1f} µs CPU per event, {count / arguments.seconds:,.0f} events/s"
        )


if __name__ == "__main__":
    main()
