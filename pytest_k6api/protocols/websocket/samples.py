"""The samples of one WebSocket session: their tags, as k6 sets them, and their rows.

Source: k6 v1.1.0, ``internal/js/modules/k6/ws/ws.go`` and
``internal/js/modules/k6/experimental/websockets``, whose tags are the same but for ``name``.
"""

from time import perf_counter_ns

from pytest_k6api.model import Recorder, TagContext, with_trace
from pytest_k6api.protocols.http import PreparedRequest, RequestFailure, Response
from pytest_k6api.protocols.websocket.exchanges import describe_session
from pytest_k6api.protocols.websocket.rows import (
    WS_OPENING_ROWS,
    WS_PING_ROWS,
    WS_RESPONSE_ROWS,
    WS_SESSION_ROWS,
    WS_VERDICT_ROWS,
)
from pytest_k6api.protocols.websocket.session import WebSocketSession
from pytest_k6api.protocols.websocket.waits import Wait


class SessionSamples:
    """Writes the samples of one session, with the tags of the place where it was opened.

    Attributes:
        tags_id: The number of the tag set that most of them have.

    Args:
        recorder: The virtual user's.
        request: The handshake's request.
        response: Its response.
    """

    __slots__ = ("_context", "_recorder", "_request", "_response", "_subprotocol", "tags_id")

    def __init__(self, recorder: Recorder, request: PreparedRequest, response: Response) -> None:
        self._recorder = recorder
        self._request = request
        self._response = response
        self._subprotocol = response.headers.get("Sec-WebSocket-Protocol", "")
        self._context = recorder.context
        self.tags_id = self._id(self._context)

    def record_opening(self, began: int, ended: int) -> None:
        """Record a handshake, whatever became of it; times in perf_counter_ns."""
        row = (self.tags_id, (ended - began) // 1000, ended)
        self._recorder.buffer.rows[WS_OPENING_ROWS].append(row)

    def record_answer(self, wait: Wait, name: str | None) -> None:
        """Record the time that the answer to a request took, in the group that is open now."""
        row = (self._id(self._recorder.context, name), *_took(wait))
        self._recorder.buffer.rows[WS_RESPONSE_ROWS].append(row)

    def record_pong(self, wait: Wait) -> float:
        """Record the time that a pong took; return it in seconds."""
        took, ended = _took(wait)
        self._recorder.buffer.rows[WS_PING_ROWS].append((self.tags_id, took, ended))
        return took / 1e6

    def record_end(
        self, session: WebSocketSession | None, failure: RequestFailure | None, *, is_judged: bool
    ) -> None:
        """Record a session that is over, or never was open.

        Args:
            session: The session; None if it never was open.
            failure: Why it failed; None if it did not.
            is_judged: Whether it counts as failed or not failed at all.
        """
        rows = self._recorder.buffer.rows
        ended = perf_counter_ns() if session is None else session.ended_at
        if session is not None:
            duration = (ended - session.opened_at) // 1000
            rows[WS_SESSION_ROWS].append((self.tags_id, duration, ended))
        if not is_judged:
            return
        if failure is None:
            rows[WS_VERDICT_ROWS].append((self.tags_id, 0, ended))
            return
        tags_id = self._failure_id(failure)
        rows[WS_VERDICT_ROWS].append((tags_id, 1, ended))
        response = self._response

        def describe() -> str:
            return describe_session(response, session, failure)

        self._recorder.keep_failed(tags_id, response.status_code, response, describe)

    def _tags(self) -> dict[str, str]:
        name = self._request.name
        tags = {**(self._request.tags or {}), "url": name, "name": name}
        # Without a response k6 sets neither.
        if self._response.status_code:
            tags["status"] = str(self._response.status_code)
            tags["subproto"] = self._subprotocol
        return tags

    def _id(self, context: TagContext, name: str | None = None) -> int:
        request = self._request
        key = (request.key, request.name, self._response.status_code, self._subprotocol, name)
        number = context.requests.get(key)
        if number is None:
            own = {} if name is None else {"name": name}
            number = context.requests[key] = context.id_with({**self._tags(), **own})
        return with_trace(number, request.trace)

    def _failure_id(self, failure: RequestFailure) -> int:
        request, status = self._request, self._response.status_code
        key = (request.key, request.name, status, self._subprotocol, failure)
        number = self._context.requests.get(key)
        if number is None:
            tags = {**self._tags(), "error": failure.text, "error_code": str(failure.code)}
            number = self._context.requests[key] = self._context.id_with(tags)
        return with_trace(number, request.trace)


def _took(wait: Wait) -> tuple[int, int]:
    """Return the microseconds from the sending to the event, and when that came."""
    return max(0, wait.ended - (wait.began or wait.ended)) // 1000, wait.ended
