"""Scenarios that are ordinary functions: libraries without async are loaded as they are.

Each virtual user gets a thread of its own, for all its life, so it can keep what
belongs to a thread: a session of `requests`, a connection to sqlite. `vu` is the same,
without `await`. `instrument` measures HTTP clients; what other libraries do is measured
by metrics of one's own.
"""

import sqlite3

import pytest

from pytest_k6api import Trend, instrument, vu_fixture

requests = pytest.importorskip("requests", reason="it comes with the extra «examples»")

insert_time = Trend("insert_time", contains="time")


@vu_fixture
def session(vu):
    with requests.Session() as session:
        yield instrument(session, vu)


@pytest.mark.scenario(vus=5, duration="1s", thresholds={"http_req_duration": ["p(95)<1000"]})
def test_with_requests(vu, session, k6_base_url):
    response = session.get(f"{k6_base_url}/products", timeout=5)
    vu.check(response, {"has products": lambda r: len(r.json()) == 5})
    vu.sleep(0.1)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("shop") / "orders.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE orders (vu INTEGER, product INTEGER)")
    connection.close()
    return path


@vu_fixture
def connection(database):
    """One for each virtual user: sqlite wants to see it in the thread that made it."""
    connection = sqlite3.connect(database, timeout=10, isolation_level=None)
    yield connection
    connection.close()


@pytest.mark.scenario(vus=5, iterations=100, thresholds={"insert_time": ["avg<1000"]})
def test_with_sqlite(vu, connection):
    product = vu.http.get(f"/products/{vu.random.randint(1, 5)}", name="/products/{id}").json()
    with insert_time.timed():
        connection.execute("INSERT INTO orders VALUES (?, ?)", (vu.id, product["id"]))


def test_no_order_was_lost(database, k6):
    connection = sqlite3.connect(database)
    (orders,) = connection.execute("SELECT count(*) FROM orders").fetchone()
    connection.close()

    assert orders == k6.metrics["iterations"].count == 100
