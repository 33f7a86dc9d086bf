"""A tiny HTTP service, and pytest run on load tests of it, in this process."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# httpx keeps the exceptions of the httpcore that it imported first: a second one's
# would not be translated any more.
import httpcore  # noqa: F401
import pytest

# Dask's way to entry points: whoever imports it takes the standard library's away, and a run
# of pytester that does would leave neither.
with suppress(ImportError):
    import importlib_metadata  # noqa: F401

# NumPy refuses to be imported twice in one process.
import scipy.stats  # noqa: F401

# pytester forgets what a run imported; what is imported here stays, so that the
# runs share it and do not each pay for it.
import pytest_k6api.api.server.service
import pytest_k6api.metrics.serialization
import pytest_k6api.outputs.queued
import pytest_k6api.plugin.collection.planning
import pytest_k6api.plugin.reporting.junit
import pytest_k6api.plugin.reporting.load_test_report
import pytest_k6api.plugin.reporting.session_report
import pytest_k6api.plugin.runtime.baselines
import pytest_k6api.plugin.runtime.results
import pytest_k6api.plugin.runtime.running
import pytest_k6api.plugin.runtime.session
import pytest_k6api.plugin.runtime.timeouts
import pytest_k6api.plugin.settings.misfits
import pytest_k6api.protocols.websocket
import pytest_k6api.report.html.document
import pytest_k6api.report.live.display
import pytest_k6api.run.pages  # noqa: F401

RunPytest = Callable[..., pytest.RunResult]


class Service(ThreadingHTTPServer):
    """Counts requests, and answers by path: ``/status/404``, ``/slow`` (0.2 s), anything else."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service  # type: ignore[mutable-override]  # the only one that uses it

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path == "/slow":
            time.sleep(0.2)
        status = int(self.path.rsplit("/", 1)[1]) if self.path.startswith("/status/") else 200
        # One packet: two would wait for each other, by Nagle's algorithm.
        self.wfile.write(b"HTTP/1.1 %d Said So\r\nContent-Length: 7\r\n\r\nWelcome" % status)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def _service() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield service
        service.shutdown()
        thread.join()


@pytest.fixture
def service(_service: Service) -> Service:
    """Give the HTTP service, with no request counted yet."""
    _service.paths.clear()
    return _service


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let neither other plugins nor settings of this machine change what a test sees."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for variable in [name for name in os.environ if name.startswith(("K6_", "GITHUB_STEP_"))]:
        monkeypatch.delenv(variable)


@pytest.fixture
def run_pytest(pytester: pytest.Pytester, service: Service) -> RunPytest:
    """Return a function that runs pytest in this process, without a control API."""

    def run(*arguments: str, address: str = "", **options: bool) -> pytest.RunResult:
        return pytester.runpytest_inprocess(
            "-p",
            "k6api",
            "-p",
            "no:cacheprovider",
            "--strict-markers",
            "-W",
            "error",
            f"--k6-address={address}",
            f"--k6-base-url={service.url}",
            *arguments,
            **options,
        )

    return run
