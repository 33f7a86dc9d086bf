"""Why a stream is ended, in the codes of HTTP/2; a version with codes of its own translates them."""

from pytest_k6api.protocols.http.message.errors import RequestFailure

NO_ERROR = 0
PROTOCOL_ERROR = 1
CANCEL = 8


class StreamFault(Exception):
    """The peer broke a rule of one stream, which ends by it.

    Attributes:
        code: Why, by which the peer is told.
        failure: What its request is told; None for what the version says of `code`.
    """

    def __init__(self, code: int, detail: str, failure: RequestFailure | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.failure = failure
