"""Puts the API together: session, gate, routes, application, server."""

import socket
from collections.abc import Callable

import trio

from pytest_k6api.api.address import Address
from pytest_k6api.api.app import ControlApp
from pytest_k6api.api.control import Control
from pytest_k6api.api.events import EventHub
from pytest_k6api.api.gate import Gate
from pytest_k6api.api.ports import SessionPort
from pytest_k6api.api.reply import Api
from pytest_k6api.api.routes import ALL_ROUTES
from pytest_k6api.api.serving import Serving
from pytest_k6api.api.settings import ApiSettings


class Service:
    """The API of one session, ready to be run in a Trio loop.

    Args:
        session: What requests are about.
        settings: Who may use it, and how much it bears.
        address: What it is bound to.
        report: Called with exceptions that nobody foresaw.
    """

    def __init__(
        self,
        session: SessionPort,
        settings: ApiSettings,
        address: Address,
        report: Callable[[Exception], None],
    ) -> None:
        gate = Gate([address.host] if address.host else [], settings.token)
        self._events = EventHub(session, report)
        api = Api(routes=ALL_ROUTES, asks_token=gate.asks_token, events=self._events)
        control = Control(session, gate, api, report)
        app = ControlApp(control, settings.limits)
        self._serving = Serving(app, settings.limits, report)

    async def run(
        self,
        sockets: list[socket.socket],
        stop: trio.Event,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve on the listening `sockets` until `stop`; started once it accepts."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_events, stop)
            await self._serving.run(sockets, stop, task_status=task_status)

    async def _run_events(self, stop: trio.Event) -> None:
        """Watch for events until `stop`, so that streams of them end with the API."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._events.run)
            await stop.wait()
            nursery.cancel_scope.cancel()
