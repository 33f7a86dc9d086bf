"""The row of one server-sent event, and the metrics that it has samples of."""

from pytest_k6api.model import Column, RowType
from pytest_k6api.model import metrics as built_in

# (tags id, time_to_first_us, gap_us, arrived_ns)
# The first event of a stream has the one time, every later one the other, and an event behind
# a reconnection none; `arrived_ns` is when its last byte came, by `time.perf_counter_ns`.
EventRow = tuple[int, int | None, int | None, int]

SSE_ROWS = RowType(
    "server-sent event",
    (
        Column(built_in.SSE_EVENTS, 0, counts_rows=True),
        Column(built_in.SSE_TIME_TO_FIRST_EVENT, 1, is_optional=True),
        Column(built_in.SSE_EVENT_GAP, 2, is_optional=True),
    ),
    ended_at=3,
)
