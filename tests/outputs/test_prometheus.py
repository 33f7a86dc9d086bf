"""Prometheus' remote write, as a server reads it."""

import math
import struct
from base64 import b64encode
from datetime import datetime

import pytest

from pytest_k6api.model import Contains, MetricKind
from pytest_k6api.outputs import OutputError
from tests.outputs.receiving import (
    CROSSED,
    HELD,
    MIXED,
    Receiver,
    batch,
    context,
    make_output,
    receiving,
    series,
    wait_until,
)

cramjam = pytest.importorskip("cramjam")
pytest.importorskip("google.protobuf")

from pytest_k6api.outputs.remote.remote_write_messages import WriteRequest  # noqa: E402
from pytest_k6api.outputs.remote.sigv4 import SigV4  # noqa: E402

pytestmark = pytest.mark.sockets
PREFIX = "K6_PROMETHEUS_RW_"


def write(receiver: Receiver, *batches, **environment: str):
    variables = {PREFIX + name: text for name, text in environment.items()}
    output = make_output("prometheus-rw", context(f"{receiver.url}/api/v1/write", **variables))
    output.start()
    for each in batches:
        output.add(each)
    output.stop()
    return output.status()


def sent(receiver: Receiver, number: int = -1):
    request = WriteRequest()
    request.ParseFromString(bytes(cramjam.snappy.decompress_raw(receiver.posted[number].body)))
    return request.timeseries


def numbers(receiver: Receiver, number: int = -1) -> dict[str, float]:
    """Return the value of each series, by its name and those labels that are no testid."""
    found = {}
    for each in sent(receiver, number):
        labels = {label.name: label.value for label in each.labels}
        name, testid = labels.pop("__name__"), labels.pop("testid")
        assert testid == "test_shop.py::test_buy"
        key = name + "".join(f" {label}={text}" for label, text in sorted(labels.items()))
        found[key] = each.samples[0].value
    return found


def test_series_have_the_names_values_and_units_of_k6():
    with receiving() as receiver:
        status = write(receiver, batch(*MIXED), TREND_STATS="p(99),p(0.95),avg,count,sum,min")

    assert numbers(receiver) == {
        "k6_http_reqs_total name=home url=home": 2.0,
        "k6_http_req_duration_p99 name=home": pytest.approx(0.0199),
        "k6_http_req_duration_p095 name=home": pytest.approx(0.010095),
        "k6_http_req_duration_avg name=home": pytest.approx(0.015),
        "k6_http_req_duration_sum name=home": pytest.approx(0.03),
        "k6_http_req_duration_min name=home": 0.01,
        "k6_http_req_duration_count name=home": 2.0,
        "k6_data_sent_total scenario=s": 100.0,
        "k6_http_req_failed_rate name=home": 0.5,
        "k6_checks_rate check=is 200": pytest.approx(2 / 3),
        "k6_vus": 7.0,
    }
    assert (status.written, status.dropped, status.error) == (12, 0, "")
    posted = receiver.posted[0]
    assert posted.path == "/api/v1/write"
    assert posted.headers["Content-Encoding"] == "snappy"
    assert posted.headers["Content-Type"] == "application/x-protobuf"
    assert posted.headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert "Authorization" not in posted.headers


def test_labels_are_sorted_and_the_time_is_that_of_the_youngest_batch():
    with receiving() as receiver:
        write(receiver, batch(MIXED[0], at=1000.5), batch(MIXED[0], at=1000.75))

    (each,) = sent(receiver)
    assert [label.name for label in each.labels] == ["__name__", "name", "testid", "url"]
    assert (each.samples[0].timestamp, each.samples[0].value) == (1_000_750, 4.0)


def test_tags_that_are_the_same_labels_are_one_series():
    tagged = [
        series("orders", MetricKind.COUNTER, 1.0, tags={"my tag": "a", "empty": ""}),
        series("orders", MetricKind.COUNTER, 1.0, my_tag="a"),
    ]

    with receiving() as receiver:
        write(receiver, batch(*tagged))

    assert numbers(receiver) == {"k6_orders_total my_tag=a": 2.0}


def test_a_tag_testid_stays_what_it_is():
    with receiving() as receiver:
        write(receiver, batch(series("vus", MetricKind.GAUGE, 1.0, testid="nightly")))

    (each,) = sent(receiver)
    assert {label.name: label.value for label in each.labels} == {
        "__name__": "k6_vus",
        "testid": "nightly",
    }


def test_thresholds_are_series_of_their_state_and_of_what_was_observed():
    with receiving() as receiver:
        write(receiver, batch(thresholds=(HELD, CROSSED)))

    assert numbers(receiver) == {
        "k6_threshold_ok expression=value<9 metric=vus": 1.0,
        "k6_threshold_observed expression=value<9 metric=vus": 7.0,
        "k6_threshold_ok expression=rate>0.9 metric=checks": 0.0,
        "k6_threshold_observed expression=rate>0.9 metric=checks": 0.5,
    }


def test_trends_can_be_native_histograms_in_base_units():
    duration = series(
        "http_req_duration", MetricKind.TREND, 1000.0, 2000.0, 0.0, contains=Contains.TIME
    )
    plain = series("basket", MetricKind.TREND, 1.0)

    with receiving() as receiver:
        write(receiver, batch(duration, plain), TREND_AS_NATIVE_HISTOGRAM="true")

    first, second = sent(receiver)
    assert first.labels[0].value == "k6_http_req_duration_seconds"
    assert second.labels[0].value == "k6_basket"
    (histogram,) = first.histograms
    assert (histogram.count_int, histogram.sum, histogram.schema) == (3, 3.0, 3)
    assert histogram.zero_count_int == 1
    assert [(span.offset, span.length) for span in histogram.positive_spans] == [(0, 1), (7, 1)]
    assert list(histogram.positive_deltas) == [1, 0]


def test_stale_markers_end_every_series_a_millisecond_later():
    with receiving() as receiver:
        write(
            receiver,
            batch(*MIXED[:2], at=1000.5, thresholds=(HELD,)),
            STALE_MARKERS="true",
            TREND_AS_NATIVE_HISTOGRAM="true",
        )

    last = [each.samples[0] for each in sent(receiver)]
    assert len(receiver.posted) == 2
    assert [sample.timestamp for sample in last] == [1_000_501] * 4
    assert all(math.isnan(sample.value) for sample in last)
    assert {struct.pack(">d", sample.value).hex() for sample in last} == {"7ff0000000000002"}


def test_every_push_has_the_series_that_stood_still_too():
    with receiving() as receiver:
        output = make_output(
            "prometheus-rw", context(f"{receiver.url}/w", K6_PROMETHEUS_RW_PUSH_INTERVAL="10ms")
        )
        output.start()
        output.add(batch(MIXED[0], at=1000.0))
        wait_until(lambda: bool(receiver.posted))
        output.add(batch(MIXED[5], at=1001.0))
        output.stop()

    assert numbers(receiver).keys() == {"k6_http_reqs_total name=home url=home", "k6_vus"}


@pytest.mark.parametrize(
    ("environment", "authorization"),
    [
        (
            {"USERNAME": "ann", "PASSWORD": "pw"},
            f"Basic {b64encode(b'ann:pw').decode()}",
        ),
        ({"BEARER_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"HEADERS_Authorization": "Own x"}, "Own x"),
        ({"HTTP_HEADERS": "X-Scope-OrgID:7,Authorization:Own y"}, "Own y"),
    ],
)
def test_requests_are_authorized_as_the_variables_say(environment, authorization):
    with receiving() as receiver:
        write(receiver, batch(*MIXED), **environment)

    assert receiver.posted[0].headers["Authorization"] == authorization


def test_requests_are_signed_for_amazon_as_the_variables_say():
    with receiving() as receiver:
        write(
            receiver,
            batch(*MIXED),
            SIGV4_REGION="eu-west-1",
            SIGV4_ACCESS_KEY="AKID",
            SIGV4_SECRET_KEY="key",
        )

    headers = receiver.posted[0].headers
    given, host = headers.pop("Authorization"), headers["Host"]
    own = ("Content-Encoding", "Content-Type", "X-Prometheus-Remote-Write-Version")
    moment = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    signed = SigV4(region="eu-west-1", access_key="AKID", secret_key="key").sign(
        "/api/v1/write",
        {"Host": host, **{name: headers[name] for name in own}},
        receiver.posted[0].body,
        moment,
    )
    assert given == signed["Authorization"]


def test_a_name_and_password_in_the_url_are_sent_as_basic_authentication():
    with receiving() as receiver:
        receiver.url = receiver.url.replace("http://", "http://ann:p%40w@")
        write(receiver, batch(*MIXED))

    expected = f"Basic {b64encode(b'ann:p@w').decode()}"
    assert receiver.posted[0].headers["Authorization"] == expected


@pytest.mark.parametrize("answer", [500, 503, 429, None])
def test_a_server_that_is_away_gets_everything_later(answer):
    with receiving(answer) as receiver:
        status = write(receiver, batch(*MIXED))

    assert len(receiver.posted) == 2
    assert (status.written, status.dropped, status.retries, status.error) == (12, 0, 1, "")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (401, "the server answered 401 Unauthorized: said so"),
        (404, "the server answered 404 Not Found: said so"),
        (302, "the server answered 302 Found: said so"),
        (400, "the server answered 400 Bad Request: said so"),
    ],
)
def test_what_the_server_refuses_is_told_and_not_sent_again(answer, error):
    with receiving(answer) as receiver:
        status = write(receiver, batch(*MIXED))

    assert len(receiver.posted) == 1
    assert (status.written, status.dropped, status.error) == (0, 12, error)


@pytest.mark.parametrize(
    ("target", "environment", "error"),
    [
        (
            "localhost:9090",
            {},
            "cannot read the URL 'localhost:9090'; write one such as"
            " http://localhost:9090/api/v1/write",
        ),
        (
            "",
            {"TREND_STATS": "p(101)"},
            "K6_PROMETHEUS_RW_TREND_STATS: ",
        ),
        (
            "",
            {"PUSH_INTERVAL": "often"},
            "K6_PROMETHEUS_RW_PUSH_INTERVAL: takes a duration such as 5s, got 'often'",
        ),
        (
            "",
            {"STALE_MARKERS": "maybe"},
            "K6_PROMETHEUS_RW_STALE_MARKERS: takes true or false, got 'maybe'",
        ),
        (
            "",
            {"HTTP_HEADERS": "a=b"},
            "K6_PROMETHEUS_RW_HTTP_HEADERS: takes NAME:VALUE, several with commas between,"
            " got 'a=b'",
        ),
        (
            "",
            {"SIGV4_REGION": "eu-west-1"},
            "a signature needs region, access key and secret key; set"
            " K6_PROMETHEUS_RW_SIGV4_ACCESS_KEY and K6_PROMETHEUS_RW_SIGV4_SECRET_KEY too",
        ),
        (
            "",
            {"CLIENT_CERTIFICATE": "/no/such"},
            "cannot read the certificates in /no/such: ",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_output_is_made(target, environment, error):
    variables = {PREFIX + name: text for name, text in environment.items()}

    with pytest.raises(OutputError) as caught:
        make_output("prometheus-rw", context(target, **variables))

    assert str(caught.value).startswith(error)
