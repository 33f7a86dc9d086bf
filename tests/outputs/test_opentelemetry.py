"""OpenTelemetry metrics, as a receiver reads them."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pytest_k6api.outputs import OutputError
from tests.outputs.receiving import CROSSED, HELD, MIXED, batch, context, make_output, receiving

pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
grpc = pytest.importorskip("grpc")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: E402
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (  # noqa: E402
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)

pytestmark = pytest.mark.sockets


def write(target: str, *batches, **environment: str):
    variables = {f"K6_OTEL_{name}": text for name, text in environment.items()}
    output = make_output("opentelemetry", context(target, **variables))
    output.start()
    for each in batches:
        output.add(each)
    output.stop()
    return output.status()


def parse(body: bytes):
    request = ExportMetricsServiceRequest()
    request.ParseFromString(body)
    return request


def texts(attributes) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


def described(request) -> dict[str, list[tuple[object, ...]]]:
    """Return kind and unit of each instrument, then its points as attributes and value."""
    ((scope,),) = (each.scope_metrics for each in request.resource_metrics)
    assert scope.scope.name == "k6"
    found: dict[str, list[tuple[object, ...]]] = {}
    for metric in scope.metrics:
        kind = metric.WhichOneof("data")
        points = getattr(metric, kind).data_points
        found[metric.name] = [
            (kind, metric.unit),
            *(
                (texts(point.attributes), _value(point, kind))
                for point in sorted(points, key=lambda each: str(each.attributes))
            ),
        ]
    return found


def _value(point, kind: str) -> object:
    if kind == "histogram":
        return point.count, point.sum, point.min, point.max, list(point.bucket_counts)
    return getattr(point, point.WhichOneof("value"))


def test_instruments_have_the_names_kinds_and_units_of_k6():
    with receiving() as receiver:
        status = write(receiver.url, batch(*MIXED))

    (posted,) = receiver.posted
    request = parse(posted.body)
    assert described(request) == {
        "http_reqs": [("sum", ""), ({"name": "home", "url": "home", "group": ""}, 2.0)],
        "http_req_duration": [
            ("histogram", "ms"),
            (
                {"name": "home"},
                (2, 30.0, 10.0, 20.0, [0, 0, 1, 1, *[0] * 12]),
            ),
        ],
        "data_sent": [("sum", "By"), ({"scenario": "s"}, 100.0)],
        "http_req_failed.total": [
            ("sum", ""),
            ({"name": "home", "condition": "nonzero"}, 1),
            ({"name": "home", "condition": "zero"}, 1),
        ],
        "checks.total": [
            ("sum", ""),
            ({"check": "is 200", "condition": "nonzero"}, 2),
            ({"check": "is 200", "condition": "zero"}, 1),
        ],
        "vus": [("gauge", ""), ({}, 7.0)],
    }
    assert posted.path == "/v1/metrics"
    resource = texts(request.resource_metrics[0].resource.attributes)
    assert resource["service.name"] == "k6"
    assert (status.written, status.dropped, status.error) == (12, 0, "")


def test_sums_are_monotonic_and_cumulative_from_the_start():
    with receiving() as receiver:
        write(receiver.url, batch(*MIXED[:2]), batch(*MIXED[:2]))

    ((scope,),) = (each.scope_metrics for each in parse(receiver.posted[-1].body).resource_metrics)
    count, duration = scope.metrics
    assert count.sum.is_monotonic
    assert (count.sum.aggregation_temporality, duration.histogram.aggregation_temporality) == (2, 2)
    (point,) = count.sum.data_points
    assert point.as_double == 4.0
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano


def test_thresholds_are_gauges_of_their_state_and_of_what_was_observed():
    with receiving() as receiver:
        write(receiver.url, batch(thresholds=(HELD, CROSSED)))

    held = {"metric": "vus", "expression": "value<9"}
    crossed = {"metric": "checks", "expression": "rate>0.9"}
    assert described(parse(receiver.posted[0].body)) == {
        "threshold_ok": [("gauge", ""), (crossed, 0), (held, 1)],
        "threshold_observed": [("gauge", ""), (crossed, 0.5), (held, 7.0)],
    }


def test_the_variables_of_k6_are_read():
    with receiving() as receiver:
        write(
            "",
            batch(MIXED[5]),
            EXPORTER_PROTOCOL="http/protobuf",
            HTTP_EXPORTER_ENDPOINT=receiver.url.removeprefix("http://"),
            HTTP_EXPORTER_INSECURE="true",
            HTTP_EXPORTER_URL_PATH="/otlp",
            HEADERS="x-key=a%20b,other=c",
            METRIC_PREFIX="load_",
            SERVICE_NAME="shop",
            SERVICE_VERSION="7",
        )

    (posted,) = receiver.posted
    request = parse(posted.body)
    assert (posted.path, posted.headers["x-key"], posted.headers["other"]) == ("/otlp", "a b", "c")
    assert list(described(request)) == ["load_vus"]
    resource = texts(request.resource_metrics[0].resource.attributes)
    assert (resource["service.name"], resource["service.version"]) == ("shop", "7")


@contextmanager
def grpc_receiver() -> Iterator[tuple[str, list[tuple[object, dict[str, str]]]]]:
    taken = []

    class Servicer(MetricsServiceServicer):
        def Export(self, request, context):  # noqa: N802 - gRPC's
            taken.append((request, dict(context.invocation_metadata())))
            return ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(2))
    add_MetricsServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}", taken
    finally:
        server.stop(None).wait()


@pytest.mark.parametrize("by_variable", [False, True])
def test_grpc_takes_the_same(by_variable):
    with grpc_receiver() as (address, taken):
        variables = {"HEADERS": "X-Key=v"}
        if by_variable:
            variables |= {"GRPC_EXPORTER_ENDPOINT": address, "GRPC_EXPORTER_INSECURE": "true"}
        status = write("" if by_variable else f"grpc://{address}", batch(MIXED[5]), **variables)

    ((request, metadata),) = taken
    assert described(request) == {"vus": [("gauge", ""), ({}, 7.0)]}
    assert metadata["x-key"] == "v"
    assert (status.written, status.error) == (2, "")


def test_a_receiver_that_refuses_is_told_in_the_status_and_not_in_the_log(caplog):
    with receiving(400, 400, 400, 400, 400, 400, 400, 400, 400, 400) as receiver:
        output = make_output("opentelemetry", context(receiver.url))
        output._close_timeout = 0.3
        with caplog.at_level(logging.DEBUG):
            output.start()
            output.add(batch(MIXED[5]))
            output.stop()

    status = output.status()
    assert (status.written, status.dropped) == (0, 2)
    assert "400" in status.error
    assert [each for each in caplog.records if "opentelemetry" in each.name] == []


@pytest.mark.parametrize("answer", [401, 403, 404])
def test_an_answer_that_later_attempts_would_have_too_ends_the_output_at_once(answer):
    with receiving(answer) as receiver:
        output = make_output("opentelemetry", context(receiver.url))
        output.start()
        output.add(batch(MIXED[5]))
        output.stop()

    status = output.status()
    assert (status.written, status.dropped, status.retries) == (0, 2, 0)
    assert str(answer) in status.error
    assert len(receiver.posted) == 1


@pytest.mark.parametrize(
    ("target", "environment", "error"),
    [
        (
            "collector:4317",
            {},
            "cannot read the URL 'collector:4317'; write one such as"
            " http://localhost:4318/v1/metrics or grpc://localhost:4317",
        ),
        (
            "",
            {"EXPORTER_PROTOCOL": "http"},
            "K6_OTEL_EXPORTER_PROTOCOL: takes grpc or http/protobuf, got 'http'",
        ),
        (
            "grpcs://localhost:4317",
            {"TLS_INSECURE_SKIP_VERIFY": "true"},
            "K6_OTEL_TLS_INSECURE_SKIP_VERIFY: gRPC verifies certificates always; name the"
            " authority in K6_OTEL_TLS_CERTIFICATE, or use http/protobuf",
        ),
        (
            "",
            {"HEADERS": "a:b"},
            "K6_OTEL_HEADERS: takes NAME=VALUE, several with commas between, got 'a:b'",
        ),
        (
            "",
            {"EXPORT_INTERVAL": "0"},
            "K6_OTEL_EXPORT_INTERVAL: takes a duration such as 5s, got '0'",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_output_is_made(target, environment, error):
    variables = {f"K6_OTEL_{name}": text for name, text in environment.items()}

    with pytest.raises(OutputError) as caught:
        make_output("opentelemetry", context(target, **variables))

    assert str(caught.value) == error
