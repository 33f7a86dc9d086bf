"""Time that a server takes is in a metric, and no request takes longer than its timeout."""

import json
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from pytest_k6api.model.metrics import HTTP_REQ_RETRIES
from tests.protocols.http.serving import OK, Harness, Peer, a_tester, replying, serving
from tests.protocols.http.test_against_k6 import k6
from tests.protocols.http.test_traffic import answering_after
from tests.virtual_time import in_real_time

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("waiting")]

HOLD = 0.3


class Holding:
    """Answer the first request of each connection; hold the next ones for `HOLD`, and close."""

    def __init__(self, *, is_reset: bool = False) -> None:
        self.held = 0
        self.is_reset = is_reset

    async def __call__(self, peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        if await peer.head():
            self.held += 1
            await trio.sleep(HOLD)
            if self.is_reset:
                await peer.reset()


def retries(tester: Harness) -> list[tuple[dict[str, str], float]]:
    return [
        (dict(tester.table[tags]), value)
        for metric, tags, value in tester.recorder.buffer.samples
        if metric is HTTP_REQ_RETRIES
    ]


@pytest.mark.parametrize("is_reset", [False, True])
@in_real_time
async def test_what_a_lost_attempt_took_is_in_the_duration_and_the_retry_is_counted(
    is_reset: bool,
) -> None:
    handler = Holding(is_reset=is_reset)
    async with serving(handler) as server, a_tester() as tester:
        await tester.client.get(server.url)
        response = await tester.client.get(server.url, name="home", tags={"kind": "b"})

    assert (response.status_code, handler.held, server.connections) == (200, 1, 2)
    assert len(tester.rows) == 2
    _, failed, duration, *phases, _ = tester.rows[1]
    assert (failed, phases[:3]) == (0, [0, 0, 0])
    assert duration >= HOLD * 1e6
    assert sum(phases[3:]) == duration
    assert response.elapsed.total_seconds() >= HOLD
    ((tags, count),) = retries(tester)
    assert count == 1.0
    assert tags == {
        "group": "",
        "scenario": "s",
        "method": "GET",
        "name": "home",
        "url": "home",
        "kind": "b",
    }


@in_real_time
async def test_one_deadline_spans_all_attempts() -> None:
    handler = Holding()
    async with serving(handler) as server, a_tester() as tester:
        await tester.client.batch([server.url] * 6)
        response = await tester.client.get(server.url, timeout=1.5 * HOLD)

    assert (response.error, response.error_code) == ("request timeout", 1050)
    assert handler.held == 2
    assert len(tester.rows) == 7
    assert tester.rows[-1][2] >= 1.5 * HOLD * 1e6
    assert len(retries(tester)) == 1


@in_real_time
async def test_a_server_that_is_gone_after_a_lost_attempt_fails_with_the_time_it_took() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"

    async def serve() -> None:
        async with await listener.accept() as stream:
            await stream.receive_some()
            await stream.send_all(OK)
            await stream.receive_some()
            await listener.aclose()
            await trio.sleep(HOLD)

    async with a_tester() as tester, trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await tester.client.get(url)
        response = await tester.client.get(url)

    assert (response.error, response.error_code) == ("dial: connection refused", 1212)
    assert tester.rows[1][2] >= HOLD * 1e6


@in_real_time
async def test_redirects_share_the_timeout_of_the_request() -> None:
    hops = 0

    async def slow(peer: Peer) -> None:
        nonlocal hops
        while await peer.head():
            hops += 1
            await trio.sleep(0.2)
            await peer.send(b"HTTP/1.1 302 Found\r\nLocation: /on\r\nContent-Length: 0\r\n\r\n")

    async with serving(slow) as server, a_tester() as tester:
        response = await tester.client.get(server.url, timeout=0.3)

    assert (response.error_code, hops, len(tester.rows)) == (1050, 2, 2)


@in_real_time
async def test_a_loop_that_stands_still_again_and_again_has_timeouts_too() -> None:
    async def stall(peer: Peer) -> None:
        await peer.head()
        await trio.sleep_forever()

    async def block() -> None:
        while True:
            time.sleep(0.25)  # noqa: ASYNC251 - that is the point
            await trio.lowlevel.checkpoint()

    with trio.fail_after(20):
        async with (
            serving(stall) as server,
            a_tester(timeout=0.1) as tester,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(block)
            response = await tester.client.get(server.url)
            nursery.cancel_scope.cancel()

    assert response.error_code == 1050


@pytest.mark.parametrize("shift", [-3600.0, 3600.0, 0.04, 0.15, None])
@in_real_time
async def test_a_wall_clock_that_a_test_has_moved_or_frozen_changes_no_duration(
    shift: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time_ns
    frozen = real()

    def time_ns() -> int:
        return frozen if shift is None else real() + round(shift * 1e9)

    # As time-machine does it: also for who has imported the function.
    for module in list(sys.modules.values()):
        if getattr(module, "time_ns", None) is real:
            monkeypatch.setattr(module, "time_ns", time_ns)
    with answering_after(0.2) as url:
        async with a_tester() as tester:
            for _ in range(2):
                await tester.client.get(url)

    for row in tester.rows:
        assert 195_000 <= row[2] < 1_500_000
        assert min(row[2:]) >= 0


class Names(trio.abc.HostnameResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in self.addresses
        ]

    async def getnameinfo(self, *args: Any) -> Any:
        raise NotImplementedError


@in_real_time
async def test_connections_spread_over_the_addresses_of_a_name() -> None:
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "127.0.0.2", "127.0.0.3"))
    seen = set()

    async def answer(stream: trio.SocketStream) -> None:
        seen.add(stream.socket.getsockname()[0])
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
            await stream.send_all(OK)
        await stream.aclose()

    listeners = await trio.open_tcp_listeners(0, host="0.0.0.0")
    port = listeners[0].socket.getsockname()[1]
    async with a_tester() as tester, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, answer, listeners)
        for _ in range(60):
            await tester.client.get(f"http://shop.test:{port}/", headers={"Connection": "close"})
        nursery.cancel_scope.cancel()

    assert [row[1] for row in tester.rows] == [0] * 60
    assert seen == {"127.0.0.1", "127.0.0.2", "127.0.0.3"}


@in_real_time
async def test_an_address_that_does_not_answer_holds_nothing_up() -> None:
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.2", "127.0.0.3", "127.0.0.1"))
    async with replying(OK, close=True) as server, a_tester(connect_timeout=5.0) as tester:
        with socket.socket() as silent:
            silent.bind(("127.0.0.2", server.port))  # 127.0.0.3 refuses
            silent.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(silent.getsockname())
            await trio.sleep(0.05)
            for _ in range(8):
                response = await tester.client.get(f"http://shop.test:{server.port}/")
                assert (response.error, response.text) == ("", "ok")
            for filler in fillers:
                filler.close()


@in_real_time
async def test_the_error_of_a_name_is_that_of_its_first_address() -> None:
    trio.socket.set_custom_hostname_resolver(Names("127.0.0.1", "127.0.0.2"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with a_tester() as tester:
            response = await tester.client.get(f"http://shop.test:{unused.getsockname()[1]}/")

    assert (response.error, response.error_code) == ("dial: connection refused", 1212)


@pytest.mark.k6_binary
@in_real_time
async def test_k6_counts_a_lost_attempt_as_we_do(tmp_path: Path) -> None:
    (tmp_path / "script.js").write_text(
        "import http from 'k6/http';\n"
        "export const options = { vus: 1, iterations: 3 };\n"
        "export default function () { http.get(__ENV.URL); }\n"
    )
    summary = tmp_path / "summary.json"
    options = ["--quiet", "--address", "", "--summary-export", str(summary)]
    async with serving(Holding()) as server:
        await trio.run_process(
            [k6(), "run", *options, "-e", f"URL={server.url}", "script.js"],
            cwd=tmp_path,
            capture_stdout=True,
            capture_stderr=True,
        )
    metrics = json.loads(summary.read_text())["metrics"]
    handler = Holding()
    async with serving(handler) as server, a_tester() as tester:
        for _ in range(3):
            await tester.client.get(server.url)

    assert metrics["http_reqs"]["count"] == len(tester.rows) == 3
    for durations_ms in (
        [metrics["http_req_duration"][name] for name in ("min", "med", "max")],
        sorted(row[2] / 1000 for row in tester.rows),
    ):
        shortest, *others = durations_ms
        assert shortest < HOLD * 1000 <= min(others)
