"""What versions of HTTP with several streams at once share: streams, exchanges, who receives.

The rules of each version are its session's. Here is what becomes of a request and its response,
at whose pace, and whose task is resumed with what comes.
"""

from pytest_k6api.protocols.http.multiplexed.connection import MultiplexedConnection
from pytest_k6api.protocols.http.multiplexed.exchange import ExchangeCarrier, StreamExchange
from pytest_k6api.protocols.http.multiplexed.faults import (
    CANCEL,
    NO_ERROR,
    PROTOCOL_ERROR,
    StreamFault,
)
from pytest_k6api.protocols.http.multiplexed.header_blocks import (
    MAX_HEAD,
    HeaderBlock,
    SharedBlocks,
)
from pytest_k6api.protocols.http.multiplexed.streams import STREAM_WINDOW, Carrier, Stream, Waiter

__all__ = [
    "CANCEL",
    "MAX_HEAD",
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "STREAM_WINDOW",
    "Carrier",
    "ExchangeCarrier",
    "HeaderBlock",
    "MultiplexedConnection",
    "SharedBlocks",
    "Stream",
    "StreamExchange",
    "StreamFault",
    "Waiter",
]
