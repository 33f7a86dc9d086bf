"""Runs one generator once and says what that took: processor time, memory, requests.

Processor time is what the kernel has counted for the process when it ended (user
and system); what start and end of the program cost is subtracted by a second run
with less load, in the same way for every generator.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from comparing.service import Service

_LONGEST_RUN = 300.0
_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process did.

    Attributes:
        requests: How many the service counted.
        cpu: Seconds of processor time, user and system.
        wall: Seconds from start to end.
        peak: The most memory it held, in bytes.
        growth: Pairs of requests so far and bytes held, over the run.
        arrivals: When requests were logged, if they were.
    """

    requests: int
    cpu: float
    wall: float
    peak: int
    growth: tuple[tuple[int, int], ...] = ()
    arrivals: tuple[float, ...] = ()


def run_once(
    command: Sequence[str],
    environment: Mapping[str, str],
    service: Service,
    *,
    core: int | None,
    log: Path,
    watch_memory: bool = False,
) -> Run:
    """Run `command` on `core` to its end.

    Raises:
        RuntimeError: It failed, or took longer than five minutes.
    """
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    before = service.count()
    began = time.perf_counter()
    growth: list[tuple[int, int]] = []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pinned, *command],
            env=environment,
            cwd=log.parent,  # `python -m` would import a checkout it is started in
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            while not ended:
                if time.perf_counter() - began > _LONGEST_RUN:
                    process.kill()
                if watch_memory:
                    with suppress(OSError, LookupError):
                        growth.append((service.count() - before, _resident(process.pid)))
                time.sleep(_LOOK_EVERY)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        except BaseException:  # somebody ends the benchmark
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{_tail(log)}")
    return Run(
        requests=service.count() - before,
        cpu=usage.ru_utime + usage.ru_stime,
        wall=time.perf_counter() - began,
        peak=usage.ru_maxrss * 1024,
        growth=tuple(growth),
    )


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LookupError(pid)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])
