"""Servers that take what outputs send, and batches to send."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from types import MappingProxyType

from pytest_k6api.metrics import SampleBatch, Series, ThresholdSnapshot
from pytest_k6api.model import Contains, LoadTestInfo, MetricKind
from pytest_k6api.outputs import OutputContext, QueuedOutput, find_factory

AT = 1_795_815_209.2
AT_US = 1_795_815_209_200_000
LOAD_TEST = LoadTestInfo(name="test_shop.py::test_buy", scenarios=())


def wait_until(is_true: Callable[[], bool]) -> None:
    pause = threading.Event()
    limit = monotonic() + 30
    while not is_true():
        assert monotonic() < limit, "it did not happen in 30 s"
        pause.wait(0.002)


@dataclass
class Posted:
    """A request that a server took."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server that answers with `answers`, then with 204; None closes the connection."""

    answers: list[int | None] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    url: str = ""


@contextmanager
def receiving(*answers: int | None, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(Posted(self.path, dict(self.headers), body))
            answer = receiver.answers.pop(0) if receiver.answers else 204
            if answer is None:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer)
            said = b"" if answer == 204 else b"said so"
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a handshake
        if tls is not None:
            # Handshakes are the business of the thread of each connection.
            server.socket = tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        scheme = "http" if tls is None else "https"
        receiver.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def make_output(name: str, context: OutputContext) -> QueuedOutput:
    output = find_factory(name)(context)
    assert isinstance(output, QueuedOutput)
    return output


def context(target: str, **environment: str) -> OutputContext:
    return OutputContext(target=target, load_test=LOAD_TEST, environment=environment)


def series(
    metric: str,
    kind: MetricKind,
    *values: float,
    contains: Contains = Contains.DEFAULT,
    tags: Mapping[str, str] = MappingProxyType({}),
    **more: str,
) -> Series:
    return Series(
        metric=metric,
        kind=kind,
        contains=contains,
        tags={**tags, **more},
        values=values,
        times_us=(AT_US,) * len(values),
    )


def batch(*of: Series, at: float = AT, thresholds: tuple[ThresholdSnapshot, ...] = ()):
    return SampleBatch(at=at, elapsed=1.0, series=of, thresholds=thresholds)


MIXED = (
    series("http_reqs", MetricKind.COUNTER, 1.0, 1.0, name="home", url="home", group=""),
    series("http_req_duration", MetricKind.TREND, 10.0, 20.0, contains=Contains.TIME, name="home"),
    series("data_sent", MetricKind.COUNTER, 100.0, contains=Contains.DATA, scenario="s"),
    series("http_req_failed", MetricKind.RATE, 1.0, 0.0, name="home"),
    series("checks", MetricKind.RATE, 1.0, 1.0, 0.0, check="is 200"),
    series("vus", MetricKind.GAUGE, 3.0, 7.0),
)
CROSSED = ThresholdSnapshot(metric="checks", source="rate>0.9", ok=False, observed=0.5, samples=3)
HELD = ThresholdSnapshot(metric="vus", source="value<9", ok=True, observed=7.0, samples=2)
