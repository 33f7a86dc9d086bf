"""Several requests at once by one virtual user, as a browser loads a page."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol, Unpack

import trio

from pytest_k6api.model import SECRETS, OptionError
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.message.urls import URL

BatchRequest = str | tuple[str, str] | tuple[str, str, RequestOptions]

_Call = tuple[str, str, RequestOptions]
_Run = Callable[[int, _Call], Coroutine[Any, Any, None]]

# k6's defaults for `batch` and `batchPerHost`.
_AT_ONCE = 20
_AT_ONCE_PER_HOST = 6


class Requests(Protocol):
    """What makes one request."""

    def get(self, url: str, /) -> Awaitable[Response]:
        """GET `url`."""

    def request(
        self, method: str, url: str, /, **options: Unpack[RequestOptions]
    ) -> Awaitable[Response]:
        """Make a request."""


async def run_batch(
    client: Requests,
    requests: Iterable[BatchRequest],
    at_once: int = _AT_ONCE,
    at_once_per_host: int = _AT_ONCE_PER_HOST,
) -> list[Response]:
    """Return the responses to `requests`, in their order.

    Args:
        client: Makes one request.
        requests: URLs to get, ``(method, url)`` or ``(method, url, options)``.
        at_once: How many are under way at once.
        at_once_per_host: How many of them to one host.

    Raises:
        OptionError: One of them cannot be read; none was made then.
        HTTPError: One of them failed and had ``throw=True``; the others are ended.
    """
    calls = _read_all(requests)
    _check(at_once, at_once_per_host)
    responses: list[Response | None] = [None] * len(calls)
    errors: list[Exception] = []

    async def run(index: int, call: _Call) -> None:
        method, url, options = call
        try:
            if method == "GET" and not options:
                responses[index] = await client.get(url)
            else:
                responses[index] = await client.request(method, url, **options)
        except Exception as error:  # noqa: BLE001 - raised again below
            # The first mistake ends the batch, as itself and in no group:
            # a caller of one request could not expect a group either.
            errors.append(error)
            nursery.cancel_scope.cancel()

    run_limited: _Run = run
    if len(calls) > min(at_once, at_once_per_host):
        run_limited = _limited(run, at_once, at_once_per_host)
    async with trio.open_nursery() as nursery:
        for index, call in enumerate(calls):
            nursery.start_soon(run_limited, index, call)
    if errors:
        raise errors[0]
    return [response for response in responses if response is not None]


def _limited(run: _Run, at_once: int, at_once_per_host: int) -> _Run:
    """Return `run`, of which only so many go on at once."""
    all_at_once = trio.Semaphore(at_once)
    per_host: dict[str, trio.Semaphore] = defaultdict(lambda: trio.Semaphore(at_once_per_host))

    async def run_limited(index: int, call: _Call) -> None:
        async with per_host[URL(call[1]).host], all_at_once:
            await run(index, call)

    return run_limited


def _check(at_once: int, at_once_per_host: int) -> None:
    for name, limit in (("at_once", at_once), ("at_once_per_host", at_once_per_host)):
        if limit < 1:
            raise OptionError(f"{name} of a batch is a whole number above 0, got {limit!r}")


def _read_all(requests: object) -> list[_Call]:
    if not isinstance(requests, Iterable):
        raise OptionError(f"a batch takes a collection of requests, got {requests!r}")
    return [_read(item) for item in requests]


def _read(item: object) -> _Call:
    if isinstance(item, str):
        return "GET", item, {}
    if isinstance(item, (tuple, list)) and len(item) in (2, 3):
        return item[0], item[1], item[2] if len(item) == 3 else {}
    raise OptionError(
        f"a batch takes URLs, (method, url) or (method, url, {{options}}), got {SECRETS.mask_text(repr(item))}"
    )
