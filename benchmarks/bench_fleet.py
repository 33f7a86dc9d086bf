"""What does it cost the controller to hold the lines to many workers? CPU time in a second.

Workers are simulated by another process at the other ends of socket pairs, which answers echo
requests and polls. A report has 1 kB of numbers; `bench_workers.py` says what merging them costs.

    python benchmarks/bench_fleet.py [--workers 2 10 100] [--seconds 5]
"""

import argparse
import os
import selectors
import socket
import time
from collections.abc import Sequence
from typing import cast

import trio

from pytest_k6api.distributed import (
    PROTOCOL,
    Accepted,
    Echo,
    Echoed,
    EndWanted,
    Fingerprint,
    Fleet,
    GeneratorFigures,
    Hello,
    Poll,
    PollAnswer,
    Prepare,
    Prepared,
    Start,
    ToController,
    ToWorker,
    Worker,
    WorkerCarrier,
    WorkerReport,
    decode_to_worker,
    encode,
)
from pytest_k6api.distributed.frames import MessageReader
from pytest_k6api.model import RunStatus, StatusSnapshot

FINGERPRINT = Fingerprint(versions={}, options="", items="")
STATUS = StatusSnapshot(
    status=RunStatus.RUNNING,
    paused=False,
    vus=50,
    vus_max=50,
    stopped=False,
    running=True,
    tainted=False,
    elapsed=1.0,
    vus_planned=50,
)
MEASURED = os.urandom(1_000)


class Line:
    """The line to a simulated worker; see `WorkerCarrier`."""

    name = "simulated"

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = trio.socket.from_stdlib_socket(line)

    async def send(self, frame: bytes) -> None:
        """Send a frame, which fits into the buffer."""
        await self._line.send(frame)

    async def receive(self) -> bytes:
        """Return the next bytes."""
        return await self._line.recv(262_144)

    def kill(self) -> None:
        """Do nothing."""

    close = wait = kill


class Owner:
    """Takes reports, and does nothing with them."""

    def take_report(self, worker: Worker, content: WorkerReport) -> None:
        """Do nothing."""

    def note_end_wanted(self, worker: Worker, wanted: EndWanted) -> None:
        """Do nothing."""

    def note_loss(self, worker: Worker) -> None:
        """Do nothing."""


def answer(message: ToWorker) -> Sequence[ToController]:
    """Return what a worker that is prepared at once answers."""
    match message:
        case Echo(number=number):
            return [Echoed(number=number, at=time.perf_counter(), wall=time.time())]
        case Prepare(number=number):
            return [Accepted(number=number), Prepared()]
        case Poll(number=number):
            figures = GeneratorFigures(cpu=1.0, memory=40_000_000, late=0.0, busy=0.5)
            report = WorkerReport(
                number=number,
                measured=MEASURED,
                failures=b"",
                status=STATUS,
                scenarios=(),
                figures=figures,
            )
            return [PollAnswer(content=report)]
        case _:
            return []


def serve(lines: Sequence[socket.socket]) -> None:
    """Be all workers until their controller is gone."""
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ, MessageReader())
            line.sendall(encode(Hello(protocol=PROTOCOL, fingerprint=FINGERPRINT)))
        while True:
            for key, _ in selector.select():
                line = cast("socket.socket", key.fileobj)
                data = line.recv(65_536)
                if not data:
                    return
                for payload in key.data.feed(data):
                    line.sendall(b"".join(map(encode, answer(decode_to_worker(payload)))))


async def hold(lines: Sequence[socket.socket], seconds: float) -> float:
    """Return the seconds of CPU time that a fleet on `lines` takes in a second."""
    workers = [
        Worker(number, cast("WorkerCarrier", Line(line)), number)
        for number, line in enumerate(lines, start=1)
    ]
    fleet = Fleet(workers, Owner())
    async with trio.open_nursery() as nursery:
        await nursery.start(fleet.run)
        order = Prepare(item="test_shop.py::test_browse", shares=len(workers), base_url="")
        await fleet.prepare(workers, order, FINGERPRINT)
        began = trio.current_time()
        for worker in workers:
            fleet.start(
                worker, lambda: trio.current_time() - began, Start(load_began_at=0.0), began
            )
        await trio.sleep(1.0)
        before = time.thread_time()
        await trio.sleep(seconds)
        spent = time.thread_time() - before
        nursery.cancel_scope.cancel()
    return spent / seconds


def main() -> None:
    """Print a line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="*", default=[2, 10, 100])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    for count in options.workers:
        ours, theirs = zip(*(socket.socketpair() for _ in range(count)), strict=True)
        process = os.fork()
        if not process:
            for line in ours:
                line.close()
            serve(theirs)
            os._exit(0)
        for line in theirs:
            line.close()
        share = trio.run(hold, ours, options.seconds)
        print(f"{count:4} workers: {share:6.2%} of a core, {share / count * 1e6:4.0f} µs each")
        for line in ours:
            line.close()
        os.waitpid(process, 0)


if __name__ == "__main__":
    main()
