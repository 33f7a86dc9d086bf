"""HTTP client with timing phases: what a virtual user calls ``vu.http``.

Thin by design: llhttp frames the messages, the sockets are non-blocking, and a
request leaves one row behind. It sees the model and nothing above.
"""

from pytest_k6api.http.auth import Auth, BasicAuth, BearerAuth
from pytest_k6api.http.batches import BatchRequest
from pytest_k6api.http.client import Client
from pytest_k6api.http.cookies import Cookie, Cookies
from pytest_k6api.http.descriptors import descriptor_shortage, raised_descriptor_limit
from pytest_k6api.http.exchanges import describe_exchange
from pytest_k6api.http.headers import Headers
from pytest_k6api.http.httpx_transport import instrument
from pytest_k6api.http.options import ClientOptions
from pytest_k6api.http.request import Request
from pytest_k6api.http.request_options import ExpectedStatuses, RequestOptions
from pytest_k6api.http.response import HTTPError, HTTPStatusError, RequestError, Response, Timings
from pytest_k6api.http.runtime import HttpRuntime
from pytest_k6api.http.sync import SyncClient
from pytest_k6api.http.tls import make_context
from pytest_k6api.http.urls import URL

__all__ = [
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
    "HttpRuntime",
    "Request",
    "RequestError",
    "RequestOptions",
    "Response",
    "SyncClient",
    "Timings",
    "describe_exchange",
    "descriptor_shortage",
    "instrument",
    "make_context",
    "raised_descriptor_limit",
]
