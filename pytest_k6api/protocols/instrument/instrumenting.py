"""`instrument`: the way from a client that people have to the module that measures it."""

from typing import Any, TypeVar, cast

from pytest_k6api.protocols.instrument.foreign_exchange import HasClient, Instrumentation, Naming
from pytest_k6api.protocols.instrument.httpx_transport import InstrumentedTransport
from pytest_k6api.protocols.instrument.requests_adapters import measure_session
from pytest_k6api.protocols.instrument.urllib3_pools import measure_pools

T = TypeVar("T")


def instrument(client: T, vu: HasClient | None = None, *, name: Naming | None = None) -> T:
    """Measure the requests of `client` as those of ``vu.http`` are.

    Each request yields the metrics ``http_req_*`` with all phases and tags, at the
    group and scenario of the virtual user that makes it. Requests that no virtual user
    makes, such as those of ordinary fixtures, pass unmeasured. A row is written when the
    body was read or the response closed.

    A request of httpx can say more in its extension ``k6``: a dict of ``name``, ``tags``
    and ``expected_statuses``.

    Args:
        client: A transport of httpx or httpx2, a ``requests.Session``, a
            ``urllib3.PoolManager``, or a client or resource of boto3.
        vu: The virtual user whose ``vu.http.expected_statuses`` apply; left out, a
            status from 200 to 399 is no failure.
        name: Returns the name of a request that has none; gets its method and its URL.
            Left out, that is its URL, and so a time series for each URL.

    Returns:
        For httpx a transport, to be given to a client; else `client` itself, measured from
        now on.

    Raises:
        TypeError: `client` is none of these.

    Example:
        >>> client = httpx.AsyncClient(transport=instrument(httpx.AsyncHTTPTransport(), vu))
        >>> session = instrument(requests.Session(), vu)
    """
    told = Instrumentation(vu, name)
    found = cast("Any", client)
    if hasattr(client, "handle_request") or hasattr(client, "handle_async_request"):
        # To httpx it is one: it asks for the methods, not for the class.
        return cast("T", InstrumentedTransport(client, told))
    if hasattr(client, "adapters") and hasattr(client, "mount"):
        measure_session(client, told)
    elif hasattr(client, "pool_classes_by_scheme"):
        measure_pools(client, told)
    elif (manager := _manager_of_boto3(client)) is not None:
        measure_pools(manager, told)
    else:
        raise TypeError(
            "instrument() takes a transport of httpx or httpx2, such as httpx.AsyncHTTPTransport(),"
            " a requests.Session(), a urllib3.PoolManager() or a client of boto3, got"
            f" {found!r}"
        )
    return client


def _manager_of_boto3(client: Any) -> Any:
    """Return the ``PoolManager`` of a client or a resource of boto3; None if it is neither.

    botocore has no public way to it; a test fails when these names change.
    """
    client = getattr(getattr(client, "meta", None), "client", client)
    session = getattr(getattr(client, "_endpoint", None), "http_session", None)
    return getattr(session, "_manager", None)
