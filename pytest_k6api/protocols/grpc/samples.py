"""The samples of gRPC calls: their tags, as k6 sets them, and their rows.

Source: k6 v1.1.0, ``lib/netext/grpcext/conn.go``, ``TagRPC`` and ``HandleRPC``.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from pytest_k6api.model import (
    TRACE_HEADER,
    Recorder,
    RowType,
    TagContext,
    Tracer,
    checked_context,
    printable,
    with_trace,
)
from pytest_k6api.protocols.grpc.rows import GRPC_CALL_ROWS
from pytest_k6api.protocols.grpc.status import StatusCode
from pytest_k6api.protocols.grpc.wire import Metadata
from pytest_k6api.protocols.http import RequestFailure

ExpectedCodes = frozenset[StatusCode] | None

_LONGEST_LINE = 2_000


class Outcome(NamedTuple):
    """The end of a call.

    Attributes:
        code: Its status.
        details: The server's text, or the network's.
        failure: The network's failure, if that ended it.
        trailers: The metadata behind the response.
    """

    code: StatusCode
    details: str = ""
    failure: RequestFailure | None = None
    trailers: Metadata = ()


class CallSamples:
    """Writes the samples of the calls of one method, with the tags of where they begin.

    Attributes:
        recorder: The virtual user's.

    Args:
        recorder: See above.
        target: The server, as the user names it.
        path: The method: ``/package.Service/Method``.
    """

    __slots__ = ("_key", "_ok_key", "_path", "_tags", "_target", "recorder")

    def __init__(self, recorder: Recorder, target: str, path: str) -> None:
        service, _, method = path.removeprefix("/").rpartition("/")
        self.recorder = recorder
        self._target = target
        self._path = path
        self._key = ("grpc", target, path)
        self._ok_key = (*self._key, "0", None)
        self._tags = {
            "url": f"{target}{path}",
            "service": service,
            "method": method,
            "name": path,
        }

    @property
    def tracer(self) -> Tracer | None:
        """Makes the trace contexts of calls; None if they are not traced."""
        return self.recorder.tracer

    @property
    def method(self) -> str:
        """The method's name without its service."""
        return self._tags["method"]

    def count(self, rows: RowType, context: TagContext, tags: Mapping[str, str]) -> None:
        """Add a row that is only counted."""
        self.recorder.buffer.rows[rows].append((self._id(context, tags, ""),))

    def record(
        self,
        context: TagContext,
        tags: Mapping[str, str],
        outcome: Outcome,
        *,
        sent: Metadata,
        expected: ExpectedCodes,
        began: int,
        ended: int,
    ) -> None:
        """Record a call that is over.

        Args:
            context: Where it began.
            tags: The user's tags for it.
            outcome: Its end.
            sent: The metadata of the request, for reports.
            expected: The codes that are no failure; None for no judgement.
            began: When it began, in perf_counter_ns.
            ended: When it ended.
        """
        recorder = self.recorder
        failed = None if expected is None else 0 if outcome.code in expected else 1
        # Most calls end well and have no tags of their own.
        if outcome.code or tags:
            number = self._id(context, tags, str(int(outcome.code)), outcome)
        else:
            known = context.requests.get(self._ok_key)
            number = self._id(context, tags, "0", outcome) if known is None else known
        if recorder.tracer is not None:
            number = with_trace(number, _trace_of(sent))
        took = max(0, ended - began)
        recorder.buffer.rows[GRPC_CALL_ROWS].append((number, failed, took // 1000, ended))
        if failed:
            describe = partial(self._describe, outcome, sent, took / 1e6)
            status = 0 if outcome.failure is not None else int(outcome.code)
            recorder.keep_failed(number, status, None, describe)

    def count_bytes(self, sent: int, received: int) -> None:
        """Count bytes on the wire."""
        self.recorder.bytes_sent += sent
        self.recorder.bytes_received += received

    def _id(
        self,
        context: TagContext,
        tags: Mapping[str, str],
        status: str,
        outcome: Outcome | None = None,
    ) -> int:
        failure = None if outcome is None else outcome.failure
        key = (*self._key, status, failure, *tags.items())
        number = context.requests.get(key)
        if number is None:
            own = {**self._tags, **tags}
            if status:
                own["status"] = status
            if outcome is not None and outcome.code is not StatusCode.OK:
                own["error"] = failure.text if failure is not None else outcome.code.name
            if failure is not None:
                own["error_code"] = str(failure.code)
            number = context.requests[key] = context.id_with(own)
        return number

    def _describe(self, outcome: Outcome, sent: Metadata, took: float) -> str:
        secrets = self.recorder.secrets
        lines = [f"> gRPC {secrets.mask_url(self._target)}{self._path}"]
        lines += [f"> {name}: {secrets.mask_header(name, _shown(value))}" for name, value in sent]
        details = f": {secrets.mask_text(outcome.details)}" if outcome.details else ""
        lines.append(f"< {outcome.code.name} ({int(outcome.code)}) after {took:.3f} ms{details}")
        lines += [
            f"< {name}: {secrets.mask_header(name, _shown(value))}"
            for name, value in outcome.trailers
        ]
        return "\n".join(printable(line[:_LONGEST_LINE]) for line in lines)


class Unmeasured(CallSamples):
    """Writes no samples: of calls that the load test makes for itself."""

    __slots__ = ()

    def count(self, *_: Any) -> None:
        """Do nothing."""

    def record(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


def _trace_of(sent: Metadata) -> str:
    return checked_context(str(dict(sent).get(TRACE_HEADER, "")))


def _shown(value: str | bytes) -> str:
    return value if isinstance(value, str) else f"{len(value)} bytes"
