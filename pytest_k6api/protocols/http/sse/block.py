"""The block of ``vu.http.sse``, with and without ``await``."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, ClassVar, Self

from pytest_k6api.protocols.advice import Advised
from pytest_k6api.protocols.blocks import AsyncBlock, SyncBlock
from pytest_k6api.protocols.http.message.request_options import SseOptions
from pytest_k6api.protocols.http.sse.parser import ServerSentEvent
from pytest_k6api.protocols.http.sse.source import EventSource
from pytest_k6api.protocols.http.streaming.download import StreamingClient
from pytest_k6api.protocols.http.streaming.response import StreamedResponse, SyncStreamedResponse


class EventStream(Advised, AsyncBlock, AsyncIterator[ServerSentEvent]):
    """What ``async with vu.http.sse(...) as events`` gives: events, for ``async for``.

    A loop over it may be left at any time; the end of the block closes the connection.
    """

    __slots__ = ("_source",)

    written = "async with vu.http.sse(...) as events:"
    advice: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("aiter_events", "aiter_sse"), "async for event in events:"),
        **dict.fromkeys(("get", "next", "next_event", "receive"), "await anext(events)"),
        "aiter_lines": "vu.http.stream(method, url)",
        "headers": "events.response.headers",
        "status_code": "events.response.status_code",
    }

    def __init__(
        self,
        client: StreamingClient,
        url: str,
        options: SseOptions,
    ) -> None:
        self._source = EventSource(
            client,
            url,
            options,
            StreamedResponse,
        )
        self.is_unused = True

    @property
    def response(self) -> StreamedResponse:
        """The response of the connection under way, or of the last one."""
        return self._source.response

    @property
    def last_event_id(self) -> str:
        """The id of the event that had one last; ``""`` before one."""
        return self._source.last_event_id

    @property
    def elapsed(self) -> float:
        """Seconds from the request to the arrival of the event that was given last; 0 before one."""
        return self._source.elapsed

    async def __aenter__(self) -> Self:
        self.is_unused = False
        await self._source.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._source.end(error)

    def __anext__(self) -> Awaitable[ServerSentEvent]:
        return self._source.next_event()


class SyncEventStream(Advised, SyncBlock, Iterator[ServerSentEvent]):
    """The same for ``with`` and ``for``, in a synchronous scenario.

    Args:
        run_in_trio: Lets Trio await ``function(*args)``.
        call_soon: Has Trio's thread call ``function(*args)``, without waiting for it.
    """

    __slots__ = ("_call_soon", "_run_in_trio", "_source")

    written = "with vu.http.sse(...) as events:"
    advice: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("iter_events", "iter_sse"), "for event in events:"),
        **dict.fromkeys(("get", "next_event", "receive"), "next(events)"),
        "headers": "events.response.headers",
        "iter_lines": "vu.http.stream(method, url)",
        "status_code": "events.response.status_code",
    }

    def __init__(
        self,
        client: StreamingClient,
        url: str,
        options: SseOptions,
        *,
        run_in_trio: Callable[..., Any],
        call_soon: Callable[..., object],
    ) -> None:
        self._source = EventSource(
            client,
            url,
            options,
            lambda client, download: SyncStreamedResponse(client, download, run_in_trio),
        )
        self._run_in_trio, self._call_soon = run_in_trio, call_soon
        self.is_unused = True

    @property
    def response(self) -> SyncStreamedResponse:
        """The response of the connection under way, or of the last one."""
        return self._source.response

    @property
    def last_event_id(self) -> str:
        """The id of the event that had one last; ``""`` before one."""
        return self._source.last_event_id

    @property
    def elapsed(self) -> float:
        """Seconds from the request to the arrival of the event that was given last; 0 before one."""
        return self._source.elapsed

    def __enter__(self) -> Self:
        self.is_unused = False
        self._run_in_trio(self._source.open)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            self._run_in_trio(self._source.end, error)
        except BaseException:
            self._call_soon(self._source.abandon)  # interrupted: see `SyncResponseStream`
            raise

    def __next__(self) -> ServerSentEvent:
        try:
            event: ServerSentEvent = self._run_in_trio(self._next_event)
        except StopAsyncIteration:
            raise StopIteration from None
        return event

    async def _next_event(self) -> ServerSentEvent:
        return await self._source.next_event()
