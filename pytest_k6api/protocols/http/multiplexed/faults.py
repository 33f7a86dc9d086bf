"""Why a stream or a connection is ended: the rule that the peer broke.

The codes here are those of HTTP/2; a version with codes of its own translates them.
"""

from pytest_k6api.protocols.http.message.errors import RequestFailure

NO_ERROR = 0
PROTOCOL_ERROR = 1
CANCEL = 8


class _BrokenRule(Exception):
    """What both kinds have.

    Attributes:
        code: Why, by which the peer is told.
        failure: What requests are told; None for what the version says of `code`.

    Args:
        code: See above.
        why: The rule that was broken, or `failure`.
    """

    def __init__(self, code: int, why: str | RequestFailure) -> None:
        super().__init__(why if isinstance(why, str) else why.text)
        self.code = code
        self.failure = None if isinstance(why, str) else why


class Violation(_BrokenRule):
    """The peer broke a rule of the connection, which ends by it."""


class StreamFault(_BrokenRule):
    """The peer broke a rule of one stream, which ends by it."""
