"""A session with a real control API, and real load tests in threads of their own.

Tests are the clients: they ask over HTTP, in their own thread, and nothing here
waits for longer than `PATIENCE`.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pytest_k6api.api import ApiSettings
from pytest_k6api.run import LoadTest, LoadTestPlan, LoadTestSession, RunSettings, UserCode

PATIENCE = 20.0

# What a JSON reader gives for a document whose shape the caller knows.
Json = Any


@dataclass(frozen=True)
class Answer:
    """A reply of the control API."""

    status: int
    type: str | None
    location: str | None
    body: str

    @property
    def document(self) -> Json:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body or "null")
        except ValueError:
            return None

    @property
    def attributes(self) -> Json:
        """The attributes of the one thing that it shows."""
        return self.document["data"]["attributes"]


class Client:
    """Asks the control API, over a new connection each time."""

    def __init__(self, url: str) -> None:
        self.address = url.removeprefix("http://")

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        timeout: float = PATIENCE,
    ) -> Answer:
        """Return the reply; a body is sent in chunks if a header says so."""
        fields = headers or {}
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            chunked = "Transfer-Encoding" in fields
            for name, value in fields.items():
                connection.putheader(name, value)
            if body is not None and not chunked:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body, encode_chunked=chunked)
            reply = connection.getresponse()
            text = reply.read().decode()
            kind, location = (reply.headers.get(name) for name in ("Content-Type", "Location"))
            return Answer(reply.status, kind, location, text)
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """Return the reply to a GET."""
        return self.send("GET", path)

    def patch(self, path: str = "/v1/status", **attributes: object) -> Answer:
        """Return the reply to a PATCH; ``vus_max`` stands for ``vus-max``."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        body = json.dumps({"data": {"attributes": named}}).encode()
        return self.send("PATCH", path, body)

    def status(self) -> Json:
        """Return the attributes of the status."""
        return self.get("/v1/status").attributes

    def metric(self, metric_id: str) -> Json:
        """Return the sample of a metric; empty if it is not there."""
        reply = self.get(f"/v1/metrics/{metric_id}")
        return reply.attributes["sample"] if reply.status == 200 else {}


class Running:
    """A load test in a thread of its own."""

    def __init__(self, load_test: LoadTest) -> None:
        self.load_test = load_test
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load test", daemon=True)
        self._thread.start()

    def wait(self, seconds: float = PATIENCE) -> LoadTest:
        """Return the load test once it is over."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the load test does not end"
        if self.failure is not None:
            raise self.failure
        return self.load_test

    def _run(self) -> None:
        try:
            self.load_test.run()
        except BaseException as failure:  # noqa: BLE001 - raised anew where it is waited for
            self.failure = failure


class Live:
    """A session, its control API and its client."""

    def __init__(self, session: LoadTestSession) -> None:
        self.session = session
        self.client = Client(session.address)
        self.ended = threading.Event()

    def start(
        self, plan: LoadTestPlan, code: UserCode, settings: RunSettings | None = None
    ) -> Running:
        """Start a load test; it runs when this returns, or is about to."""
        return Running(self.session.prepare(plan, code, settings or self.session.settings))


@contextmanager
def live(settings: RunSettings | None = None) -> Iterator[Live]:
    """Open a session with a control API on a free port; a broken API fails the test."""
    warnings: list[str] = []
    ended = threading.Event()
    session = LoadTestSession(
        settings or RunSettings(),
        ApiSettings(address="127.0.0.1:0"),
        warn=warnings.append,
        end=ended.set,
    )
    session.open()
    opened = Live(session)
    opened.ended = ended
    try:
        yield opened
    finally:
        session.close()
    assert warnings == []


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Look again and again until `condition` holds; tell whether it does."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


class _Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"hello"
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: virtual users leave in the middle of replies."""


@contextmanager
def shop() -> Iterator[str]:
    """Serve ``/ok`` and ``/missing`` on a free port; the value is ``host:port``."""
    server = _Server(("127.0.0.1", 0), _Shop)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
