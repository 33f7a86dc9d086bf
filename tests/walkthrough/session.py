"""A pytest session with a load test in a process of its own, and curl to talk to its API."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "scripts" / "visits.py"
PATIENCE = 20.0
LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl got: the code, the media type, and the document; None where there is none."""

    code: int
    content_type: str
    document: Any


class Session:
    """A pytest session that runs.

    Args:
        process: Of pytest.
        output: Where it prints to.
        folder: Where its setup and teardown leave traces.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", output: Path, folder: Path) -> None:
        self._process = process
        self._output = output
        self._folder = folder

    @cached_property
    def address(self) -> str:
        """Where the API listens, as pytest has printed it, without scheme."""
        wait_until(lambda: self._told_address() is not None, self.printed)
        found = self._told_address()
        assert found
        return found

    def _told_address(self) -> str | None:
        found = re.search(r"k6 control API: http://(\S+)\n", self.printed())
        return found[1] if found else None

    def printed(self) -> str:
        return self._output.read_text()

    def traces(self, name: str) -> str:
        file = self._folder / name
        return file.read_text() if file.exists() else ""

    def curl(self, method: str, path: str, body: str | None = None) -> Answer:
        """Make one request with curl, whose brackets and braces are taken as they are."""
        command = ["curl", "-sS", "-g", "-m", str(PATIENCE), "-X", method]
        command += ["-w", "\n%{http_code} %{content_type}", f"http://{self.address}{path}"]
        if body is not None:
            command += ["-d", body]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{self.printed()}"
        text, _, ending = done.stdout.rpartition("\n")
        code, _, content_type = ending.partition(" ")
        return Answer(int(code), content_type, json.loads(text) if text else None)

    def status(self) -> dict[str, Any]:
        attributes: dict[str, Any] = self.curl("GET", "/v1/status").document["data"]["attributes"]
        return attributes

    def change(self, **attributes: object) -> Answer:
        """PATCH the status as k6's documentation shows it."""
        names = {name.replace("_", "-"): value for name, value in attributes.items()}
        document = {"data": {"type": "status", "id": "default", "attributes": names}}
        return self.curl("PATCH", "/v1/status", json.dumps(document))

    def metric(self, metric_id: str) -> dict[str, float]:
        answer = self.curl("GET", f"/v1/metrics/{metric_id}")
        sample: dict[str, float] = answer.document["data"]["attributes"]["sample"]
        return sample

    def wait_for(self, **attributes: object) -> dict[str, Any]:
        """Wait until the status has these attributes; return it all."""
        names = {name.replace("_", "-"): value for name, value in attributes.items()}
        wait_until(lambda: self.status().items() >= names.items(), self.printed)
        return self.status()

    def wait_for_text(self, text: str) -> None:
        """Wait until pytest has printed `text`."""
        wait_until(lambda: text in self.printed(), self.printed)

    def wait_for_requests(self) -> float:
        """Wait until there are more requests than now; return how many."""
        before = self._requests()
        wait_until(lambda: self._requests() > before, self.printed)
        return self._requests()

    def _requests(self) -> float:
        answer = self.curl("GET", "/v1/metrics/http_reqs")
        return answer.document["data"]["attributes"]["sample"]["count"] if answer.code == 200 else 0

    def interrupt(self) -> int:
        """Press Ctrl-C; return pytest's exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE)

    def wait(self) -> int:
        """Return pytest's exit code when it has ended by itself."""
        return self._process.wait(PATIENCE)


def wait_until(
    is_so: Callable[[], bool], describe: Callable[[], str], patience: float = PATIENCE
) -> None:
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"this did not happen within {patience:g} seconds:\n{describe()}")
        time.sleep(LOOK_EVERY)


@contextmanager
def a_session(folder: Path, url: str, *arguments: str) -> Iterator[Session]:
    """Start pytest on the load test; end it by force if it has not ended when all is said."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing")
    file = shutil.copy(SCRIPT, folder)
    output = folder / "printed"
    command = [sys.executable, "-u", "-m", "pytest", str(file)]
    command += ["-p", "no:cacheprovider", "-p", "pytest_k6api.plugin", *arguments]
    command += [f"--k6-base-url={url}", "--k6-address=127.0.0.1:0"]
    told = {"FOLDER": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "NO_COLOR": "1"}
    with output.open("wb") as printed:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **told},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Session(process, output, folder)
    finally:
        with suppress(OSError):
            process.kill()
        process.wait()


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"Welcome")

    def handle(self) -> None:
        # Virtual users that are stopped go without a word.
        with suppress(ConnectionResetError, BrokenPipeError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as it is inherited
        """Nobody reads it."""


@contextmanager
def a_page() -> Iterator[str]:
    """Serve a page to visit; give its base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(PATIENCE)
