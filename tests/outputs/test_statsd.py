"""statsd, as a server reads it."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from pytest_k6api.model import Contains, MetricKind
from pytest_k6api.outputs import OutputError, OutputUnavailable
from pytest_k6api.outputs.remote.statsd import StatsdWriter
from tests.outputs.receiving import MIXED, batch, context, make_output, series

pytestmark = pytest.mark.sockets


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        yield server


def write(server: socket.socket, *batches, **environment: str) -> list[list[str]]:
    """Return the lines of each datagram that arrived."""
    host, port = server.getsockname()
    output = make_output("statsd", context(f"{host}:{port}", **environment))
    output.start()
    for each in batches:
        output.add(each)
    output.stop()
    assert output.status().error == ""
    server.sendto(b"end", server.getsockname())
    datagrams = []
    while (datagram := server.recv(65536)) != b"end":
        datagrams.append(datagram.decode().split("\n"))
    return datagrams


def test_metrics_have_the_names_and_types_of_k6(server):
    (lines,) = write(server, batch(*MIXED))

    assert sorted(lines) == [
        "k6.check.is 200.fail:1|c",
        "k6.check.is 200.pass:2|c",
        "k6.data_sent:100|c",
        "k6.http_req_duration:10.000000|ms",
        "k6.http_req_duration:20.000000|ms",
        "k6.http_req_failed:1|c",
        "k6.http_reqs:2|c",
        "k6.vus:7|g",
    ]


def test_equal_values_are_one_line_with_a_sample_rate(server):
    zeros = series("http_req_blocked", MetricKind.TREND, *(0.0,) * 4, contains=Contains.TIME)

    assert write(server, batch(zeros)) == [["k6.http_req_blocked:0.000000|ms|@0.25"]]


def test_many_values_are_rounded_by_less_than_one_percent(server):
    values = [1.0 + number / 1000 for number in range(2000)]
    duration = series("wait", MetricKind.TREND, *values)

    lines = [line for lines in write(server, batch(duration)) for line in lines]

    count = 0.0
    for line in lines:
        value, _, rate = line.removeprefix("k6.wait:").partition("|ms")
        nearest = round(float(value), 3)
        assert float(value) == pytest.approx(nearest, rel=0.01)
        count += 1 / float(rate.removeprefix("|@") or 1)
    assert len(lines) < 150
    assert count == pytest.approx(2000)


def test_tags_are_sent_where_the_server_knows_them(server):
    (lines,) = write(
        server,
        batch(*MIXED[:1], series("checks", MetricKind.RATE, 1.0, check="a:b|c")),
        K6_STATSD_ENABLE_TAGS="true",
        K6_STATSD_NAMESPACE="load.",
    )

    assert lines == ["load.http_reqs:2|c|#name:home", "load.check.a_b_c.pass:1|c|#check:a_b_c"]


def test_datagrams_hold_whole_lines_and_pass_an_ethernet(server):
    many = [series("orders_" + str(number), MetricKind.COUNTER, 1.0) for number in range(300)]

    datagrams = write(server, batch(*many))

    assert max(len("\n".join(lines)) for lines in datagrams) <= 1432
    assert sorted(line for lines in datagrams for line in lines) == sorted(
        f"k6.orders_{number}:1|c" for number in range(300)
    )


@pytest.mark.parametrize("target", ["localhost", "localhost:", "localhost:x", ":8125", "a:99999"])
def test_an_address_that_is_none_is_refused(target):
    with pytest.raises(OutputError) as caught:
        make_output("statsd", context(target))

    assert str(caught.value) == (
        f"cannot read the address {target!r}; write one such as localhost:8125"
    )


def test_what_the_network_refuses_is_sent_later_once_and_in_its_order(server, monkeypatch):
    host, port = server.getsockname()
    writer = StatsdWriter(host, port)
    writer.open()
    writer.aggregate(batch(series("orders", MetricKind.COUNTER, 1.0)))
    monkeypatch.setattr(writer, "_socket", Unreachable())

    with pytest.raises(OutputUnavailable, match="Network is unreachable"):
        writer.push(final=False)
    writer.aggregate(batch(series("orders", MetricKind.COUNTER, 2.0)))
    monkeypatch.undo()
    writer.push(final=False)
    writer.push(final=True)
    writer.close()

    server.sendto(b"end", server.getsockname())
    assert [server.recv(1500) for _ in range(3)] == [b"k6.orders:1|c", b"k6.orders:2|c", b"end"]


class Unreachable:
    def sendto(self, datagram, address):
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label empty or too long"), "label empty or too long"),
    ],
)
def test_a_host_that_has_no_address_is_told_before_any_load(monkeypatch, problem, told):
    def look_up(*_: object, **__: object) -> object:
        raise problem

    output = make_output("statsd", context("no-such-host:8125"))
    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with pytest.raises(OutputError) as caught:
        output.start()

    assert str(caught.value) == f"no-such-host: {told}"
