"""Names that other clients have are no attributes; the failure says what to write."""

from typing import Any

import pytest

from pytest_k6api.protocols import advice_on
from pytest_k6api.protocols.grpc import Channel, GrpcClient
from pytest_k6api.protocols.grpc.unary import UnaryCall
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
from pytest_k6api.vu import VU


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (Client, "ws", "write vu.ws.connect(url)"),
        (SyncClient, "verify", "write --k6-insecure-skip-tls-verify, or --k6-ca-file"),
        (Client, "cookie", "did you mean cookies?"),
        (Response, "ok", "write response.is_success"),
        (Response, "status", "write response.status_code"),
        (StreamedResponse, "iter_lines", "write async for ... in response.aiter_lines()"),
        (StreamedResponse, "ok", "write response.is_success"),
        (SyncStreamedResponse, "aiter_raw", "write for ... in response.iter_raw()"),
        (EventStream, "receive", "write await anext(events)"),
        (SyncEventStream, "iter_sse", "write for event in events:"),
        (WebSocket, "recv", "write ws.receive()"),
        (WebSocket, "recieve", "did you mean receive?"),
        (WebSocketClient, "ws_connect", "write vu.ws.connect(url)"),
        (GrpcClient, "insecure_channel", "write vu.grpc.channel('host:port')"),
        (Channel, "channel_ready", "write wait_for_ready=True at the call"),
        (Channel, "frobnicate", ""),
    ],
)
def test_a_missing_name_tells_what_to_write(kind: type[Any], name: str, message: str) -> None:
    thing = object.__new__(kind)
    if hasattr(thing, "is_unused"):
        thing.is_unused = False

    with pytest.raises(AttributeError) as caught:
        getattr(thing, name)

    assert advice_on(caught.value) == message


def test_other_errors_have_no_advice() -> None:
    with pytest.raises(AttributeError) as caught:
        "text".status  # type: ignore[attr-defined]  # noqa: B018

    assert advice_on(caught.value) == ""
    assert advice_on(AttributeError("of no object")) == ""


@pytest.mark.parametrize("kind", [Client, Response, StreamedResponse, WebSocket, UnaryCall, VU])
def test_advice_costs_no_access_to_an_attribute(kind: type[Any]) -> None:
    assert not hasattr(kind, "__getattr__")
