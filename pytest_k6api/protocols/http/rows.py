"""The row of one HTTP request, and the metrics that it has samples of."""

from pytest_k6api.model import Column, RowType
from pytest_k6api.model import metrics as built_in

# (tags id, failed, duration_us, blocked_us, connecting_us, tls_us,
#  sending_us, waiting_us, receiving_us, ended_ns)
# `failed` is 1 or 0, or None if the user asked for no judgement; `ended_ns` is the end of the
# response by `time.perf_counter_ns`.
HttpRow = tuple[int, int | None, int, int, int, int, int, int, int, int]

HTTP_ROWS = RowType(
    "HTTP request",
    (
        Column(built_in.HTTP_REQS, 0, counts_rows=True),
        Column(built_in.HTTP_REQ_FAILED, 1, is_optional=True),
        Column(built_in.HTTP_REQ_DURATION, 2),
        Column(built_in.HTTP_REQ_BLOCKED, 3),
        Column(built_in.HTTP_REQ_CONNECTING, 4),
        Column(built_in.HTTP_REQ_TLS_HANDSHAKING, 5),
        Column(built_in.HTTP_REQ_SENDING, 6),
        Column(built_in.HTTP_REQ_WAITING, 7),
        Column(built_in.HTTP_REQ_RECEIVING, 8),
    ),
    ended_at=9,
)
