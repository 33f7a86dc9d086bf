"""HTTP messages: URLs, header fields, cookies, bodies, requests and responses. No I/O.

Which header fields and parameters are masked when they are shown stands in
``model/secrets.py``.
"""

from pytest_k6api.protocols.http.message.authority import InvalidURL, Origin, read_authority
from pytest_k6api.protocols.http.message.bodies import Body, encode_body
from pytest_k6api.protocols.http.message.cookies import (
    Cookie,
    Cookies,
    CookieSource,
    parse_set_cookie,
)
from pytest_k6api.protocols.http.message.decoding import DecodingError, decode
from pytest_k6api.protocols.http.message.errors import (
    TIMEOUT_CODES,
    NetworkError,
    RequestFailure,
    explain_transfer,
)
from pytest_k6api.protocols.http.message.headers import Headers, HeaderSource
from pytest_k6api.protocols.http.message.json_codec import decode_json, encode_json
from pytest_k6api.protocols.http.message.prepared import PreparedRequest, StatusSet
from pytest_k6api.protocols.http.message.request import (
    Auth,
    BasicAuth,
    BearerAuth,
    DigestAuth,
    Request,
)
from pytest_k6api.protocols.http.message.request_options import (
    ExpectedStatuses,
    RequestOptions,
    SseOptions,
    StreamOptions,
)
from pytest_k6api.protocols.http.message.response import (
    HTTPError,
    HTTPStatusError,
    RequestError,
    Response,
    Timings,
)
from pytest_k6api.protocols.http.message.urls import (
    URL,
    QueryParams,
    Target,
    add_params,
    encode_form,
    join_base,
    resolve_location,
)

__all__ = [
    "TIMEOUT_CODES",
    "URL",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Body",
    "Cookie",
    "CookieSource",
    "Cookies",
    "DecodingError",
    "DigestAuth",
    "ExpectedStatuses",
    "HTTPError",
    "HTTPStatusError",
    "HeaderSource",
    "Headers",
    "InvalidURL",
    "NetworkError",
    "Origin",
    "PreparedRequest",
    "QueryParams",
    "Request",
    "RequestError",
    "RequestFailure",
    "RequestOptions",
    "Response",
    "SseOptions",
    "StatusSet",
    "StreamOptions",
    "Target",
    "Timings",
    "add_params",
    "decode",
    "decode_json",
    "encode_body",
    "encode_form",
    "encode_json",
    "explain_transfer",
    "join_base",
    "parse_set_cookie",
    "read_authority",
    "resolve_location",
]
