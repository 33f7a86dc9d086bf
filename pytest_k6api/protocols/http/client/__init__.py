"""The HTTP client of a virtual user, and the interface of the connections under it."""

from pytest_k6api.protocols.http.client.batches import BatchRequest
from pytest_k6api.protocols.http.client.client import Client
from pytest_k6api.protocols.http.client.connection import Connection, Exchange
from pytest_k6api.protocols.http.client.excerpts import excerpt
from pytest_k6api.protocols.http.client.exchange_log import describe_exchange
from pytest_k6api.protocols.http.client.options import (
    ClientOptions,
    require_http2,
)
from pytest_k6api.protocols.http.client.prepare import read_expected
from pytest_k6api.protocols.http.client.routes import Routes
from pytest_k6api.protocols.http.client.runtime import HttpRuntime
from pytest_k6api.protocols.http.client.sync import SyncClient

__all__ = [
    "BatchRequest",
    "Client",
    "ClientOptions",
    "Connection",
    "Exchange",
    "HttpRuntime",
    "Routes",
    "SyncClient",
    "describe_exchange",
    "excerpt",
    "read_expected",
    "require_http2",
]
