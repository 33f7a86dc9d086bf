"""Every recorded exchange with k6 v1.1.0, replayed against the API in the same phase.

Compared are the status, the content type, the location and the body: JSON as a
document with its members in k6's order, all else byte for byte. The fake measures
what k6 measured, so that numbers and orders are equal too. Two rules hold for
all: JSON says that it is JSON, where k6 lets Go guess ``text/plain``, and what is
wrong with a body is told in words of our own under k6's title. What else differs
is listed with its reason, and the list is exact: an entry that agrees with k6
fails as well.
"""

import http.client
import json
from collections.abc import Iterator

import pytest

from pytest_k6api.api import ApiServer, ApiSettings
from tests.api.deviations import CUT_OFF, DEVIATIONS, NO_REPLY, reasons
from tests.api.fake import FakeSession
from tests.api.recorded import Exchange, load_exchanges, without_own_words

pytestmark = pytest.mark.sockets

REASONS = reasons(DEVIATIONS)

EXCHANGES = load_exchanges()


class Client:
    """Sends a request as it was recorded, byte for byte, and reads the reply."""

    def __init__(self, url: str) -> None:
        self.session = FakeSession()
        self._address = url.removeprefix("http://")

    def replay(self, exchange: Exchange) -> dict[str, object]:
        request = exchange.request
        connection = http.client.HTTPConnection(self._address, timeout=10)
        try:
            body = request.get("body")
            connection.putrequest(request["method"], request["path"], skip_accept_encoding=True)
            chunked = "Transfer-Encoding" in request.get("headers", {})
            for name, value in request.get("headers", {}).items():
                connection.putheader(name, value)
            if body is not None and not chunked:
                connection.putheader("Content-Length", str(len(body.encode())))
            connection.endheaders(None if body is None else body.encode(), encode_chunked=chunked)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        reply: dict[str, object] = {
            "status": response.status,
            "type": response.headers.get("Content-Type"),
            "body": comparable(text),
        }
        if "Location" in response.headers:
            reply["location"] = response.headers["Location"]
        return reply


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    session = FakeSession()
    server = ApiServer(session, ApiSettings(address="127.0.0.1:0"))
    replaying = Client(server.start())
    replaying.session = session
    yield replaying
    server.stop()


def comparable(body: str) -> object:
    """Return a JSON body as a document without the words that are ours; any other as it is."""
    try:
        document = json.loads(body, parse_int=float)
    except ValueError:
        return body
    return json.dumps(without_own_words(document))


def expected(exchange: Exchange) -> dict[str, object]:
    reply = {**exchange.response, "body": comparable(exchange.response["body"] or "")}
    if exchange.document is not None and str(reply["type"]).startswith("text/plain"):
        reply["type"] = "application/json"
    return reply


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[exchange.name for exchange in EXCHANGES])
def test_the_api_answers_as_k6_did(exchange: Exchange, client: Client) -> None:
    reason = REASONS.get(exchange.name)
    if reason == NO_REPLY:
        return
    client.session.load_tests = [exchange.load_test()]

    reply = client.replay(exchange)

    if reason == CUT_OFF:
        assert (reply["status"], reply["type"]) == (200, "application/json")
    elif reason is not None:
        assert reply != expected(exchange), f"it agrees with k6: {reason}"
    else:
        assert reply == expected(exchange)


def test_every_deviation_names_a_recorded_exchange_and_none_is_named_twice() -> None:
    assert set(REASONS) <= {exchange.name for exchange in EXCHANGES}
    assert len(REASONS) == sum(len(names.split()) for names in DEVIATIONS.values())


def test_k6_left_only_these_exchanges_without_a_reply() -> None:
    silent = {exchange.name for exchange in EXCHANGES if exchange.response["status"] is None}

    assert silent == {name for name, reason in REASONS.items() if reason == NO_REPLY}
