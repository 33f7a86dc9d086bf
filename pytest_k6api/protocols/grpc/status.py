"""Status codes of gRPC, and where they come from if no server says one.

Source: grpc/doc/statuscodes.md and http-grpc-status-mapping.md of the gRPC project.
"""

from enum import IntEnum
from typing import Any, Self

from pytest_k6api.protocols.http import TIMEOUT_CODES, RequestFailure


class StatusCode(IntEnum):
    """A status code, with the number and the name that all of gRPC use.

    It equals grpcio's of the same number; in sets and dicts it is the number.
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    def __call__(self) -> Self:
        """Return the code itself, so that ``error.code()`` is what it is in grpcio."""
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, int):
            other = _number_of(other)
        return int(self) == other

    __hash__ = IntEnum.__hash__


def read_code(code: Any) -> StatusCode:
    """Return a status code that is ours, grpcio's or a number.

    Raises:
        ValueError: It is none.
    """
    number: Any = code if isinstance(code, int) else _number_of(code)
    return StatusCode(number)


def _number_of(code: object) -> object:
    """Return the number of a status code of grpcio, whose values are a number and a text."""
    value = getattr(code, "value", None)
    return value[0] if isinstance(value, tuple) and value else None


_BY_HTTP_STATUS = {
    400: StatusCode.INTERNAL,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.UNIMPLEMENTED,
    429: StatusCode.UNAVAILABLE,
    502: StatusCode.UNAVAILABLE,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.UNAVAILABLE,
}

_TOO_LARGE = "response body exceeded"  # a stream's words
# k6's code of a stream that was reset, less HTTP/2's code.
_RESET = 1631
_BY_RESET = {
    0: StatusCode.INTERNAL,
    1: StatusCode.INTERNAL,
    2: StatusCode.INTERNAL,
    3: StatusCode.INTERNAL,
    4: StatusCode.INTERNAL,
    6: StatusCode.INTERNAL,
    7: StatusCode.UNAVAILABLE,
    8: StatusCode.CANCELLED,
    9: StatusCode.INTERNAL,
    10: StatusCode.INTERNAL,
    11: StatusCode.RESOURCE_EXHAUSTED,
    12: StatusCode.PERMISSION_DENIED,
}


def code_of_text(text: bytes) -> StatusCode:
    """Return the code that the trailer ``grpc-status`` says; UNKNOWN for any other text."""
    try:
        return StatusCode(int(text))
    except ValueError:
        return StatusCode.UNKNOWN


def code_of_http(status: int) -> StatusCode:
    """Return the code of a response with the HTTP `status` that says none itself."""
    return _BY_HTTP_STATUS.get(status, StatusCode.UNKNOWN)


def code_of_failure(failure: RequestFailure) -> StatusCode:
    """Return the code of a call that the network failed."""
    if failure.code in TIMEOUT_CODES:
        return StatusCode.DEADLINE_EXCEEDED
    if failure.text.startswith(_TOO_LARGE):
        return StatusCode.RESOURCE_EXHAUSTED
    return _BY_RESET.get(failure.code - _RESET, StatusCode.UNAVAILABLE)
