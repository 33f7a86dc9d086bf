"""Names that other clients have are no attributes; the error says what to write."""

from typing import Any

import pytest

from pytest_k6api.protocols import Advised
from pytest_k6api.protocols.grpc import Channel, GrpcClient
from pytest_k6api.protocols.http import (
    Client,
    EventStream,
    Response,
    StreamedResponse,
    SyncClient,
    SyncEventStream,
    SyncStreamedResponse,
)
from pytest_k6api.protocols.websocket import WebSocket, WebSocketClient


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Client, "ws", "has no attribute 'ws' (write vu.ws.connect(url))"),
        (SyncClient, "verify", "'verify' (write --k6-insecure-skip-tls-verify, or --k6-ca-file)"),
        (Client, "cookie", "has no attribute 'cookie' (did you mean cookies?)"),
        (Response, "ok", "'Response' object has no attribute 'ok' (write response.is_success)"),
        (Response, "status", "has no attribute 'status' (write response.status_code)"),
        (StreamedResponse, "iter_lines", "(write async for ... in response.aiter_lines())"),
        (StreamedResponse, "ok", "(write response.is_success)"),
        (SyncStreamedResponse, "aiter_raw", "(write for ... in response.iter_raw())"),
        (EventStream, "receive", "has no attribute 'receive' (write await anext(events))"),
        (SyncEventStream, "iter_sse", "(write for event in events:)"),
        (WebSocket, "recv", "'WebSocket' object has no attribute 'recv' (write ws.receive())"),
        (WebSocket, "recieve", "has no attribute 'recieve' (did you mean receive?)"),
        (WebSocketClient, "ws_connect", "(write vu.ws.connect(url))"),
        (GrpcClient, "insecure_channel", "(write vu.grpc.channel('host:port'))"),
        (Channel, "channel_ready", "(write wait_for_ready=True at the call)"),
        (Channel, "frobnicate", "'Channel' object has no attribute 'frobnicate'"),
    ],
)
def test_a_missing_name_tells_what_to_write(kind: type[Any], name: str, message: str) -> None:
    thing = object.__new__(kind)
    if hasattr(thing, "is_unused"):
        thing.is_unused = False

    with pytest.raises(AttributeError) as caught:
        getattr(thing, name)

    assert str(caught.value).endswith(message)


def test_what_python_looks_up_itself_is_told_plainly() -> None:
    with pytest.raises(AttributeError, match=r"^'Advised' object has no attribute '_advise'$"):
        getattr(Advised(), "_advise")  # noqa: B009
