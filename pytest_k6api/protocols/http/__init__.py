"""The HTTP client of virtual users, ``vu.http``, which times the phases of each request.

`message` knows the rules, `net` the sockets, `h1` HTTP/1.1, and `client` puts them
together. Another version of HTTP is a package beside `h1`, with the connection that
`client.connection` asks for, opened by `client.runtime`. A request leaves one row behind.
It sees the model and nothing above.
"""

from pytest_k6api.protocols.http.client import (
    BatchRequest,
    Client,
    ClientOptions,
    HttpRuntime,
    SyncClient,
    describe_exchange,
)
from pytest_k6api.protocols.http.message import (
    URL,
    Auth,
    BasicAuth,
    BearerAuth,
    Cookie,
    Cookies,
    ExpectedStatuses,
    Headers,
    HTTPError,
    HTTPStatusError,
    Request,
    RequestError,
    RequestOptions,
    Response,
    StreamOptions,
    Timings,
)
from pytest_k6api.protocols.http.net import (
    ClientCertificate,
    DnsRules,
    HostTable,
    LocalAddresses,
    Proxies,
    descriptor_shortage,
    make_context,
    raised_descriptor_limit,
    read_dns,
)
from pytest_k6api.protocols.http.rows import HTTP_ROWS, HttpRow
from pytest_k6api.protocols.http.streaming import (
    StreamedResponse,
    StreamError,
    SyncStreamedResponse,
)

__all__ = [
    "HTTP_ROWS",
    "URL",
    "Auth",
    "BasicAuth",
    "BatchRequest",
    "BearerAuth",
    "Client",
    "ClientCertificate",
    "ClientOptions",
    "Cookie",
    "Cookies",
    "DnsRules",
    "ExpectedStatuses",
    "HTTPError",
    "HTTPStatusError",
    "Headers",
    "HostTable",
    "HttpRow",
    "HttpRuntime",
    "LocalAddresses",
    "Proxies",
    "Request",
    "RequestError",
    "RequestOptions",
    "Response",
    "StreamError",
    "StreamOptions",
    "StreamedResponse",
    "SyncClient",
    "SyncStreamedResponse",
    "Timings",
    "describe_exchange",
    "descriptor_shortage",
    "make_context",
    "raised_descriptor_limit",
    "read_dns",
]
