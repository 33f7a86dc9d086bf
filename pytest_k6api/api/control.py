"""From a request to its reply: the gate, the routes, the handlers, the errors.

The whole API as one coroutine, `Control.answer`, that knows no server and no
framework; tests call it directly, ``app.py`` serves it.
"""

from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Final
from urllib.parse import parse_qsl

from pytest_k6api.api.gate import Gate
from pytest_k6api.api.nothing import NoLoadTest
from pytest_k6api.api.ports import LoadTestPort, SessionPort
from pytest_k6api.api.reply import HTML, TEXT, Api, Call, Reply, Request, Route, error_reply
from pytest_k6api.api.routing import (
    BadTarget,
    Match,
    Outside,
    Redirect,
    Router,
    Unknown,
    WrongMethod,
    absolute_host,
)
from pytest_k6api.model import ControlError

_MOST_PARAMETERS: Final = 100


class Control:
    """Answers requests about one pytest session.

    Args:
        session: The session.
        gate: Who is let in.
        api: The routes, and what handlers need beside.
        report: Called with a handler's unforeseen exception; the client gets a bare 500.
    """

    def __init__(
        self,
        session: SessionPort,
        gate: Gate,
        api: Api,
        report: Callable[[Exception], None],
    ) -> None:
        self._session = session
        self._gate = gate
        self._report = report
        self._api = api
        self._router = Router((route.method, route.path, route) for route in api.routes)

    def refuse(self, request: Request) -> Reply | None:
        """Return why `request` is not let in; None lets it in. Its body is not needed."""
        headers = request.headers
        host = absolute_host(request.target)
        if host is not None:
            headers = {**headers, "host": host}
        refusal = self._gate.refusal(request.method, headers)
        if refusal is None:
            return None
        reply = error_reply(refusal.status, refusal.title, refusal.detail)
        return replace(reply, headers=refusal.headers)

    async def answer(self, request: Request) -> Reply:
        """Return the reply to `request`, which was let in."""
        decision = self._router.decide(request.method, request.target)
        match decision:
            case Match():
                return await self._call(decision.handler, decision, request)
            case WrongMethod():
                return Reply(status=405, headers={"Allow": ", ".join(decision.allowed)})
            case Redirect():
                return _redirect(request.method, decision.location)
            case Unknown():
                return Reply(status=404, body=b"404 page not found\n", content_type=TEXT)
            case BadTarget():
                return Reply(status=400, body=b"400 Bad Request", content_type=TEXT)
            case Outside():
                return Reply(body=b"ok", content_type=TEXT)

    async def _call(self, route: Route, match: Match[Route], request: Request) -> Reply:
        try:
            call = Call(
                session=self._session,
                load_test=self._load_test(match.parameters.get("test")),
                api=self._api,
                parameters=match.parameters,
                query=_query(request.target),
                body=request.body,
            )
            return await route.handler(call)
        except ControlError as error:
            return error_reply(
                error.status, error.title, error.detail, content_type=route.error_media
            )
        except Exception as error:  # noqa: BLE001 - reported, and the client learns no details
            self._report(error)
            return error_reply(
                500, "Internal error", "the control API could not answer; see pytest's output"
            )

    def _load_test(self, test_id: str | None) -> LoadTestPort:
        if test_id is None:
            return self._session.current or NoLoadTest(self._session.end)
        for load_test in self._session.load_tests:
            if load_test.id == test_id:
                return load_test
        raise ControlError("Not Found", "No load test with that ID was found", status=404)


def _query(target: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(target.partition("?")[2], max_num_fields=_MOST_PARAMETERS))
    except ValueError:
        detail = f"a query may have {_MOST_PARAMETERS} parameters"
        raise ControlError("Invalid query", detail) from None


def _redirect(method: str, location: str) -> Reply:
    # Go writes a body for people only where people look.
    shown = method in ("GET", "HEAD")
    body = f'<a href="{escape(location)}">Moved Permanently</a>.\n\n' if shown else ""
    return Reply(
        status=301,
        body=body.encode(),
        content_type=HTML if shown else None,
        headers={"Location": location},
    )
