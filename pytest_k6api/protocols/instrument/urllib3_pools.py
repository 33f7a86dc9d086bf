"""Connections of urllib3 that leave behind the rows of `vu.http`; requests and boto3 use them.

A manager of pools is told to make pools of classes derived from its own, and those
make connections derived from theirs: so timeouts, retries, proxies and TLS stay what
they were. urllib3 is not imported. Each attempt is a request: a retry, a hop of a
redirect. Bytes are those on the wire, inside of TLS.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from time import perf_counter_ns
from typing import Any

from pytest_k6api.model import Recorder
from pytest_k6api.protocols.http.message.errors import CLOSED_MIDWAY, RequestFailure
from pytest_k6api.protocols.http.net.tls import version_name
from pytest_k6api.protocols.instrument.foreign_errors import Step, explain_connection
from pytest_k6api.protocols.instrument.foreign_exchange import (
    ForeignExchange,
    ForeignRequest,
    ForeignResponse,
    Instrumentation,
    add_trace,
    recorder_of_vu,
)

_VERSIONS = {10: "HTTP/1.0", 11: "HTTP/1.1"}
# A server may answer before it has read the whole request; urllib3 then reads on.
_STILL_ANSWERED = frozenset({errno.EPIPE, errno.ECONNRESET, errno.EPROTOTYPE})

_under_way: ContextVar[ForeignExchange | None] = ContextVar("pytest_k6api_urllib3", default=None)


def measure_pools(manager: Any, instrumentation: Instrumentation) -> None:
    """Measure the requests of `manager`, a ``PoolManager`` of urllib3, from now on."""
    manager.pool_classes_by_scheme = {
        scheme: _PoolFactory(getattr(kind, "kind", kind), instrumentation)
        for scheme, kind in manager.pool_classes_by_scheme.items()
    }
    manager.clear()  # pools made before


def exchange_of(response: Any) -> ForeignExchange | None:
    """Return the exchange that `response`, of urllib3, came in; None if it was not measured."""
    exchange: ForeignExchange | None = getattr(response, "measured_exchange", None)
    return exchange


class _PoolFactory:
    """Makes measured pools; stands for a class of pools in a manager.

    Attributes:
        kind: The class that they derive from.
    """

    def __init__(self, kind: type, instrumentation: Instrumentation) -> None:
        self.kind = kind
        self._instrumentation = instrumentation

    def __call__(self, *args: Any, **options: Any) -> Any:
        pool = _pool_class(self.kind)(*args, **options)
        pool.instrumentation = self._instrumentation
        return pool


@cache
def _pool_class(kind: Any) -> type:
    members = {"ConnectionCls": _connection_class(kind.ConnectionCls)}
    return type(f"Measured{kind.__name__}", (_MeasuredPool, kind), members)


@cache
def _connection_class(kind: Any) -> type:
    members = {"response_class": _response_class(kind.response_class)}
    return type(f"Measured{kind.__name__}", (_MeasuredConnection, kind), members)


@cache
def _response_class(kind: type) -> type:
    return type(f"Measured{kind.__name__}", (_MeasuredResponse, kind), {})


class _MeasuredPool:
    """Opens an exchange for each attempt; a mixin to ``HTTPConnectionPool``."""

    instrumentation: Instrumentation
    scheme: str
    host: str
    headers: Any  # a dict, or urllib3's own kind
    port: int | None

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        recorder = recorder_of_vu()
        base: Callable[..., Any] = super().urlopen  # type: ignore[misc]  # the other base's
        if recorder is None:
            return base(method, url, *args, **options)
        if recorder.tracer is not None:
            args, options = self._traced(args, options, recorder)
        exchange = ForeignExchange(
            ForeignRequest(method, self._whole(url), _fields(args, options)),
            recorder,
            self.instrumentation,
        )
        token = _under_way.set(exchange)
        try:
            response = base(method, url, *args, **options)
        except Exception as error:
            # No connection was free, or none was asked.
            exchange.fail(explain_connection(error, Step.DIAL))
            raise
        except BaseException:
            exchange.drop()
            raise
        finally:
            _under_way.reset(token)
        if exchange_of(response) is None:
            response.measured_exchange = exchange
        return response

    def _traced(
        self, args: tuple[Any, ...], options: dict[str, Any], recorder: Recorder
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of ``urlopen`` with a trace among the header fields."""
        given = args[1] if len(args) > 1 else options.get("headers")
        headers = (self.headers if given is None else given).copy()
        add_trace(headers, recorder)
        if len(args) > 1:
            return (args[0], headers, *args[2:]), options
        return args, {**options, "headers": headers}

    def _whole(self, url: str) -> str:
        """Return `url` with its origin; it may be a path, or whole as a proxy gets it."""
        if not url.startswith("/"):
            return url
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port in (None, {"http": 80, "https": 443}.get(self.scheme))
        return f"{self.scheme}://{host}{'' if is_default else f':{self.port}'}{url}"


def _fields(args: tuple[Any, ...], options: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the header fields among the arguments of ``urlopen``."""
    fields = args[1] if len(args) > 1 else options.get("headers")
    return [(_text(name), _text(value)) for name, value in (fields or {}).items()]


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _MeasuredConnection:
    """Tells the exchange under way its steps; a mixin to urllib3's ``HTTPConnection``."""

    sock: Any

    def connect(self) -> None:
        base: Callable[[], None] = super().connect  # type: ignore[misc]  # the other base's
        exchange = _under_way.get()
        if exchange is None:
            return base()
        began = perf_counter_ns()
        with _failing(exchange, Step.DIAL):
            base()
        exchange.times.ready_at = perf_counter_ns()
        exchange.times.handshaking = exchange.times.ready_at - began - exchange.times.connecting
        if not hasattr(self.sock, "version"):  # TLS alone has one
            exchange.times.connecting += exchange.times.handshaking
            exchange.times.handshaking = 0
        return None

    def _new_conn(self) -> Any:
        base: Callable[[], Any] = super()._new_conn  # type: ignore[misc]  # the other base's
        exchange, began = _under_way.get(), perf_counter_ns()
        sock = base()
        if exchange is not None:
            exchange.times.connecting = perf_counter_ns() - began
        return sock

    def request(self, *args: Any, **options: Any) -> Any:
        base: Callable[..., Any] = super().request  # type: ignore[misc]  # the other base's
        exchange = _under_way.get()
        if exchange is None:
            return base(*args, **options)
        began, times = perf_counter_ns(), exchange.times
        try:
            with _failing(exchange, Step.WRITE, but=_STILL_ANSWERED):
                return base(*args, **options)
        finally:
            # Over HTTP the connection is made inside, when the first bytes are sent.
            times.started_at = max(began, times.ready_at)
            times.sent_at = perf_counter_ns()

    def send(self, data: Any) -> None:
        base: Callable[[Any], None] = super().send  # type: ignore[misc]  # the other base's
        base(data)
        exchange = _under_way.get()
        if exchange is not None and isinstance(data, bytes | bytearray | memoryview):
            exchange.bytes_sent += len(data)

    def getresponse(self, *args: Any, **options: Any) -> Any:
        base: Callable[..., Any] = super().getresponse  # type: ignore[misc]  # the other base's
        exchange = _under_way.get()
        if exchange is None:
            return base(*args, **options)
        with _failing(exchange, Step.READ):
            return base(*args, **options)


@contextmanager
def _failing(
    exchange: ForeignExchange, step: Step, but: frozenset[int] = frozenset()
) -> Iterator[None]:
    """Fail `exchange` if the block raises; not by the system errors `but`."""
    try:
        yield
    except Exception as error:
        if getattr(error, "errno", None) not in but:
            exchange.fail(explain_connection(error, step))
        raise


class _MeasuredResponse:
    """Tells its exchange the head and the end of the body; a mixin to ``HTTPResponse``."""

    fp: Any

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)  # type: ignore[call-arg]
        exchange = _under_way.get()
        if exchange is not None:
            assert isinstance(self, HTTPResponse)
            version = version_name(sock) if hasattr(sock, "version") else ""
            self.fp = _CountedFile(self.fp, self, exchange, version)

    def begin(self) -> None:
        base: Callable[[], None] = super().begin  # type: ignore[misc]  # the other base's
        base()
        if isinstance(self.fp, _CountedFile):
            self.fp.end_head()


class _CountedFile:
    """The file that a response is read from: counts its bytes, and sees its end."""

    def __init__(
        self, file: Any, response: HTTPResponse, exchange: ForeignExchange, tls_version: str
    ) -> None:
        self._file = file
        self._response = response
        self._exchange = exchange
        self._tls_version = tls_version
        self._head_size = 0
        self._has_ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def end_head(self) -> None:
        """Take the head from the response, which has read it."""
        response, exchange = self._response, self._exchange
        self._head_size = exchange.bytes_received
        protocol = _VERSIONS.get(response.version, "HTTP/1.1")
        exchange.respond(
            ForeignResponse(
                response.status,
                response.reason,
                f"{protocol} {self._tls_version}".rstrip(),
                response.headers.items(),
            )
        )

    def read(self, size: int | None = -1) -> bytes:
        # It returns less than asked for at the end alone.
        least = 1 if size is None or size < 0 else size
        return self._read(self._file.read, size, least)

    def read1(self, size: int = -1) -> bytes:
        return self._read(self._file.read1, size, 1)

    def readline(self, size: int = -1) -> bytes:
        return self._read(self._file.readline, size, 1)

    def readinto(self, target: Any) -> int:
        with _failing(self._exchange, Step.READ):
            size: int = self._file.readinto(target)
        self._count(size, len(target))
        return size

    def close(self) -> None:
        """Close the file: the response was read, or is not wanted any more."""
        self._file.close()
        if self._exchange.response is None:
            return  # the connection was closed before a head came
        cut = self._cut()
        if cut is not None:
            self._exchange.fail(cut)
        else:
            self._exchange.finish()

    def _read(self, read: Callable[[int | None], bytes], size: int | None, least: int) -> bytes:
        with _failing(self._exchange, Step.READ):
            data = read(size)
        self._count(len(data), least)
        return data

    def _count(self, size: int, least: int) -> None:
        exchange = self._exchange
        exchange.bytes_received += size
        if size and not exchange.times.first_byte_at:
            exchange.times.first_byte_at = perf_counter_ns()
        if size < least:
            self._has_ended = True

    def _cut(self) -> RequestFailure | None:
        """Return the failure of a body that ended before its end."""
        response = self._response
        if not self._has_ended or response.will_close:
            return None
        declared = response.headers.get("content-length", "")
        received = self._exchange.bytes_received - self._head_size
        if response.chunked or (declared.isdecimal() and received < int(declared)):
            return CLOSED_MIDWAY
        return None
