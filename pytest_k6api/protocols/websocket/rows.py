"""The rows of WebSocket sessions, and the metrics that they have samples of.

Source of the first six metrics: k6 v1.1.0, ``internal/js/modules/k6/ws/ws.go``.
"""

from pytest_k6api.model import Column, RowType
from pytest_k6api.model import metrics as built_in

# (tags id, connecting_us, ended_ns)
WS_OPENING_ROWS = RowType(
    "WebSocket handshake",
    (
        Column(built_in.WS_SESSIONS, 0, counts_rows=True),
        Column(built_in.WS_CONNECTING, 1),
    ),
    ended_at=2,
)
"""One for each handshake, whatever became of it."""

# (tags id, duration_us, ended_ns)
WS_SESSION_ROWS = RowType(
    "WebSocket session", (Column(built_in.WS_SESSION_DURATION, 1),), ended_at=2
)
"""One for each session that was open, at its end."""

# (tags id, failed, ended_ns): `failed` is 1 or 0.
WS_VERDICT_ROWS = RowType("WebSocket verdict", (Column(built_in.WS_FAILED, 1),), ended_at=2)
"""One for each handshake, at the end of the session; apart, for its tags tell of the error."""

# (tags id,): the same tuple for all messages of a session. The time is the pump's.
WS_SENT_ROWS = RowType(
    "WebSocket message sent", (Column(built_in.WS_MSGS_SENT, 0, counts_rows=True),)
)
WS_RECEIVED_ROWS = RowType(
    "WebSocket message received", (Column(built_in.WS_MSGS_RECEIVED, 0, counts_rows=True),)
)

# (tags id, duration_us, ended_ns)
WS_RESPONSE_ROWS = RowType("WebSocket request", (Column(built_in.WS_RESPONSE_TIME, 1),), ended_at=2)
WS_PING_ROWS = RowType("WebSocket ping", (Column(built_in.WS_PING, 1),), ended_at=2)
