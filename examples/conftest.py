"""The shop that all examples load: one for the session, in a process of its own."""

import os
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 30
SECONDS_TO_END = 10
CERTIFICATES = "SHOP_CERTIFICATES"


@pytest.fixture(scope="session")
def k6_base_url() -> Iterator[str]:
    """Start the shop and return its address; every scenario's requests start from it.

    A fixture of this name is all it takes: a load test that names no base URL of
    its own asks for it.
    """
    with run_shop() as url:
        yield url


@contextmanager
def run_shop(*arguments: str) -> Iterator[str]:
    """Start a shop, give its address, and end it."""
    command = [sys.executable, "-m", "examples.shop", "--end-with-stdin", *arguments]
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


@pytest.fixture(scope="session")
def shop_over_tls() -> Iterator[str]:
    """Start a shop that speaks HTTP/2 and HTTP/3, too, and return its address."""
    with run_shop(f"--tls={os.environ[CERTIFICATES]}/shop.pem") as url:
        yield url


def pytest_configure(config: pytest.Config) -> None:
    """Make certificates for the shop over TLS, and trust their authority, also in workers.

    Yours may rather be named by ``--k6-ca-file``; this is OpenSSL's variable.
    """
    if CERTIFICATES in os.environ:
        return  # a worker
    try:
        import trustme
    except ImportError:
        return
    folder = tempfile.TemporaryDirectory()
    config.add_cleanup(folder.cleanup)
    authority = trustme.CA()
    shop = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    shop.write_to_path(f"{folder.name}/shop.pem")
    authority.cert_pem.write_to_path(f"{folder.name}/authority.pem")
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv(CERTIFICATES, folder.name)
    patch.setenv("SSL_CERT_FILE", f"{folder.name}/authority.pem")


def _first_line(stream: IO[str]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(SECONDS_TO_START):
            pytest.fail(f"the shop did not start within {SECONDS_TO_START} seconds")
    line = stream.readline().strip()
    if not line:
        pytest.fail("the shop ended before it was ready; its standard error says why")
    return line
