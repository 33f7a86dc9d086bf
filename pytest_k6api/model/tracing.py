"""Trace contexts of requests (W3C Trace Context, level 1): a trace of its own for each request.

Ids are random, whatever the seed of the session: they meet those of other workers, runs and
clients in one store of traces, where none may come twice. They begin as k6's do.
"""

import re
from random import Random

from pytest_k6api.model.errors import OptionError
from pytest_k6api.model.samples import MarkedTags

TRACE_HEADER = "traceparent"
"""The header field that carries a trace context."""

# Source: k6 v1.1.0, internal/js/modules/k6/experimental/tracing/trace_id.go (k6Prefix and
# k6LocalCode, as varints); k6 goes on with the time, which is not random enough for samplers.
_CONTEXT = "00-dc0742%026x-%016x-%s"
_KNOWN = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_ID = slice(3, 35)


class Tracer:
    """Makes trace contexts.

    Args:
        rate: The share of traces with the flag ``sampled``, from 0 to 1; services and
            collectors keep those, as a rule.

    Raises:
        OptionError: `rate` is no such number.
    """

    __slots__ = ("_bits", "_chance", "rate")

    def __init__(self, rate: float = 1.0) -> None:
        if not 0 <= rate <= 1:
            raise OptionError(f"takes the share of traces to sample, from 0 to 1, got {rate!r}")
        self.rate = rate
        numbers = Random()  # seeded by the system
        self._bits, self._chance = numbers.getrandbits, numbers.random

    def __repr__(self) -> str:
        return f"Tracer(rate={self.rate!r})"

    def new_context(self) -> str:
        """Return the value of `TRACE_HEADER` for a new trace."""
        flag = "01" if self._chance() < self.rate else "00"
        return _CONTEXT % (self._bits(104), self._bits(64), flag)


def read_trace_rate(text: str) -> Tracer | None:
    """Return the tracer that the setting `text` asks for; None for none.

    Raises:
        OptionError: It is no number from 0 to 1.
    """
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        raise OptionError(
            f"takes the share of traces to sample, from 0 to 1, such as 1 or 0.1, got {text!r}"
        ) from None
    return Tracer(rate)


def checked_context(context: str) -> str:
    """Return `context`, which a user gave, if it names a trace; else ``""``."""
    return context if _KNOWN.match(context) else ""


def with_trace(tags_id: int, context: str) -> int:
    """Return `tags_id` for the row of a request that was sent with the trace context `context`.

    The row's samples have the metadata ``trace_id``, as in k6; without a context they have none.
    """
    if not context:
        return tags_id
    marked = MarkedTags(tags_id)
    marked.metadata = {"trace_id": context[_ID]}
    return marked
