"""Load tests inside a worker of pytest-xdist: each once, with an address of its own.

What a worker knows of the others came from the process that started it (`workers`).
"""

from collections.abc import Iterable, Sequence

import pytest

from pytest_k6api.plugin.hooks.stash_keys import BROKEN, PLAN, REMARKS

LINES = "k6_lines"
"""The attribute of a setup report with what a worker, who has no terminal, tells users."""

NUMBER = "k6_worker"
DIST = "k6_dist"
"""The keys of what a worker is told: its number, and pytest-xdist's ``--dist``."""


def worker_number(config: pytest.Config) -> int | None:
    """Return the number of this worker, from 0; None if this process is none."""
    found = getattr(config, "workerinput", None)
    return found.get(NUMBER, 0) if found is not None else None


def leave_to_first_worker(item: pytest.Item) -> None:
    """Skip the load test `item` where every worker runs every test, except in one."""
    found = getattr(item.config, "workerinput", {})
    if found.get(DIST) == "each" and found.get(NUMBER):
        pytest.skip("with --dist each a load test runs in the first worker alone")


def refuse(config: pytest.Config, items: Iterable[pytest.Item], problems: Sequence[str]) -> None:
    """End the session with `problems`; in a worker, fail its load tests with them.

    A worker that ends is an internal error of pytest-xdist, and what it said is lost.

    Raises:
        pytest.UsageError: This process is no worker.
    """
    if worker_number(config) is None:
        raise pytest.UsageError(*problems)
    for item in items:
        if item.stash.get(PLAN, None) is not None:
            del item.stash[PLAN]
            item.stash[BROKEN] = "\n".join(problems)


def address_for(config: pytest.Config, address: str) -> str:
    """Return `address` with a port of its own for this worker: 6565, 6566 and so on.

    Port 0 stays, because it is a port of its own already.
    """
    number = worker_number(config)
    host, colon, port = address.rpartition(":")
    if not number or not colon or not port.isdigit() or port == "0":
        return address
    return f"{host}:{min(int(port) + number, 65535)}"


def attach_lines(config: pytest.Config, report: pytest.TestReport, address: str) -> None:
    """Attach to `report` what this worker tells: remarks, and where its control API listens."""
    found = getattr(config, "workerinput", None)
    if found is None:
        return
    lines = remark_lines(config)
    if address:
        lines.append(f"k6 control API of {found['workerid']}: {address}")
    setattr(report, LINES, lines)


def remark_lines(config: pytest.Config) -> list[str]:
    """Return what users are told before the first test."""
    return [f"k6: {remark}" for remark in config.stash.get(REMARKS, ())]
