"""The API put together: session, access control, endpoints, application, server."""

import socket
from collections.abc import Callable
from typing import Final

import trio

from pytest_k6api.api.extensions.endpoints import EXTENSIONS
from pytest_k6api.api.extensions.events import EventHub
from pytest_k6api.api.k6.endpoints import K6_ENDPOINTS
from pytest_k6api.api.messages import Api
from pytest_k6api.api.ports import SessionPort
from pytest_k6api.api.server.access_control import AccessControl
from pytest_k6api.api.server.address import Address
from pytest_k6api.api.server.app import ControlApp
from pytest_k6api.api.server.hypercorn_server import HypercornServer
from pytest_k6api.api.settings import ApiSettings

_FIRST: Final = (*K6_ENDPOINTS, *EXTENSIONS)
ENDPOINTS: Final = (*_FIRST, *(each.below_tests() for each in _FIRST if each.each_test))
"""All endpoints; those below ``/v1/tests/{test}`` are made from the others."""


async def serve(
    session: SessionPort,
    settings: ApiSettings,
    address: Address,
    *,
    sockets: list[socket.socket],
    stop: trio.Event,
    report: Callable[[Exception], None],
) -> None:
    """Serve the API of one session until `stop`.

    Args:
        session: The session that requests are about.
        settings: Token and limits.
        address: The address of the sockets.
        sockets: The listening sockets.
        stop: Ends it; replies under way get `ApiLimits.grace` seconds.
        report: Called with unforeseen exceptions.
    """
    access = AccessControl([address.host] if address.host else [], settings.token)
    events = EventHub(session, report)
    api = Api(
        endpoints=ENDPOINTS,
        asks_token=access.asks_token,
        events=events,
        sign_in=access.sign_in,
    )
    app = ControlApp(session, api, access, settings.limits, report)
    server = HypercornServer(app, settings.limits, report)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, sockets, stop)
        async with trio.open_nursery() as watching:
            # Cancelled at once, so that streams of events end with the API.
            watching.start_soon(events.run)
            await stop.wait()
            watching.cancel_scope.cancel()
