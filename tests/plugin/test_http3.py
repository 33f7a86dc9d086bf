"""HTTP/3 as users ask for it: on workers, beside instrumented clients, and where it cannot be."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

pytest.importorskip("qh3")

from tests.plugin.conftest import RunPytest, Service
from tests.protocols.http.h3.speaking import Server, serving

SETTINGS = ("--k6-http-version=3", "--k6-insecure-skip-tls-verify")


@pytest.fixture
def quic(tmp_path: Path) -> Iterator[Server]:
    """Give a server of HTTP/3 that answers in a thread of its own."""
    servers: list[Server] = []
    is_there, is_over = threading.Event(), trio.Event()
    token: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        async with serving(tmp_path) as server:
            servers.append(server)
            token.append(trio.lowlevel.current_trio_token())
            is_there.set()
            await is_over.wait()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert is_there.wait(20)
    yield servers[0]
    token[0].run_sync_soon(is_over.set)
    thread.join(20)


@pytest.mark.slow
@pytest.mark.sockets
def test_two_workers_speak_http3(pytester: pytest.Pytester, run_pytest: RunPytest, quic: Server):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario(
            vus=4, iterations=20, thresholds={"http_reqs{proto:HTTP/3.0}": ["count==60"]}
        )
        async def test_asked(vu):
            for response in (
                await vu.http.get("/"), await vu.http.get("/2"),
                *await vu.http.batch([("POST", "/3")]),
            ):
                assert (response.text, response.http_version) == ("hello", "HTTP/3.0")
        """
    )

    result = run_pytest(
        *SETTINGS, f"--k6-base-url={quic.url}", "--k6-workers=2", "--k6-summary-export=saved.json"
    )

    result.assert_outcomes(passed=1)
    metrics = json.loads((pytester.path / "saved.json").read_text())["metrics"]
    assert metrics["http_reqs"]["count"] == 60
    assert metrics["http_req_failed"]["passes"] == 0
    assert len(quic.peers) == 4  # a connection for each virtual user


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--k6-base-url=http://127.0.0.1:1",),
            "http_versions='3' needs https://, got 'http://127.0.0.1:1'",
        ),
        (
            ("--k6-base-url=https://shop.test", "--k6-proxy=http://127.0.0.1:1"),
            "http_versions='3' goes through no proxy, and there is one for 'https://shop.test';"
            " except the server by NO_PROXY, or write --k6-proxy=",
        ),
        (
            ("--k6-base-url=https://shop.test", "--k6-hosts=shop.test=unix:/run/shop.sock"),
            "http_versions='3' goes to no socket in the file system, and 'https://shop.test' is"
            " unix:/run/shop.sock; give it an IP address",
        ),
    ],
)
def test_where_http3_cannot_lead_is_told_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: tuple[str, ...], message: str
):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.scenario
        async def test_asked(vu):
            await vu.http.get("/")
        """
    )

    result = run_pytest("--k6-http-version=3", *options)

    result.stdout.fnmatch_lines([f"*{message}"])
    result.stdout.no_fnmatch_line("*http_reqs*")


@pytest.mark.sockets
def test_instrumented_clients_speak_what_they_speak(
    pytester: pytest.Pytester, run_pytest: RunPytest, quic: Server, service: Service
):
    pytest.importorskip("requests")
    pytester.makepyfile(
        f"""
        import httpx, pytest, requests
        from pytest_k6api import instrument

        @pytest.mark.scenario
        def test_requests(vu):
            with instrument(requests.Session()) as session:
                assert session.get("{service.url}").text == "Welcome"
            assert vu.http.get("/").text == "hello"

        @pytest.mark.scenario
        async def test_httpx(vu):
            transport = instrument(httpx.AsyncHTTPTransport())
            async with httpx.AsyncClient(transport=transport) as client:
                got = await client.get("{service.url}")
                assert (got.text, got.http_version) == ("Welcome", "HTTP/1.1")
            assert (await vu.http.get("/")).text == "hello"
        """
    )

    result = run_pytest(*SETTINGS, f"--k6-base-url={quic.url}")

    result.assert_outcomes(passed=2)
