"""Several requests at once by one virtual user, as a browser loads a page."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import NamedTuple, Protocol, Unpack

import trio

from pytest_k6api.model import SECRETS, OptionError
from pytest_k6api.protocols.http.client.connection import BegunExchange, Connection, Together
from pytest_k6api.protocols.http.client.routes import RequestCache
from pytest_k6api.protocols.http.ledger import Ledger
from pytest_k6api.protocols.http.message.authority import Origin
from pytest_k6api.protocols.http.message.cookies import Cookies
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.prepared import PreparedRequest
from pytest_k6api.protocols.http.message.request import Auth
from pytest_k6api.protocols.http.message.request_options import RequestOptions
from pytest_k6api.protocols.http.message.response import Response
from pytest_k6api.protocols.http.message.urls import URL

BatchRequest = str | tuple[str, str] | tuple[str, str, RequestOptions]


class Begun(NamedTuple):
    """A request that was sent together with others.

    Attributes:
        request: The request.
        connection, exchange: What it goes over.
        began, deadline: When it was sent, and when it is overdue, in perf_counter_ns.
    """

    request: PreparedRequest
    connection: Connection
    exchange: BegunExchange
    began: int
    deadline: int


class BegunBatch(NamedTuple):
    """Requests to one server that go over a connection of several exchanges, without a task for each.

    Attributes:
        together: Waits for all.
        each: The requests, in their order.
    """

    together: Together
    each: list[Begun]


_Call = tuple[str, str, RequestOptions]
_Way = Callable[[], Awaitable[Response]]

# k6's defaults for `batch` and `batchPerHost`.
_AT_ONCE = 20
_AT_ONCE_PER_HOST = 6


class BatchClient(Protocol):
    """The client as batches need it."""

    _gets: RequestCache
    _headers: Headers
    _idle: dict[Origin, Connection]
    _ledger: Ledger
    auth: Auth | None
    cookies: Cookies

    def get(self, url: str, /) -> Awaitable[Response]:
        """GET `url`."""

    def request(
        self, method: str, url: str, /, **options: Unpack[RequestOptions]
    ) -> Awaitable[Response]:
        """Make a request."""

    def _round_trip(
        self, request: PreparedRequest, first: None, begun: "Begun", /
    ) -> Awaitable[Response]:
        """Return the response to what was begun."""


async def run_batch(
    client: BatchClient,
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
    ways: list[_Way] = [partial(_request, client, call) for call in calls]
    if len(calls) > min(at_once, at_once_per_host):
        return await _run_tasks(_limited(calls, ways, at_once, at_once_per_host))
    begun = _begin_all(client, calls)
    if begun is None:
        return await _run_tasks(ways)
    if await _wait_for_all(client, begun):
        return [await client._round_trip(each.request, None, each) for each in begun.each]
    finish = client._round_trip
    return await _run_tasks([partial(finish, each.request, None, each) for each in begun.each])


def _known_gets(client: BatchClient, calls: Sequence[_Call]) -> list[PreparedRequest]:
    """Return the prepared requests of `calls`, if all are such as `Client.get` finds; or none."""
    if not client._headers.is_sealed or client.auth is not None or client.cookies.by_key:
        return []
    gets = client._gets
    found = [gets.get(url) for method, url, options in calls if method == "GET" and not options]
    requests = [request for request in found if request is not None]
    return requests if len(requests) == len(calls) else []


def _begin_all(client: BatchClient, calls: Sequence[_Call]) -> BegunBatch | None:
    """Send all requests now, if they go over one connection without another look."""
    requests = _known_gets(client, calls)
    if not requests:
        return None
    first = requests[0]
    connection = client._idle.get(first.origin)
    if connection is None or connection.has_ended(may_err=True):
        return None
    if any(each.origin is not first.origin for each in requests):
        return None
    began = perf_counter_ns()
    deadline = began + first.timeout
    together = connection.begin_all(requests, deadline)
    if together is None:
        return None
    pairs = zip(requests, together.exchanges, strict=True)
    return BegunBatch(together, [Begun(a, connection, b, began, deadline) for a, b in pairs])


def _request(client: BatchClient, call: _Call) -> Awaitable[Response]:
    method, url, options = call
    if method == "GET" and not options:
        return client.get(url)
    return client.request(method, url, **options)


async def _wait_for_all(client: BatchClient, begun: BegunBatch) -> bool:
    try:
        return await begun.together.wait_for_all()
    except BaseException:
        for each in begun.each:
            client._ledger.abandon(each.exchange)
        raise


async def _run_tasks(ways: Sequence[_Way]) -> list[Response]:
    """Return what `ways` give, each in a task of its own, in their order."""
    responses: list[Response | None] = [None] * len(ways)
    errors: list[Exception] = []

    async def run(index: int, way: _Way) -> None:
        try:
            responses[index] = await way()
        except Exception as error:  # noqa: BLE001 - raised again below
            # The first mistake ends the batch, as itself and in no group:
            # a caller of one request could not expect a group either.
            errors.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for index, way in enumerate(ways):
            nursery.start_soon(run, index, way)
    if errors:
        raise errors[0]
    return [response for response in responses if response is not None]


def _limited(
    calls: Iterable[_Call], ways: Iterable[_Way], at_once: int, at_once_per_host: int
) -> list[_Way]:
    """Return `ways`, of which only so many go on at once."""
    all_at_once = trio.Semaphore(at_once)
    per_host: dict[str, trio.Semaphore] = defaultdict(lambda: trio.Semaphore(at_once_per_host))

    async def run(call: _Call, way: _Way) -> Response:
        async with per_host[URL(call[1]).host], all_at_once:
            return await way()

    return [partial(run, call, way) for call, way in zip(calls, ways, strict=True)]


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
