"""Proxies and given addresses lead requests to the same places as k6's, in the same form."""

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle.programs import run_k6, run_plugin

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary]


class Recorder(socketserver.ThreadingTCPServer):
    """Answers every request with 200, and keeps its first line and its ``Host``."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.heads: list[tuple[str, str]] = []
        self.credentials: set[str] = set()


class Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        recorder = self.server
        assert isinstance(recorder, Recorder)
        while line := self.rfile.readline().decode().strip():
            fields = {}
            while field := self.rfile.readline().decode().strip():
                name, _, value = field.partition(": ")
                fields[name.lower()] = value
            self.rfile.read(int(fields.get("content-length", 0)))
            recorder.heads.append((line, fields["host"]))
            recorder.credentials.add(fields.get("proxy-authorization", ""))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def heard(recorder: Recorder) -> tuple[list[tuple[str, str]], set[str]]:
    found = sorted(recorder.heads), set(recorder.credentials)
    recorder.heads.clear()
    recorder.credentials.clear()
    return found


def test_given_addresses_get_the_requests_of_names_and_wildcards(
    recorder: Recorder, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{recorder.server_address[1]}"

    run_k6("ways", tmp_path, {"SHOP": address})
    of_k6 = heard(recorder)
    hosts = (f"--k6-hosts=shop.test={address}", f"--k6-hosts=*.shop.test:8080={address}")
    outcome = run_plugin("ways", tmp_path, {}, *hosts)

    assert outcome.count("http_reqs") == 6
    assert heard(recorder) == of_k6
    assert len(of_k6[0]) == 6


def test_a_proxy_gets_the_same_requests(recorder: Recorder, tmp_path: Path) -> None:
    proxy = f"http://ann:pw@127.0.0.1:{recorder.server_address[1]}"

    run_k6("ways", tmp_path, {"SHOP": "127.0.0.1:1", "HTTP_PROXY": proxy}, "--no-usage-report")
    of_k6 = heard(recorder)
    outcome = run_plugin("ways", tmp_path, {"HTTP_PROXY": proxy})

    assert outcome.count("http_reqs") == 6
    assert heard(recorder) == of_k6
    assert of_k6[0][0] == ("GET http://shop.test/cart HTTP/1.1", "shop.test")
    assert of_k6[1] == {"Basic YW5uOnB3"}
