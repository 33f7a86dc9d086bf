"""InfluxDB's line protocol, as a server reads it."""

import gzip
from urllib.parse import parse_qs, urlsplit

import pytest

from pytest_k6api.model import MetricKind
from pytest_k6api.outputs import OutputError
from pytest_k6api.outputs.remote import influxdb
from tests.outputs.receiving import (
    AT_US,
    MIXED,
    Receiver,
    batch,
    context,
    make_output,
    receiving,
    series,
)

pytestmark = pytest.mark.sockets
NS = AT_US * 1000


def write(receiver: Receiver, *batches, path: str = "", **environment: str):
    variables = {f"K6_INFLUXDB_{name}": text for name, text in environment.items()}
    output = make_output("influxdb", context(receiver.url + path, **variables))
    output.start()
    for each in batches:
        output.add(each)
    output.stop()
    return output.status()


def lines(receiver: Receiver) -> list[str]:
    bodies = [posted.body for posted in receiver.posted if posted.path != "/query"]
    return [line for body in bodies for line in body.decode().split("\n")]


def test_points_have_a_value_tags_and_times_of_their_own():
    with receiving() as receiver:
        status = write(receiver, batch(*MIXED[:2]), path="/load")

    assert lines(receiver) == [
        f'http_reqs,name=home value=1.0,url="home" {NS}',
        f'http_reqs,name=home value=1.0,url="home" {NS + 1}',
        f"http_req_duration,name=home value=10.0 {NS}",
        f"http_req_duration,name=home value=20.0 {NS + 1}",
    ]
    create, wrote = receiver.posted
    assert (create.path, parse_qs(create.body.decode())) == (
        "/query",
        {"q": ['CREATE DATABASE "load"']},
    )
    assert urlsplit(wrote.path).path == "/write"
    assert parse_qs(urlsplit(wrote.path).query) == {"db": ["load"], "precision": ["ns"]}
    assert "Content-Encoding" not in wrote.headers
    assert (status.written, status.dropped) == (4, 0)


def test_bodies_for_another_machine_are_compressed(monkeypatch):
    monkeypatch.setattr(influxdb, "_NEAR", frozenset())
    with receiving() as receiver:
        write(receiver, batch(MIXED[5]))

    assert receiver.posted[-1].headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(receiver.posted[-1].body).startswith(b"vus value=3.0 ")


def test_what_the_protocol_gives_a_meaning_is_escaped():
    odd = series(
        "orders", MetricKind.COUNTER, 1.0, tags={"a b": "x,y=z", "url": 'say "hi"\\', "n": "1\n2"}
    )

    with receiving() as receiver:
        write(receiver, batch(odd))

    assert lines(receiver) == [
        rf'orders,a\ b=x\,y\=z,n=1\ 2 value=1.0,url="say \"hi\"\\" {NS}',
    ]


def test_tags_become_fields_with_the_types_that_the_variable_says():
    tagged = series(
        "orders", MetricKind.COUNTER, 1.0, vu="3", iter="x", ok="True", w="1.5", url="u"
    )

    with receiving() as receiver:
        write(receiver, batch(tagged), TAGS_AS_FIELDS="vu:int,iter:int,ok:bool,w:float")

    assert lines(receiver) == [f'orders,url=u value=1.0,iter="x",ok=true,vu=3i,w=1.5 {NS}']


def test_a_target_with_a_bucket_is_written_to_as_version_2_wants_it():
    with receiving() as receiver:
        write(receiver, batch(MIXED[5]), path="/?org=me&bucket=load", TOKEN="t0ken")

    (wrote,) = receiver.posted
    assert urlsplit(wrote.path).path == "/api/v2/write"
    assert parse_qs(urlsplit(wrote.path).query) == {
        "org": ["me"],
        "bucket": ["load"],
        "precision": ["ns"],
    }
    assert wrote.headers["Authorization"] == "Token t0ken"


def test_a_body_has_twenty_thousand_lines_at_the_most():
    with receiving() as receiver:
        status = write(receiver, batch(series("orders", MetricKind.COUNTER, *(1.0,) * 45_000)))

    sizes = [len(each.body.splitlines()) for each in receiver.posted[1:]]
    assert sizes == [20_000, 20_000, 5_000]
    assert len(set(lines(receiver))) == 45_000
    assert status.written == 45_000


def test_a_database_that_cannot_be_made_keeps_nothing_from_being_written():
    with receiving(403) as receiver:
        status = write(receiver, batch(MIXED[5]))

    assert (status.written, status.error) == (2, "")


def test_points_that_are_refused_are_told_and_later_ones_written():
    with receiving(204, 400) as receiver:
        status = write(receiver, batch(MIXED[5]))

    assert (status.written, status.dropped) == (0, 2)
    assert status.error == "the server answered 400 Bad Request: said so"


def test_a_type_of_a_field_that_is_not_known_is_refused():
    with pytest.raises(OutputError) as caught:
        make_output("influxdb", context("", K6_INFLUXDB_TAGS_AS_FIELDS="vu:integer"))

    assert str(caught.value) == (
        "K6_INFLUXDB_TAGS_AS_FIELDS: takes NAME or NAME:TYPE with the types int, float, bool and"
        " string, got 'vu:integer'"
    )
