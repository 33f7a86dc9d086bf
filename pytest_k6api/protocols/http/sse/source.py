"""A stream of server-sent events, over as many connections as it takes.

It goes on as browsers' EventSource does: at the end of a connection it connects again
with ``Last-Event-ID``, after the time that the server asked for. It ends with a status
of 204, with one that is no success, with another content type, or with its last
reconnection.
"""

import re
import types
from collections.abc import Generator
from time import perf_counter_ns
from typing import Generic, TypeVar, cast

import trio
from outcome import Outcome

from pytest_k6api.model import Metric, OptionError, TagContext, with_trace
from pytest_k6api.model.metrics import SSE_FAILED, SSE_RECONNECTIONS
from pytest_k6api.protocols.http.client.connection import Exchange
from pytest_k6api.protocols.http.client.samples import intern, request_tags
from pytest_k6api.protocols.http.message.errors import GENERIC, TIMED_OUT, RequestFailure
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.request_options import SseOptions, StreamOptions
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.http.sse.parser import (
    EventParser,
    EventTooLargeError,
    ServerSentEvent,
)
from pytest_k6api.protocols.http.sse.rows import SSE_ROWS
from pytest_k6api.protocols.http.streaming.block import Make, Opening, close
from pytest_k6api.protocols.http.streaming.download import StreamingClient
from pytest_k6api.protocols.http.streaming.readers import LONGEST_LINE
from pytest_k6api.protocols.http.streaming.response import ResponseInProgress

RECONNECTIONS = 3
"""How often a GET connects again, unless told otherwise."""

_RETRY = 3000  # milliseconds, as browsers wait
_CONTENT_TYPE = "text/event-stream"
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")
_NO_CONTENT = frozenset({204, 205})

R = TypeVar("R", bound=ResponseInProgress)


class EventSource(Generic[R]):
    """The events of one block.

    Args:
        client: The client.
        url: Where the events are.
        options: The user's options.
        make: Makes the response.
    """

    # One of a thousand sources has an event in a tenth of a second: what it needs then is in few
    # objects, because the processor's caches have none of them.
    __slots__ = (
        "_arrived_at", "_client", "_context", "_events", "_exchange", "_is_ended", "_is_first", "_is_over",
        "_last_at", "_left", "_make", "_method", "_opening", "_options", "_parser", "_recorder",
        "_response", "_retry", "_sent_at", "_tags", "_throws", "_url", "_whole_at",
    )  # fmt: skip

    def __init__(
        self,
        client: StreamingClient,
        url: str,
        options: SseOptions,
        make: Make[R],
    ) -> None:
        self._client = client
        self._recorder = client._ledger.recorder
        self._url = url
        self._method = method = options.get("method", "GET")
        self._throws = options.get("throw", False)
        plain = {**options, "throw": False}
        for name in ("method", "reconnections", "last_event_id"):
            plain.pop(name, None)
        self._options = cast("StreamOptions", plain)  # what is left of its keys
        self._make = make
        self._left = _read_reconnections(options.get("reconnections"), method)
        self._parser = EventParser(LONGEST_LINE, options.get("last_event_id", ""))
        self._retry = _RETRY
        self._opening = self._prepare()
        self._whole_at = NEVER
        self._response: R | None = None
        self._exchange: Exchange | None = None
        self._is_over = self._is_ended = False
        # Events that came and were not handed out, the next one last; and when they came.
        self._events: list[ServerSentEvent] = []
        self._arrived_at = 0
        # When the first request was sent; when the last event came, unless that was over
        # another connection.
        self._sent_at = self._last_at = 0
        self._is_first = True
        # The tag set of the events, in the context that it was made for.
        self._context: TagContext | None = None
        self._tags = 0

    @property
    def response(self) -> R:
        """The response of the connection under way, or of the last one."""
        if self._response is None:
            raise TypeError(
                "events come in a block; write 'async with vu.http.sse(...) as events:', in an"
                " ordinary function without async"
            )
        return self._response

    @property
    def last_event_id(self) -> str:
        """The id of the event that had one last."""
        return self._parser.last_id

    @property
    def elapsed(self) -> float:
        """Seconds from the request to the event that was given last."""
        return max(0, self._last_at - self._sent_at) / 1e9

    def _prepare(self) -> Opening[R]:
        headers = Headers(self._options.get("headers"))
        common = self._client.headers
        for name, value in (("Accept", _CONTENT_TYPE), ("Cache-Control", "no-store")):
            if name not in headers and name not in common:
                headers[name] = value
        if self._parser.last_id:
            headers["Last-Event-ID"] = self._parser.last_id
        options = StreamOptions(**{**self._options, "headers": headers})
        return Opening(self._client, self._method, self._url, options, self._make)

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            HTTPError: There is no stream, and ``throw=True`` was given.
        """
        self._sent_at = perf_counter_ns()
        if self._opening.whole is not None:
            self._whole_at = self._sent_at + self._opening.whole
        await self._connect()
        if self._exchange is not None and self._exchange.started_at:
            self._sent_at = self._exchange.started_at
        if self._is_over:
            await self._raise_failure()

    async def _raise_failure(self) -> None:
        if self._throws and self.response.is_error:
            await close(self.response, None)
            self.response.raise_for_status()

    async def _connect(self) -> None:
        self._response = response = await self._opening.open()
        self._exchange = response.download.exchange
        self._context = None
        self._last_at = 0
        if response.error:
            return
        self._is_over = not response.is_success or response.status_code in _NO_CONTENT
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self._is_over or kind == _CONTENT_TYPE:
            return
        await response.read_start()
        shown = kind if _MEDIA_TYPE.fullmatch(kind) else "something else" if kind else "missing"
        self._refuse(f"no event stream: Content-Type is {shown}")

    def _refuse(self, text: str) -> None:
        self._is_over = True
        self.response.fail(RequestFailure(GENERIC, text))

    # A generator that is awaited, without a coroutine below it as a rule: see `IncomingBody.park`.
    @types.coroutine
    def next_event(self) -> Generator[object, Outcome[object], ServerSentEvent]:
        """Return the next event, and record it.

        Raises:
            StopAsyncIteration: The stream has ended.
            HTTPError: The stream is cut, and ``throw=True`` was given.
        """
        event = self._events.pop() if self._events else None
        while event is None:
            response = self._response
            parking = None if response is None or self._is_over else response.park()
            piece: bytes | None
            if response is None or parking is None:
                piece = yield from self._receive().__await__()
            else:
                (yield parking).unwrap()
                piece = response.take()
            if piece:
                event = self._take(piece)
            elif piece is not None and not (yield from self._go_on().__await__()):
                raise StopAsyncIteration
        self._record()
        return event

    def _record(self) -> None:
        """Write the row of one event."""
        recorder = self._recorder
        if recorder.context is not self._context:
            self._context = recorder.context
            self._tags = self._tags_id(recorder.context)
        arrived, last = self._arrived_at, self._last_at
        first = gap = None
        if last:
            gap = (arrived - last) // 1000
        elif self._is_first:
            first = max(0, arrived - self._sent_at) // 1000
            self._is_first = False
        self._last_at = arrived
        recorder.buffer.rows[SSE_ROWS].append((self._tags, first, gap, arrived))

    def _take(self, piece: bytes) -> ServerSentEvent | None:
        """Return the first event that `piece` completes, and keep the others."""
        assert self._exchange is not None  # the piece came through it
        self._arrived_at = self._exchange.ended_at
        event = self._parser.take_lone(piece)
        if event is not None:
            return event
        try:
            events = self._parser.feed(piece)
        except EventTooLargeError:
            self._refuse(f"server-sent event exceeded {LONGEST_LINE} bytes")
            return None
        events.reverse()
        self._events = events
        return events.pop() if events else None

    def _tags_id(self, context: TagContext) -> int:
        request = self.response.download.request
        key = (request.key, "sse")
        number = context.requests.get(key)
        if number is None:
            number = intern(context, key, request_tags(request))
        return with_trace(number, request.trace)

    async def _receive(self) -> bytes:
        return b"" if self._is_over else await self.response.next_bytes()

    async def _go_on(self) -> bool:
        """Return whether events may follow, over another connection."""
        if not self._is_over and await self._reconnect():
            return True
        await self._raise_failure()
        return False

    async def _reconnect(self) -> bool:
        """Connect again, if that may be; return whether it was tried."""
        response, parser = self.response, self._parser
        if self._left <= 0:
            return False
        self._left -= 1
        self._retry = self._retry if parser.retry is None else parser.retry
        pause = min(self._retry * 1_000_000, response.download.idle)
        left = self._whole_at - perf_counter_ns() - pause
        if left <= 0:
            self._is_over = True
            response.fail(TIMED_OUT)
            return False
        response.end()
        await trio.sleep(pause / 1e9)
        self._add(SSE_RECONNECTIONS, 1)
        self._parser = EventParser(LONGEST_LINE, parser.last_id)
        self._opening = self._prepare()
        if self._opening.whole is not None:
            self._opening.whole = left
        await self._connect()
        return True

    async def end(self, error: BaseException | None) -> None:
        """End the block, which `error` may have ended."""
        try:
            await close(self._response, error)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the block at once."""
        response = self._response
        if response is None or self._is_ended:
            return
        self._is_ended = self._is_over = True
        response.end()
        number, failed, *_ = response.row
        if failed:
            # With the tags of the request, which say why.
            self._recorder.buffer.samples.append((SSE_FAILED, number, 1))
        elif failed is not None:
            self._add(SSE_FAILED, 0)

    def _add(self, metric: Metric, value: float) -> None:
        recorder = self._recorder
        recorder.buffer.samples.append((metric, self._tags_id(recorder.context), value))


def _read_reconnections(count: object, method: str) -> int:
    if count is None:
        return RECONNECTIONS if method.upper() == "GET" else 0
    if isinstance(count, int) and count >= 0:
        return count
    raise OptionError(f"reconnections is a whole number, 0 or more, got {count!r}")
