"""The rows of gRPC calls, and the metrics that they have samples of.

Source of all but the rate: k6 v1.1.0, ``lib/netext/grpcext`` and ``internal/js/modules/k6/grpc``.
"""

from pytest_k6api.model import Column, RowType
from pytest_k6api.model import metrics as built_in

# (tags id, failed, duration_us, ended_ns): `failed` is 1, 0, or None without a judgement.
GRPC_CALL_ROWS = RowType(
    "gRPC call",
    (Column(built_in.GRPC_REQ_DURATION, 2), Column(built_in.GRPC_REQ_FAILED, 1, is_optional=True)),
    ended_at=3,
)
"""One for each call, unary or of streams, at its end."""

# (tags id,): the same tuple for all messages of a stream. The time is the pump's.
GRPC_STREAM_ROWS = RowType("gRPC stream", (Column(built_in.GRPC_STREAMS, 0, counts_rows=True),))
GRPC_SENT_ROWS = RowType(
    "gRPC message sent", (Column(built_in.GRPC_STREAMS_MSGS_SENT, 0, counts_rows=True),)
)
GRPC_RECEIVED_ROWS = RowType(
    "gRPC message received", (Column(built_in.GRPC_STREAMS_MSGS_RECEIVED, 0, counts_rows=True),)
)
