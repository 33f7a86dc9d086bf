"""The shop that all examples load: one for the session, in a process of its own."""

import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 30
SECONDS_TO_END = 10


@pytest.fixture(scope="session")
def k6_base_url() -> Iterator[str]:
    """Start the shop and return its address; every scenario's requests start from it.

    A fixture of this name is all it takes: a load test that names no base URL of
    its own asks for it.
    """
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout
            yield _first_line(process.stdout)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()


def _first_line(stream: IO[str]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(SECONDS_TO_START):
            pytest.fail(f"the shop did not start within {SECONDS_TO_START} seconds")
    line = stream.readline().strip()
    if not line:
        pytest.fail("the shop ended before it was ready; its standard error says why")
    return line
