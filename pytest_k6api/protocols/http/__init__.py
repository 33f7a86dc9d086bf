"""HTTP client with timing phases: what a virtual user calls ``vu.http``.

Thin by design: llhttp frames the messages, the sockets are non-blocking, and a
request leaves one row behind. It sees the model and nothing above.
"""

from pytest_k6api.protocols.http.client.batches import BatchRequest
from pytest_k6api.protocols.http.client.client import Client
from pytest_k6api.protocols.http.client.exchange_log import describe_exchange
from pytest_k6api.protocols.http.client.options import ClientOptions
from pytest_k6api.protocols.http.client.runtime import HttpRuntime
from pytest_k6api.protocols.http.client.sync import SyncClient
from pytest_k6api.protocols.http.message.cookies import Cookie, Cookies
from pytest_k6api.protocols.http.message.headers import Headers
from pytest_k6api.protocols.http.message.request import Auth, BasicAuth, BearerAuth, Request
from pytest_k6api.protocols.http.message.request_options import ExpectedStatuses, RequestOptions
from pytest_k6api.protocols.http.message.response import (
    HTTPError,
    HTTPStatusError,
    RequestError,
    Response,
    Timings,
)
from pytest_k6api.protocols.http.message.urls import URL
from pytest_k6api.protocols.http.net.descriptors import descriptor_shortage, raised_descriptor_limit
from pytest_k6api.protocols.http.net.tls import make_context
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow

__all__ = [
    "HTTP_ROWS",
    "URL",
    "Auth",
    "BasicAuth",
    "BatchRequest",
    "BearerAuth",
    "Client",
    "ClientOptions",
    "Cookie",
    "Cookies",
    "ExpectedStatuses",
    "HTTPError",
    "HTTPStatusError",
    "Headers",
    "HttpRow",
    "HttpRuntime",
    "Request",
    "RequestError",
    "RequestOptions",
    "Response",
    "SyncClient",
    "Timings",
    "describe_exchange",
    "descriptor_shortage",
    "make_context",
    "raised_descriptor_limit",
]
