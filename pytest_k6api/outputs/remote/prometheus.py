"""Prometheus' remote write 1.0, with the names that k6 gives its series.

Every push has all series, those that stood still too: who asks for a rate finds no holes.

Source: k6 v1.1.0, ``internal/output/prometheusrw/remotewrite``.
"""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from pytest_k6api.metrics import (
    Aggregation,
    CounterSink,
    GaugeSink,
    RateSink,
    SampleBatch,
    ThresholdSnapshot,
    TrendMemory,
    TrendSink,
    finite,
    parse_aggregation,
)
from pytest_k6api.model import Contains, LoadTestInfo, MetricError, MetricKind
from pytest_k6api.outputs.base import OutputContext, OutputError
from pytest_k6api.outputs.histograms import NATIVE_SCHEMA, ZERO_THRESHOLD, NativeHistogram, Spans
from pytest_k6api.outputs.queued import QueuedOutput
from pytest_k6api.outputs.remote.http_target import (
    HttpTarget,
    Signer,
    basic,
    read_url,
    tls_context,
)
from pytest_k6api.outputs.remote.sigv4 import SigV4
from pytest_k6api.outputs.series_totals import SeriesTotals, Total
from pytest_k6api.outputs.variables import Variables

PREFIX = "k6_"
_DEFAULT_URL = "http://localhost:9090/api/v1/write"
_HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
_NO_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_UNITS = {Contains.TIME: "_seconds", Contains.DATA: "_bytes", Contains.DEFAULT: ""}
_TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_NAN = float("nan")

# Of each trend, until the next push asks for percentiles.
_MOST_WAITING = 50_000

Stats = Mapping[str, Aggregation]
"""The numbers of a trend by the end of the series' name."""


def read_stats(texts: Iterable[str]) -> dict[str, Aggregation]:
    """Return the numbers of a trend that are sent, by the end of their series' name.

    >>> sorted(read_stats(["avg", "p(99)", "p(0.95)"]))
    ['avg', 'p095', 'p99']

    Raises:
        OutputError: A trend has no such number.
    """
    try:
        return {
            re.sub(r"[().]", "", text): parse_aggregation(text, MetricKind.TREND) for text in texts
        }
    except MetricError as error:
        raise OutputError(f"K6_PROMETHEUS_RW_TREND_STATS: {error}") from None


def label_names(tags: Mapping[str, str], *, testid: str) -> dict[str, str]:
    """Return `tags` as labels: without empty ones, in Prometheus' letters, with a ``testid``."""
    labels = {_label(name): text for name, text in tags.items() if text}
    labels.setdefault("testid", testid)
    return labels


def _label(name: str) -> str:
    name = _NO_LABEL.sub("_", name)
    return f"_{name}" if name[:1].isdigit() else name


class RemoteWriter:
    """Pushes what samples add up to; an `Aggregator`.

    Args:
        post: Sends the body of a request.
        testid: The label ``testid`` where no tag has that name.
        stats: What is sent of trends; None for native histograms.
        stale_markers: Whether the series are ended with the load test.
        push_period: Seconds between two pushes.
    """

    def __init__(
        self,
        post: Callable[[bytes], None],
        *,
        testid: str,
        stats: Stats | None,
        stale_markers: bool = False,
        push_period: float = 5.0,
    ) -> None:
        self.push_period = push_period
        self._post = post
        self._testid = testid
        self._stats = stats
        self._stale_markers = stale_markers
        memory = TrendMemory()
        self._totals: SeriesTotals[TrendSink | NativeHistogram] = SeriesTotals(
            (lambda per_unit, _: TrendSink(per_unit, memory, most_waiting=_MOST_WAITING))
            if stats is not None
            else _native_histogram,
            partial(label_names, testid=testid),
        )
        self._thresholds: dict[tuple[str, str], ThresholdSnapshot] = {}
        # Of the youngest batch, and of what was sent last, in milliseconds.
        self._now_ms = self._sent_ms = 0

    def open(self) -> None:
        """Import what a push needs, which would hold the load up later; connect for each push alone."""
        import cramjam  # noqa: F401

        from pytest_k6api.outputs.remote import remote_write_messages  # noqa: F401

    def aggregate(self, batch: SampleBatch) -> None:
        """Add `batch` up."""
        self._totals.add(batch)
        for threshold in batch.thresholds:
            self._thresholds[threshold.metric, threshold.text] = threshold
        self._now_ms = max(self._now_ms, int(batch.at * 1000))

    def push(self, *, final: bool) -> None:
        """Send all series, if there is anything new; end them if that is wanted."""
        if self._now_ms > self._sent_ms:
            self._send(self._now_ms, is_end=False)
            self._sent_ms = self._now_ms
        if final and self._stale_markers and self._sent_ms:
            # A sample of the same time would be a duplicate, and the series would live on.
            self._send(self._sent_ms + 1, is_end=True)

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def _send(self, at_ms: int, *, is_end: bool) -> None:
        import cramjam

        from pytest_k6api.outputs.remote.remote_write_messages import STALE, WriteRequest

        request = WriteRequest()
        for total in self._totals:
            if isinstance(total.sink, NativeHistogram) and not is_end:
                series = _add_series(request, _name(total, ""), total.labels)
                _fill(series.histograms.add(timestamp=at_ms), total.sink)
                continue
            for name, value in self._numbers(total):
                series = _add_series(request, name, total.labels)
                series.samples.add(value=STALE if is_end else value, timestamp=at_ms)
        for threshold in self._thresholds.values():
            labels = {
                "metric": threshold.metric,
                "expression": threshold.text,
                "testid": self._testid,
            }
            for name, value in _threshold_numbers(threshold):
                series = _add_series(request, name, labels)
                series.samples.add(value=STALE if is_end else value, timestamp=at_ms)
        self._post(bytes(cramjam.snappy.compress_raw(request.SerializeToString())))

    def _numbers(self, total: Total[Any]) -> Iterable[tuple[str, float]]:
        sink = total.sink
        if isinstance(sink, CounterSink):
            yield _name(total, "total"), finite(sink.total / total.samples_per_unit)
        elif isinstance(sink, GaugeSink):
            yield _name(total, ""), sink.last / total.samples_per_unit
        elif isinstance(sink, RateSink):
            yield _name(total, "rate"), sink.passes / sink.count
        elif isinstance(sink, NativeHistogram):
            yield _name(total, ""), _NAN
        else:
            scale = 1000.0 if total.contains is Contains.TIME else 1.0
            for end, aggregation in (self._stats or {}).items():
                number = finite(sink.measure(aggregation))
                yield _name(total, end), number if end == "count" else number / scale


def _native_histogram(per_unit: int, contains: Contains) -> NativeHistogram:
    return NativeHistogram(per_unit * (1000.0 if contains is Contains.TIME else 1.0))


def _name(total: Total[Any], end: str) -> str:
    unit = _UNITS[total.contains] if isinstance(total.sink, NativeHistogram) else ""
    return f"{PREFIX}{total.metric}{unit}{f'_{end}' if end else ''}"


def _threshold_numbers(threshold: ThresholdSnapshot) -> Iterable[tuple[str, float]]:
    if threshold.ok is not None:
        yield f"{PREFIX}threshold_ok", float(threshold.ok)
    if threshold.observed is not None:
        yield f"{PREFIX}threshold_observed", threshold.observed


def _add_series(request: Any, name: str, labels: Mapping[str, str]) -> Any:  # protobuf's
    series = request.timeseries.add()
    for key, text in sorted({"__name__": name, **labels}.items()):
        series.labels.add(name=key, value=text)
    return series


def _fill(message: Any, histogram: NativeHistogram) -> None:  # protobuf's
    message.count_int, message.sum = histogram.count, finite(histogram.sum)
    message.schema, message.zero_threshold = NATIVE_SCHEMA, ZERO_THRESHOLD
    message.zero_count_int = histogram.zeros
    _fill_spans(message.positive_spans, message.positive_deltas, histogram.positive())
    _fill_spans(message.negative_spans, message.negative_deltas, histogram.negative())


def _fill_spans(spans: Any, deltas: Any, buckets: Spans) -> None:  # protobuf's
    for offset, length in buckets.spans:
        spans.add(offset=offset, length=length)
    deltas.extend(buckets.deltas)


def prometheus_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``prometheus-rw`` as its target and k6's variables want it.

    Raises:
        OutputError: One of them cannot be used.
    """
    variables = Variables("K6_PROMETHEUS_RW_", context.environment)
    url = read_url(context.target or variables.text("SERVER_URL", _DEFAULT_URL), _DEFAULT_URL)
    tls = tls_context(
        verify=not variables.switch("INSECURE_SKIP_TLS_VERIFY"),
        cert_file=variables.text("CLIENT_CERTIFICATE"),
        key_file=variables.text("CLIENT_CERTIFICATE_KEY"),
        least=_least_tls(variables),
    )
    is_native = variables.switch("TREND_AS_NATIVE_HISTOGRAM")
    stats = read_stats(variables.words("TREND_STATS", ("p(99)",)))
    writer = RemoteWriter(
        HttpTarget(url, {**_headers(variables), **_HEADERS}, tls, _signer(variables)).post,
        testid=_testid(context.load_test),
        stats=None if is_native else stats,
        stale_markers=variables.switch("STALE_MARKERS"),
        push_period=variables.seconds("PUSH_INTERVAL", 5.0),
    )
    return QueuedOutput("prometheus-rw", writer)


def _least_tls(variables: Variables) -> ssl.TLSVersion:
    name = "TLS_MIN_VERSION"
    version = _TLS_VERSIONS.get(variables.text(name, "1.2"))
    if version is None:
        raise variables.unreadable(name, "1.2 or 1.3")
    return version


def _signer(variables: Variables) -> Signer:
    names = ("SIGV4_REGION", "SIGV4_ACCESS_KEY", "SIGV4_SECRET_KEY")
    region, access_key, secret_key = given = [variables.text(name) for name in names]
    if not any(given):
        return lambda _target, _headers, _body: {}
    missing = [
        f"K6_PROMETHEUS_RW_{name}" for name, text in zip(names, given, strict=True) if not text
    ]
    if missing:
        raise OutputError(
            f"a signature needs region, access key and secret key; set {' and '.join(missing)} too"
        )
    return SigV4(region=region, access_key=access_key, secret_key=secret_key).sign


def _testid(load_test: LoadTestInfo) -> str:
    """Return the tag ``testid`` of all scenarios, or the load test's name."""
    given = {str(options.tags.get("testid", "")) for options in load_test.scenarios}
    # Samples of the load test itself, such as `vus`, have no tags of scenarios.
    return given.pop() or load_test.name if len(given) == 1 else load_test.name


def _headers(variables: Variables) -> dict[str, str]:
    headers = variables.beginning_with("HEADERS_") | variables.pairs("HTTP_HEADERS", ":")
    if variables.text("USERNAME"):
        headers["Authorization"] = basic(variables.text("USERNAME"), variables.text("PASSWORD"))
    if variables.text("BEARER_TOKEN"):
        headers["Authorization"] = f"Bearer {variables.text('BEARER_TOKEN')}"
    return headers
