"""The block of ``vu.http.stream``: it begins with the head of a response and ends with its row."""

from collections.abc import Callable
from time import perf_counter_ns
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from pytest_k6api.model import OptionError
from pytest_k6api.protocols.blocks import AsyncBlock, SyncBlock
from pytest_k6api.protocols.http.client.prepare import (
    checked_method,
    nanoseconds,
    prepare,
    prepare_broken,
)
from pytest_k6api.protocols.http.client.redirects import RedirectChain
from pytest_k6api.protocols.http.message.authority import InvalidURL
from pytest_k6api.protocols.http.message.errors import RequestFailure
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request_options import RequestOptions, StreamOptions
from pytest_k6api.protocols.http.net.batched_io import NEVER
from pytest_k6api.protocols.http.streaming.download import Download, StreamingClient
from pytest_k6api.protocols.http.streaming.response import (
    ResponseInProgress,
    StreamedResponse,
    SyncStreamedResponse,
)

R = TypeVar("R", bound=ResponseInProgress)
Make = Callable[[StreamingClient, Download], R]


class Opening(Generic[R]):
    """A request whose response is a stream, until the head of the response is there.

    Args:
        client: The client.
        method: The method, as the user wrote it.
        url: The URL, as the user wrote it.
        options: The user's options.
        make: Makes what the user gets.
    """

    __slots__ = ("_client", "_make", "_method", "_options", "_url", "_whole_at", "whole")

    def __init__(
        self,
        client: StreamingClient,
        method: str,
        url: str,
        options: StreamOptions,
        make: Make[R],
    ) -> None:
        self._client = client
        self._method = checked_method(method)
        self._url = url
        self._make = make
        plain = dict(options)
        total = plain.pop("total_timeout", None)
        self.whole = None if total is None else nanoseconds("total_timeout", total)
        self._options = cast("RequestOptions", plain)  # what is left of its keys
        self._whole_at = NEVER

    async def open(self) -> R:
        """Send the request, follow redirects, and return the response.

        Raises:
            HTTPError: The response is a failure, and ``throw=True`` was given.
        """
        client, options = self._client, self._options
        now = perf_counter_ns()
        if self.whole is not None:
            self._whole_at = now + self.whole
        try:
            request = prepare(client, self._method, self._url, options)
        except InvalidURL as error:
            request = prepare_broken(client, self._method, self._url, options)
            response = self._failed(request, RequestFailure(error.code, str(error)))
        else:
            idle = request.timeout
            deadline = min(now + idle, self._whole_at)
            response = await self._begin(request, idle, deadline)
            response = await self._follow(response, request, idle, deadline)
        if request.throw:
            if response.is_error:
                await close(response, None)
                response.raise_for_status()
            response.throws = True
        return response

    async def _begin(self, request: PreparedRequest, idle: int, deadline: int) -> R:
        download = Download(self._client, request, idle=idle, whole_at=self._whole_at)
        await download.begin(deadline)
        return self._make(self._client, download)

    async def _follow(self, response: R, request: PreparedRequest, idle: int, deadline: int) -> R:
        chain = RedirectChain(self._client, request)
        while (to := chain.next(response)) is not None:
            await pass_over(response)
            if response.error:
                break
            request = chain.follow(to, response, deadline - perf_counter_ns())
            if to.failure is not None:
                response = self._failed(request, to.failure)
                break
            response = await self._begin(request, idle, deadline)
        response.history = tuple(chain.history)
        return response

    def _failed(self, request: PreparedRequest, failure: RequestFailure) -> R:
        download = Download(self._client, request, idle=0)
        download.failure = failure
        return self._make(self._client, download)


class ResponseStream(AsyncBlock):
    """What ``async with vu.http.stream(...) as response`` enters and leaves.

    Leaving it writes the row of the request. If the body was not read to its end, the
    exchange is ended at once: over HTTP/1.1 the connection is closed.
    """

    __slots__ = ("_opening", "_response")

    written = "async with vu.http.stream(...) as response:"

    def __init__(
        self, client: StreamingClient, method: str, url: str, options: StreamOptions
    ) -> None:
        self._opening = Opening(client, method, url, options, StreamedResponse)
        self._response: StreamedResponse | None = None
        self.is_unused = True

    async def __aenter__(self) -> StreamedResponse:
        self.is_unused = False
        if self._response is not None:
            raise OptionError("a stream is entered once; call vu.http.stream() again")
        self._response = response = await self._opening.open()
        return response

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await close(self._response, error)


class SyncResponseStream(SyncBlock):
    """The same for ``with`` in a synchronous scenario.

    Args:
        run_in_trio: Lets Trio await ``function(*args)``.
        call_soon: Has Trio's thread call ``function(*args)``, without waiting for it.
    """

    __slots__ = ("_call_soon", "_opening", "_response", "_run_in_trio")

    written = "with vu.http.stream(...) as response:"

    def __init__(
        self,
        client: StreamingClient,
        method: str,
        url: str,
        options: StreamOptions,
        *,
        run_in_trio: Callable[..., Any],
        call_soon: Callable[..., object],
    ) -> None:
        self._opening = Opening(
            client,
            method,
            url,
            options,
            lambda client, download: SyncStreamedResponse(client, download, run_in_trio),
        )
        self._run_in_trio, self._call_soon = run_in_trio, call_soon
        self._response: SyncStreamedResponse | None = None
        self.is_unused = True

    def __enter__(self) -> SyncStreamedResponse:
        self.is_unused = False
        if self._response is not None:
            raise OptionError("a stream is entered once; call vu.http.stream() again")
        response: SyncStreamedResponse = self._run_in_trio(self._opening.open)
        self._response = response
        return response

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            self._run_in_trio(close, self._response, error)
        except BaseException:
            if self._response is not None:  # interrupted: Trio awaits nothing for this thread
                self._call_soon(self._response.end)
            raise


async def pass_over(response: ResponseInProgress) -> None:
    """Read the body of a redirect, and end it; not if that fails, for then it is the last word."""
    try:
        await response.read_all()
    except BaseException:
        response.end()
        raise
    if not response.error:
        response.end()


async def close(response: ResponseInProgress | None, error: BaseException | None) -> None:
    """End the block of `response`, which `error` may have ended."""
    if response is None:
        return
    try:
        if error is None:
            await response.show_start()
    finally:
        response.end()
