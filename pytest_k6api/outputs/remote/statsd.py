"""statsd over UDP, with the names that k6 gave its metrics.

Counters, rates and checks are added up between two pushes. A trend's values are sent one by
one, with a sample rate for those that are equal; where there are many, values that differ
by less than one part in a hundred are.

UDP loses in silence: nothing tells whether a server took what was sent.

Source: k6 v0.51.0, ``output/statsd``, which lives on as ``LeonAdato/xk6-output-statsd``.
"""

import re
import socket
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_k6api.metrics import CounterSink, GaugeSink, RateSink, SampleBatch
from pytest_k6api.model import Contains
from pytest_k6api.outputs.base import OutputContext, OutputError, OutputUnavailable
from pytest_k6api.outputs.histograms import Histogram
from pytest_k6api.outputs.queued import QueuedOutput
from pytest_k6api.outputs.series_totals import SeriesTotals, Total
from pytest_k6api.outputs.variables import Variables

_MOST_EXACT = 1000
"""Values of a trend between two pushes beyond which they are rounded."""

_DATAGRAM = 1432  # bytes that pass an Ethernet whole, as statsd's own documentation advises
_UNSAFE = re.compile(r"[:|@#,\n]")


_STEPS = [1.01**step for step in range(-1400, 1400)]
_BOUNDS = (*(-bound for bound in reversed(_STEPS)), *_STEPS)


class _Values:
    """The values of a trend since the last push."""

    def __init__(self, per_unit: int, _: Contains) -> None:
        self._per_unit = per_unit
        self._values: list[float] = []
        self._rounded = Histogram(_BOUNDS)

    def add_many(self, values: Sequence[float], /) -> None:
        self._values += values
        if self._rounded.count or len(self._values) > _MOST_EXACT:
            self._rounded.add_many(self._values)
            self._values.clear()

    def counts(self) -> Iterator[tuple[float, int]]:
        """Yield each value, in the metric's unit, and how often there is one about like it."""
        for value, count in Counter(self._values).items():
            yield value / self._per_unit, count
        lowest, highest = self._rounded.lowest, self._rounded.highest
        for number, count in self._rounded.filled():
            low = max(lowest, _BOUNDS[number - 1] if number else lowest)
            high = min(highest, _BOUNDS[number] if number < len(_BOUNDS) else highest)
            yield (low + high) / 2 / self._per_unit, count


class StatsdWriter:
    """Sends what happened since the last push; an `Aggregator`.

    Args:
        host: Where the server is.
        port: Its port.
        namespace: What all names begin with.
        hidden_tags: Tags that are not sent; None for no tags at all, which plain
            statsd does not know.
        push_period: Seconds between two pushes.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        namespace: str = "k6.",
        hidden_tags: Iterable[str] | None = None,
        push_period: float = 1.0,
    ) -> None:
        self.push_period = push_period
        self._address = host, port
        self._namespace = namespace
        self._hidden = None if hidden_tags is None else frozenset(hidden_tags)
        self._socket: socket.socket | None = None
        self._where: tuple[object, ...] = ()
        self._totals = SeriesTotals(_Values, self._labels)
        self._unsent: deque[bytes] = deque()

    def open(self) -> None:
        """Look the server's address up.

        Raises:
            OutputError: It has none.
        """
        try:
            found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            problem = error.strerror if isinstance(error, OSError) else error
            raise OutputError(f"{self._address[0]}: {problem}") from error
        family, kind, protocol, _, self._where = found[0]
        self._socket = socket.socket(family, kind, protocol)

    def aggregate(self, batch: SampleBatch) -> None:
        """Add `batch` up."""
        self._totals.add(batch)

    def push(self, *, final: bool) -> None:  # noqa: ARG002 - there is nothing to end
        """Send what was added up, in datagrams of whole lines."""
        assert self._socket is not None, "open() comes first"
        # What could not be sent goes first; samples add up meanwhile.
        while self._unsent or len(self._totals):
            if not self._unsent:
                lines = (line for total in self._totals for line in self._lines(total))
                self._unsent = deque(_datagrams(lines))
                self._totals.clear()
            while self._unsent:
                try:
                    self._socket.sendto(self._unsent[0], self._where)
                except OSError as error:
                    raise OutputUnavailable(error.strerror or str(error)) from error
                self._unsent.popleft()

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()

    def _labels(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags that are sent, and the check, which is part of the name."""
        hidden = self._hidden
        return {
            name: text
            for name, text in tags.items()
            if name == "check" or (hidden is not None and text and name not in hidden)
        }

    def _lines(self, total: Total[_Values]) -> Iterator[str]:
        start, tags = f"{self._namespace}{total.metric}", self._tags(total.labels)
        sink = total.sink
        if isinstance(sink, CounterSink):
            yield f"{start}:{sink.total / total.samples_per_unit:.15g}|c{tags}"
        elif isinstance(sink, GaugeSink):
            yield f"{start}:{sink.last / total.samples_per_unit:.15g}|g{tags}"
        elif isinstance(sink, RateSink) and (check := total.labels.get("check")) is not None:
            for end, count in (("pass", sink.passes), ("fail", sink.count - sink.passes)):
                if count:
                    yield f"{self._namespace}check.{_safe(check)}.{end}:{count}|c{tags}"
        elif isinstance(sink, RateSink):
            yield f"{start}:{sink.passes}|c{tags}"
        else:
            for value, count in sink.counts():
                rate = f"|@{1 / count:.9g}" if count > 1 else ""
                yield f"{start}:{value:.6f}|ms{rate}{tags}"

    def _tags(self, labels: Mapping[str, str]) -> str:
        if self._hidden is None or not labels:
            return ""
        pairs = (f"{_safe(key)}:{_safe(text)}" for key, text in labels.items())
        return f"|#{','.join(pairs)}"


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)


def _datagrams(lines: Iterable[str]) -> Iterator[bytes]:
    datagram = b""
    for line in lines:
        encoded = line.encode("utf-8", "replace")
        if datagram and len(datagram) + 1 + len(encoded) > _DATAGRAM:
            yield datagram
            datagram = b""
        datagram = datagram + b"\n" + encoded if datagram else encoded
    if datagram:
        yield datagram


def statsd_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``statsd`` as its target and k6's variables want it.

    Raises:
        OutputError: One of them cannot be used.
    """
    variables = Variables("K6_STATSD_", context.environment)
    host, port = _read_address(context.target or variables.text("ADDR", "localhost:8125"))
    hidden = variables.words("TAG_BLOCKLIST", ("vu", "iter", "url"))
    writer = StatsdWriter(
        host,
        port,
        namespace=variables.text("NAMESPACE", "k6."),
        hidden_tags=hidden if variables.switch("ENABLE_TAGS") else None,
        push_period=variables.seconds("PUSH_INTERVAL", 1.0),
    )
    return QueuedOutput("statsd", writer)


def _read_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise OutputError(f"cannot read the address {text!r}; write one such as localhost:8125")
    return host.removeprefix("[").removesuffix("]"), int(port)
