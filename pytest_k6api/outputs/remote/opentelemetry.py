"""OpenTelemetry metrics, with k6's instruments, sent by the exporters of OpenTelemetry's SDK.

An instrument of the SDK takes some microseconds for each value, which is a good part of what
a request costs. So samples are added up here, and what they add up to is handed to the
SDK's exporter in the SDK's own types: counters and histograms since the start of the load
test (cumulative), gauges with their last value.

Source: k6 v1.1.0, ``internal/output/opentelemetry``.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from threading import get_ident
from time import time_ns
from typing import Any
from urllib.parse import unquote, urlsplit

from pytest_k6api.metrics import CounterSink, GaugeSink, RateSink, SampleBatch, ThresholdSnapshot
from pytest_k6api.model import SECRETS, Contains
from pytest_k6api.outputs.base import OutputContext, OutputError, OutputUnavailable
from pytest_k6api.outputs.histograms import Histogram
from pytest_k6api.outputs.queued import QueuedOutput
from pytest_k6api.outputs.series_totals import SeriesTotals, Total
from pytest_k6api.outputs.variables import Variables

_TIMEOUT = 5.0
_UNITS = {Contains.TIME: "ms", Contains.DATA: "By", Contains.DEFAULT: ""}
# The default buckets of OpenTelemetry's histograms.
_BOUNDS = (
    *(0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0),
    *(1_000.0, 2_500.0, 5_000.0, 7_500.0, 10_000.0),
)
# What the exporters log of an answer that later attempts would have as well.
_FINAL = re.compile(
    r"code: 40[1345]\b|\.(UNAUTHENTICATED|PERMISSION_DENIED|UNIMPLEMENTED|INVALID_ARGUMENT)\b"
)
_EXAMPLE = "http://localhost:4318/v1/metrics or grpc://localhost:4317"

# Point, and all points of an instrument, as the exporter takes them: made by the SDK.
_Point = Any


class OpenTelemetryWriter:
    """Exports what samples add up to; an `Aggregator`.

    Args:
        make_exporter: Makes the SDK's exporter.
        service: Name and version of the service that the metrics are of.
        prefix: What all names of metrics begin with.
        push_period: Seconds between two exports.
    """

    def __init__(
        self,
        make_exporter: Callable[[], Any],  # OpenTelemetry is imported when a load test runs
        *,
        service: tuple[str, str],
        prefix: str = "",
        push_period: float = 10.0,
    ) -> None:
        self.push_period = push_period
        self._make_exporter = make_exporter
        self._exporter: Any = None
        self._service = service
        self._prefix = prefix
        self._totals = SeriesTotals(lambda per_unit, _: Histogram(_bounds(per_unit)))
        self._thresholds: dict[tuple[str, str], ThresholdSnapshot] = {}
        self._started_ns = 0

    def open(self) -> None:
        """Make the exporter, which connects when it exports."""
        # The import takes long enough to hold the load up later.
        import opentelemetry.sdk.metrics.export  # noqa: F401

        self._exporter = self._make_exporter()
        self._started_ns = time_ns()

    def aggregate(self, batch: SampleBatch) -> None:
        """Add `batch` up."""
        self._totals.add(batch)
        for threshold in batch.thresholds:
            self._thresholds[threshold.metric, threshold.text] = threshold

    def push(self, *, final: bool) -> None:  # noqa: ARG002 - there is nothing to end
        """Export everything that was added up."""
        from opentelemetry.sdk.metrics.export import (
            Metric,
            MetricExportResult,
            MetricsData,
            ResourceMetrics,
            ScopeMetrics,
        )
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        name, release = self._service
        metrics = [
            Metric(self._prefix + key, "", unit, data) for key, unit, data in self._instruments()
        ]
        if not metrics:
            return
        resource = Resource.create({"service.name": name, "service.version": release})
        scope = ScopeMetrics(InstrumentationScope("k6"), metrics, "")
        with _quiet(self._exporter) as said:
            result = self._exporter.export(MetricsData([ResourceMetrics(resource, [scope], "")]))
        if result is not MetricExportResult.SUCCESS:
            problem = said[-1] if said else "the export failed"
            raise (OutputError if _FINAL.search(problem) else OutputUnavailable)(problem)

    def close(self) -> None:
        """Shut the exporter down."""
        with _quiet(self._exporter):
            self._exporter.shutdown(timeout_millis=_TIMEOUT * 1000)

    def _instruments(self) -> Iterator[tuple[str, str, Any]]:
        """Yield name, unit and data of each instrument."""
        from opentelemetry.sdk.metrics.export import (
            AggregationTemporality,
            Gauge,
            Sum,
        )
        from opentelemetry.sdk.metrics.export import (
            Histogram as HistogramData,
        )

        cumulative = AggregationTemporality.CUMULATIVE
        by_name: dict[str, list[Total[Histogram]]] = {}
        for total in self._totals:
            by_name.setdefault(total.metric, []).append(total)
        now = time_ns()
        for name, totals in by_name.items():
            points = [point for total in totals for point in self._points(total, now)]
            unit, sink = _UNITS[totals[0].contains], totals[0].sink
            if isinstance(sink, CounterSink):
                yield name, unit, Sum(points, cumulative, is_monotonic=True)
            elif isinstance(sink, GaugeSink):
                yield name, unit, Gauge(points)
            elif isinstance(sink, RateSink):
                yield f"{name}.total", "", Sum(points, cumulative, is_monotonic=True)
            else:
                yield name, unit, HistogramData(points, cumulative)
        if self._thresholds:
            held, observed = self._threshold_points(now)
            yield "threshold_ok", "", Gauge(held)
            yield "threshold_observed", "", Gauge(observed)

    def _points(self, total: Total[Histogram], now: int) -> Iterator[_Point]:
        sink, labels = total.sink, total.labels
        if isinstance(sink, CounterSink):
            yield self._number(labels, now, sink.total / total.samples_per_unit)
        elif isinstance(sink, GaugeSink):
            yield self._number(labels, now, sink.last / total.samples_per_unit)
        elif isinstance(sink, RateSink):
            counts = {"nonzero": sink.passes, "zero": sink.count - sink.passes}
            for condition, count in counts.items():
                if count:
                    yield self._number({**labels, "condition": condition}, now, count)
        else:
            from opentelemetry.sdk.metrics.export import HistogramDataPoint

            yield HistogramDataPoint(
                attributes=dict(labels),
                start_time_unix_nano=self._started_ns,
                time_unix_nano=now,
                count=sink.count,
                sum=sink.total / total.samples_per_unit,
                bucket_counts=sink.counts(),
                explicit_bounds=_BOUNDS,
                min=sink.lowest / total.samples_per_unit,
                max=sink.highest / total.samples_per_unit,
            )

    def _threshold_points(self, now: int) -> tuple[Sequence[_Point], Sequence[_Point]]:
        held, observed = [], []
        for threshold in self._thresholds.values():
            labels = {"metric": threshold.metric, "expression": threshold.text}
            if threshold.ok is not None:
                held.append(self._number(labels, now, int(threshold.ok)))
            if threshold.observed is not None:
                observed.append(self._number(labels, now, float(threshold.observed)))
        return held, observed

    def _number(self, labels: Mapping[str, str], now: int, value: float) -> _Point:
        from opentelemetry.sdk.metrics.export import NumberDataPoint

        return NumberDataPoint(
            attributes=dict(labels),
            start_time_unix_nano=self._started_ns,
            time_unix_nano=now,
            value=value,
        )


@lru_cache(maxsize=8)
def _bounds(per_unit: int) -> tuple[float, ...]:
    return tuple(bound * per_unit for bound in _BOUNDS)


@contextmanager
def _quiet(exporter: object) -> Iterator[list[str]]:
    """Keep what `exporter` logs in this thread from the log of the tests, and give it."""
    said: list[str] = []
    thread = get_ident()

    def keep(record: logging.LogRecord) -> bool:
        if record.thread != thread:
            return True
        said.append(record.getMessage())
        return False

    loggers = [logging.getLogger(kind.__module__) for kind in type(exporter).__mro__]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


def opentelemetry_output(context: OutputContext) -> QueuedOutput:
    """Return the output ``opentelemetry`` as its target and k6's variables want it.

    Raises:
        OutputError: One of them cannot be used.
    """
    variables = Variables("K6_OTEL_", context.environment)
    name = context.environment.get("OTEL_SERVICE_NAME", "k6")
    release = variables.text("SERVICE_VERSION", version("pytest-k6api"))
    variables.seconds("FLUSH_INTERVAL", 1.0)  # samples are added up as they come
    writer = OpenTelemetryWriter(
        _exporter(variables, context.target),
        service=(variables.text("SERVICE_NAME", name), release),
        prefix=variables.text("METRIC_PREFIX"),
        push_period=variables.seconds("EXPORT_INTERVAL", 10.0),
    )
    return QueuedOutput("opentelemetry", writer)


def _exporter(variables: Variables, target: str) -> Callable[[], Any]:
    """Return what makes the exporter for a URL, or for what k6's variables say without one."""
    headers = {unquote(key): unquote(text) for key, text in variables.pairs("HEADERS", "=").items()}
    if not target:
        target = _target_of(variables)
    url = urlsplit(target)
    is_known = url.scheme in {"http", "https", "grpc", "grpcs"}
    if not is_known or not url.hostname or not target.isascii() or " " in target:
        shown = SECRETS.mask_url(target)
        raise OutputError(f"cannot read the URL {shown!r}; write one such as {_EXAMPLE}")
    if url.scheme.startswith("grpc"):
        if variables.switch("TLS_INSECURE_SKIP_VERIFY"):
            raise OutputError(
                "K6_OTEL_TLS_INSECURE_SKIP_VERIFY: gRPC verifies certificates always; name the"
                " authority in K6_OTEL_TLS_CERTIFICATE, or use http/protobuf"
            )
        return lambda: _grpc_exporter(variables, url.netloc, url.scheme == "grpc", headers)
    if url.path in {"", "/"}:
        target = f"{target.rstrip('/')}{variables.text('HTTP_EXPORTER_URL_PATH', '/v1/metrics')}"
    return lambda: _http_exporter(variables, target, headers)


def _target_of(variables: Variables) -> str:
    protocol = variables.text("EXPORTER_PROTOCOL", "grpc")
    if protocol == "grpc":
        scheme = "grpc" if variables.switch("GRPC_EXPORTER_INSECURE") else "grpcs"
        return f"{scheme}://{variables.text('GRPC_EXPORTER_ENDPOINT', 'localhost:4317')}"
    if protocol != "http/protobuf":
        raise variables.unreadable("EXPORTER_PROTOCOL", "grpc or http/protobuf")
    scheme = "http" if variables.switch("HTTP_EXPORTER_INSECURE") else "https"
    path = variables.text("HTTP_EXPORTER_URL_PATH", "/v1/metrics")
    return f"{scheme}://{variables.text('HTTP_EXPORTER_ENDPOINT', 'localhost:4318')}{path}"


def _http_exporter(variables: Variables, url: str, headers: dict[str, str]) -> Any:  # the SDK's
    import requests
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    session = requests.Session()
    session.verify = not variables.switch("TLS_INSECURE_SKIP_VERIFY")
    return OTLPMetricExporter(
        endpoint=url,
        certificate_file=variables.text("TLS_CERTIFICATE") or None,
        client_key_file=variables.text("TLS_CLIENT_KEY") or None,
        client_certificate_file=variables.text("TLS_CLIENT_CERTIFICATE") or None,
        headers=headers,
        timeout=_TIMEOUT,
        session=session,
    )


def _grpc_exporter(
    variables: Variables, address: str, insecure: bool, headers: dict[str, str]
) -> Any:  # the SDK's
    import grpc
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    credentials = None
    if not insecure:
        files = (
            _content(variables.text(f"TLS_{name}"))
            for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
        )
        credentials = grpc.ssl_channel_credentials(*files)
    return OTLPMetricExporter(
        endpoint=address,
        insecure=insecure,
        credentials=credentials,
        headers={key.lower(): text for key, text in headers.items()},
        timeout=_TIMEOUT,
    )


def _content(path: str) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:  # noqa: PTH123 - one that is missing names itself
        return file.read()
