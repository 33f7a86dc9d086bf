"""WebSocket (RFC 6455, RFC 7692): ``vu.ws``, with k6's metrics and more.

`wire` knows the protocol and is pure; `session` is one connection at work, `websocket` and
`sync` what scenarios see of it, `client` opens it over the HTTP client of the virtual user.
"""

from typing import TYPE_CHECKING

from pytest_k6api.late_imports import late_names

if TYPE_CHECKING:
    from pytest_k6api.protocols.websocket.client import WebSocketClient
    from pytest_k6api.protocols.websocket.failures import WebSocketClosed
    from pytest_k6api.protocols.websocket.options import ConnectOptions
    from pytest_k6api.protocols.websocket.sync import SyncWebSocket, SyncWebSocketClient
    from pytest_k6api.protocols.websocket.websocket import WebSocket

__all__ = [
    "ConnectOptions",
    "SyncWebSocket",
    "SyncWebSocketClient",
    "WebSocket",
    "WebSocketClient",
    "WebSocketClosed",
]

__getattr__ = late_names(
    __name__,
    {
        ".client": ("WebSocketClient",),
        ".failures": ("WebSocketClosed",),
        ".options": ("ConnectOptions",),
        ".sync": ("SyncWebSocket", "SyncWebSocketClient"),
        ".websocket": ("WebSocket",),
    },
)
