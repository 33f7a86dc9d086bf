"""What versions of HTTP with several streams at once share: streams, exchanges, who receives.

The rules of each version are its session's. Here is what becomes of a request and its response,
at whose pace, and whose task is resumed with what comes.
"""

from pytest_k6api.protocols.http.multiplexed.connection import MOST_UNSENT, MultiplexedConnection
from pytest_k6api.protocols.http.multiplexed.exchange import (
    ANY_FIELDS,
    ExchangeCarrier,
    StreamExchange,
)
from pytest_k6api.protocols.http.multiplexed.faults import (
    CANCEL,
    NO_ERROR,
    PROTOCOL_ERROR,
    StreamFault,
    Violation,
)
from pytest_k6api.protocols.http.multiplexed.header_blocks import (
    HEAD_TOO_LARGE,
    MAX_HEAD,
    HeaderBlock,
    SharedBlocks,
)
from pytest_k6api.protocols.http.multiplexed.requests import (
    Fields,
    RequestBlock,
    RequestBlocks,
    prefixed_number,
)
from pytest_k6api.protocols.http.multiplexed.streams import STREAM_WINDOW, Carrier, Stream, Waiter

__all__ = [
    "ANY_FIELDS",
    "CANCEL",
    "HEAD_TOO_LARGE",
    "MAX_HEAD",
    "MOST_UNSENT",
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "STREAM_WINDOW",
    "Carrier",
    "ExchangeCarrier",
    "Fields",
    "HeaderBlock",
    "MultiplexedConnection",
    "RequestBlock",
    "RequestBlocks",
    "SharedBlocks",
    "Stream",
    "StreamExchange",
    "StreamFault",
    "Violation",
    "Waiter",
    "prefixed_number",
]
