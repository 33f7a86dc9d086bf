"""gRPC over HTTP/2, for ``vu.grpc``: channels for generated stubs, and calls without stubs.

`wire` and `status` know the protocol, `calls` one call of each kind, `channel` what stubs
take, `schemas` what methods take without stubs. A call leaves one row behind, and one for
each message of a stream.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.protocols.grpc.calls import GrpcError
    from pytest_k6api.protocols.grpc.channel import Channel
    from pytest_k6api.protocols.grpc.client import (
        ChannelOptions,
        GrpcClient,
        GrpcResponse,
        InvokeOptions,
    )
    from pytest_k6api.protocols.grpc.status import StatusCode
    from pytest_k6api.protocols.grpc.sync import SyncChannel, SyncGrpcClient

__all__ = [
    "Channel",
    "ChannelOptions",
    "GrpcClient",
    "GrpcError",
    "GrpcResponse",
    "InvokeOptions",
    "StatusCode",
    "SyncChannel",
    "SyncGrpcClient",
]

__getattr__ = late_names(
    __name__,
    {
        ".calls": ("GrpcError",),
        ".channel": ("Channel",),
        ".client": ("ChannelOptions", "GrpcClient", "GrpcResponse", "InvokeOptions"),
        ".status": ("StatusCode",),
        ".sync": ("SyncChannel", "SyncGrpcClient"),
    },
)
