"""The example of databases, against a real PostgreSQL and a real Redis."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 30

# Not imported here: trio-asyncio changes asyncio for the whole process.
MISSING = [name for name in ("asyncpg", "redis", "trio_asyncio") if find_spec(name) is None]

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"without {', '.join(MISSING)}"),
]


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of a PostgreSQL of its own, as Debian installs it."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not programs:
        pytest.skip("there is no PostgreSQL in /usr/lib/postgresql")
    home = tmp_path_factory.mktemp("postgresql")
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        for folder in (home, *home.parents):
            if folder != Path("/tmp") and folder.stat().st_uid == 0 and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o011)
        os.chown(home, pwd.getpwnam("postgres").pw_uid, -1)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    folder = programs[-1].parent
    data = home / "data"
    made = [folder / "initdb", "--auth=trust", "--username=shop", "--no-sync", "-D", data]
    subprocess.run(
        list(map(str, [*as_user, *made])), check=True, cwd="/", stdout=subprocess.DEVNULL
    )
    port = free_port()
    options = ["-D", data, "-p", port, "-k", home, "-c", "listen_addresses=127.0.0.1", "-F"]
    with running([*as_user, folder / "postgres", *options], port):
        yield f"postgresql://shop@127.0.0.1:{port}/postgres"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a Redis of its own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server")
    port = free_port()
    options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", tmp_path]
    with running([program, *options], port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def running(command: Sequence[object], port: int) -> Iterator[None]:
    """Run a server until the block ends; enter it when it listens at `port`."""
    arguments = [str(each) for each in command]
    with subprocess.Popen(arguments, cwd="/", stdout=subprocess.DEVNULL) as server:
        try:
            wait_for(port, server)
            yield
        finally:
            server.terminate()
            try:
                server.wait(SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    over = time.monotonic() + SECONDS
    while time.monotonic() < over and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{server.args!r} did not listen within {SECONDS} seconds")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run_example(name: str, **environment: str) -> str:
    command = ["-m", "pytest", "-p", "k6api", "-p", "no:cacheprovider", "--k6-address="]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(
        [sys.executable, *command, f"examples/test_25_databases.py::{name}"],
        cwd=ROOT,
        env={**os.environ, **alone, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_postgresql_is_loaded_through_a_driver_of_asyncio(postgresql: str) -> None:
    text = run_example("test_postgresql", DATABASE_URL=postgresql)

    assert "measured_duration{name:one order}" in text
    assert "is the order asked for" in text
    assert "1 passed" in text


def test_redis_is_loaded_through_a_driver_without_async(redis: str) -> None:
    text = run_example("test_redis", REDIS_URL=redis)

    assert "is what was put" in text
    assert "1 passed" in text
