"""The slowest requests that have a trace, so that people can look at what those waited for.

Kept for a few requests alone, and looked for in rows that name their trace: without traces it
costs nothing, with them some 40 ns for each row.

Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappush, heapreplace

from pytest_k6api.model import Batch, MarkedTags, RowType, TagTable
from pytest_k6api.model.metrics import GRPC_REQ_DURATION, HTTP_REQ_DURATION

MOST = 5
"""How many are kept."""

_DURATIONS = (HTTP_REQ_DURATION, GRPC_REQ_DURATION)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TracedRequest:
    """A request, or a call, and its trace.

    Attributes:
        duration_us: How long it took, in microseconds.
        trace_id: Its trace.
        name, method, status, scenario: Its tags; empty where it has none.
        at: Test-run time when it was taken in, in seconds.
    """

    duration_us: int
    trace_id: str
    name: str = ""
    method: str = ""
    status: str = ""
    scenario: str = ""
    at: float = 0.0


class SlowestRequests:
    """The slowest requests of a load test that have a trace.

    Args:
        tags: The load test's tag sets.
    """

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._heap: list[TracedRequest] = []

    def note(self, batch: Batch, elapsed: float) -> None:
        """Keep those of `batch` that are slower than what is kept; `elapsed` is test-run time."""
        for row_type, rows in batch.rows.items():
            index = _place_of_duration(row_type)
            if index is None:
                continue
            least = self._least
            for row in rows:
                if row[index] > least and isinstance(row[0], MarkedTags):
                    self._keep(self._describe(row[0], row[index], elapsed))
                    least = self._least

    def take_in(self, told: Iterable[TracedRequest]) -> None:
        """Keep the slowest of those that another process told of."""
        for each in told:
            if each not in self._heap:
                self._keep(each)

    def slowest(self) -> tuple[TracedRequest, ...]:
        """Return them, the slowest first."""
        return tuple(sorted(self._heap, reverse=True))

    @property
    def _least(self) -> int:
        return self._heap[0].duration_us if len(self._heap) >= MOST else -1

    def _keep(self, request: TracedRequest) -> None:
        if len(self._heap) < MOST:
            heappush(self._heap, request)
        elif request > self._heap[0]:
            heapreplace(self._heap, request)

    def _describe(self, tags_id: MarkedTags, duration: int, elapsed: float) -> TracedRequest:
        tags = self._tags[tags_id]
        return TracedRequest(
            duration_us=duration,
            trace_id=tags_id.metadata.get("trace_id", ""),
            name=tags.get("name", ""),
            method=tags.get("method", ""),
            status=tags.get("status", ""),
            scenario=tags.get("scenario", ""),
            at=elapsed,
        )


def _place_of_duration(row_type: RowType) -> int | None:
    for column in row_type.columns:
        if column.metric in _DURATIONS:
            return column.index
    return None
