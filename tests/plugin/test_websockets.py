"""Load tests over WebSocket, as users see them: verdict, allowance, summary, ends, threads, outputs."""

import json
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import pytest

from tests.plugin.conftest import RunPytest, Service
from tests.plugin.sessions import session_of

pytestmark = pytest.mark.sockets


class Chat:
    """A WebSocket server of the library `websockets`, in a thread.

    Attributes:
        url: Where it listens.
        codes: The close codes of sessions that have ended.
    """

    def __init__(self) -> None:
        self.url = ""
        self.codes: SimpleQueue[int] = SimpleQueue()

    def take_codes(self, number: int) -> list[int]:
        """Return the next `number` of the codes; wait for them."""
        return [self.codes.get(timeout=20) for _ in range(number)]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    exceptions = pytest.importorskip("websockets.exceptions")
    sync = pytest.importorskip("websockets.sync.server")

    served = Chat()

    def talk(connection: Any) -> None:
        with suppress(exceptions.ConnectionClosed):
            for message in connection:
                if message == "fail":
                    connection.close(1011, "GET /db?token=abcdef went wrong")
                    return
                if message != "silence":
                    connection.send(message)
        served.codes.put(connection.close_code)

    def refuse(connection: Any, request: Any) -> Any:
        is_refused = request.path.startswith("/refused")
        return connection.respond(HTTPStatus.UNAUTHORIZED, "no entry") if is_refused else None

    with sync.serve(talk, "127.0.0.1", 0, process_request=refuse) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        served.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        monkeypatch.setenv("CHAT", served.url)
        yield served


TALK = """
import os
import pytest

URL = os.environ["CHAT"]

@pytest.mark.scenario(vus=2, iterations=4)
async def test_talk(vu):
    async with vu.ws.connect(f"{URL}/chat", name="chat") as ws:
        await ws.send("hello")
        vu.check(await ws.receive(), {"says hello": lambda m: m == "hello"})
        await ws.request("how are you?", name="question")
        await ws.ping()
"""


def test_a_load_test_over_websocket_has_its_metrics_in_the_summary(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile(TALK)

    result = run_pytest("--k6-summary=full")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*::test_talk: passed, *",
            "*WEBSOCKET",
            "*ws_sessions*: 4 *",
            "*ws_connecting*: avg=*",
            "*ws_session_duration*: avg=*",
            "*ws_msgs_sent*: 8 *",
            "*ws_msgs_received*: 8 *",
            "*ws_ping*: avg=*",
            "*ws_failed*: 0.00% * 0 out of 4*",
            "*ws_response_time*: avg=*",
        ]
    )


def test_sessions_that_fail_fail_the_load_test_and_show_what_happened(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile("""
        import os
        import pytest

        URL = os.environ["CHAT"]

        @pytest.mark.scenario(iterations=3)
        async def test_talk(vu):
            async with vu.ws.connect(f"{URL}/refused?token=secret") as ws:
                await ws.receive()
                raise AssertionError
            if vu.iteration == 1:
                async with vu.ws.connect(f"{URL}/chat") as ws:
                    await ws.send("fail")
                    await ws.receive()
        """)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    address = chat.url.removeprefix("ws://")
    result.stdout.fnmatch_lines(
        [
            f"load test failed: 4 of 4 WebSocket sessions failed: 3x the server answered the handshake with 401 (1401) ws://{address}/refused?token=[*][*][*][*]; 1x *",
            "3x session failed (100.00% of sessions of that name): the server answered the handshake with 401 (1401) *",
            f"*> GET http://{address}/refused?token=[*][*][*][*]",
            "*< 401 Unauthorized after *",
            "*no entry*",
            "1x session failed (100.00% of sessions of that name): the server closed with 1011 (internal error) (1811) ws://*",
            "*< 101 Switching Protocols after *",
            "*last sent: text, 4 bytes: fail",
            "*received close 1011 (internal error): *",
        ]
    )
    assert "token=secret" not in result.stdout.str()
    assert "abcdef" not in result.stdout.str()


@pytest.mark.parametrize(
    "allowance",
    [
        "expected_statuses=401",
        "expected_statuses=[200, 401]",
        "expected_statuses=None",
    ],
)
def test_what_the_scenario_expects_is_no_failure(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat, allowance: str
):
    pytester.makepyfile(f"""
        import os
        import pytest

        @pytest.mark.scenario(iterations=2)
        async def test_talk(vu):
            url = os.environ["CHAT"] + "/refused"
            async with vu.ws.connect(url, {allowance}) as ws:
                assert ws.response.status_code == 401
        """)

    run_pytest().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        (["--k6-requests=record"], {"passed": 1}),
        (["--k6-thresholds=ws_failed: rate<=0.5"], {"passed": 1}),
        (["--k6-thresholds=ws_failed{status:401}: rate<=1"], {"passed": 1}),
        (["--k6-thresholds=ws_failed: rate<0.5"], {"failed": 2}),  # its subtest is one
        (["--k6-thresholds=ws_failed{status:101}: rate<=1"], {"failed": 1}),
        ([], {"failed": 1}),
    ],
)
def test_failed_sessions_are_allowed_as_failed_requests_are(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    chat: Chat,
    arguments: list[str],
    outcome: dict[str, int],
):
    pytester.makepyfile("""
        import os
        import pytest

        @pytest.mark.scenario(iterations=4)
        async def test_talk(vu):
            path = "/refused" if vu.iteration % 2 else "/chat"
            async with vu.ws.connect(os.environ["CHAT"] + path):
                pass
        """)

    run_pytest(*arguments).assert_outcomes(**outcome)


def test_a_load_test_that_fails_fast_ends_at_its_first_failed_session(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile("""
        import os
        import pytest

        @pytest.mark.scenario(vus=1, duration="60s")
        async def test_talk(vu):
            async with vu.ws.connect(os.environ["CHAT"] + "/refused"):
                await vu.sleep(0.01)
        """)

    result = run_pytest("--k6-fail-fast")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*fail_fast: ended at the first failure, after *"])


def test_ordinary_functions_talk_without_await(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile("""
        import os
        import pytest
        from pytest_k6api import WebSocketClosed

        @pytest.mark.scenario(vus=2, iterations=4)
        def test_talk(vu):
            with vu.ws.connect(os.environ["CHAT"] + "/chat") as ws:
                ws.send("one")
                assert ws.request("two", lambda message: message == "two") == "two"
                assert ws.receive() == "one"
                assert ws.ping() >= 0
                assert ws.is_open and ws.response.status_code == 101 and not ws.subprotocol
                ws.send(b"bytes")
                for message in ws:
                    assert message == b"bytes"
                    ws.close(4000, "enough")
            assert (ws.close_code, ws.error, ws.error_code, ws.dropped) == (4000, "", 0, 0)
            with pytest.raises(WebSocketClosed):
                ws.send("late")

        def test_counts(k6):
            assert k6.metrics["ws_msgs_sent"].count == 12
            assert k6.metrics["ws_response_time"].samples == 4
        """)

    run_pytest().assert_outcomes(passed=2)
    assert chat.take_codes(4) == [4000] * 4


@pytest.mark.parametrize(
    "scenario",
    [
        """
        async def test_talk(vu):
            async with vu.ws.connect(os.environ["CHAT"] + "/chat") as ws:
                await ws.request("silence", timeout=60)
        """,
        """
        def test_talk(vu):
            with vu.ws.connect(os.environ["CHAT"] + "/chat") as ws:
                ws.request("silence", timeout=60)
        """,
    ],
    ids=["async", "thread"],
)
def test_interrupted_scenarios_say_good_bye_and_count_no_failure(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat, scenario: str
):
    marker = '@pytest.mark.scenario(vus=3, duration="2s", graceful_stop="0s")'
    pytester.makepyfile(f"""
        import os
        import pytest

        {marker}
        {scenario.strip()}

        def test_counts(k6):
            assert k6.metrics["ws_sessions"].count == 3
            assert "ws_failed" not in k6.metrics
        """)

    run_pytest().assert_outcomes(passed=2)
    assert chat.take_codes(3) == [1001] * 3


def test_a_session_of_a_vu_fixture_lasts_over_iterations_and_is_told_at_its_end(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile("""
        import os
        import pytest
        from pytest_k6api import vu_fixture

        @vu_fixture
        async def ws(vu):
            async with vu.ws.connect(os.environ["CHAT"] + "/chat") as ws:
                yield ws

        @pytest.mark.scenario(vus=2, iterations=20)
        async def test_talk(vu, ws):
            with vu.group("talking"):
                assert await ws.request("hello") == "hello"

        def test_counts(k6):
            assert k6.metrics["ws_sessions"].count == 2
            assert k6.metrics["ws_session_duration"].samples == 2
            assert k6.metrics["ws_failed"].rate == 0
            assert k6.metrics["ws_response_time{group:::talking}"].samples == 20
            assert k6.metrics["data_sent"].count > 20 * (6 + 5)
        """)

    run_pytest().assert_outcomes(passed=2)
    assert chat.take_codes(2) == [1000] * 2


def test_ctrl_c_ends_a_session_that_waits_for_ever(
    pytester: pytest.Pytester, service: Service, chat: Chat
):
    pytester.makepyfile("""
        import os
        import sys
        import pytest

        @pytest.mark.scenario(duration="60s")
        async def test_talk(vu):
            async with vu.ws.connect(os.environ["CHAT"] + "/chat") as ws:
                print("is waiting", file=sys.__stderr__, flush=True)
                await ws.receive()
        """)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("is waiting")
        session.press_ctrl_c()
        assert session.goes_on(0.5)  # it lets iterations finish
        session.press_ctrl_c()
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert chat.take_codes(1) == [1001]


def test_outputs_get_the_samples(pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat):
    pytester.makepyfile(TALK)

    run_pytest("--k6-out=json=samples.json").assert_outcomes(passed=1)

    lines = map(json.loads, Path("samples.json").read_text().splitlines())
    points = [line for line in lines if line["type"] == "Point"]
    questions = [each for each in points if each["metric"] == "ws_response_time"]
    assert len(questions) == 4
    assert questions[0]["data"]["tags"]["name"] == "question"
    assert sum(each["metric"] == "ws_msgs_received" for each in points) == 8


def test_calls_that_are_not_awaited_fail_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, chat: Chat
):
    pytester.makepyfile("""
        import os
        import pytest

        @pytest.mark.scenario(iterations=2)
        async def test_talk(vu):
            async with vu.ws.connect(os.environ["CHAT"] + "/chat") as socket:
                socket.send("hello")
                socket.ping()

        @pytest.mark.scenario
        async def test_with(vu):
            with vu.ws.connect(os.environ["CHAT"] + "/chat"):
                pass

        @pytest.mark.scenario
        async def test_await(vu):
            await vu.ws.connect(os.environ["CHAT"] + "/chat")
        """)

    result = run_pytest()

    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "*: socket.send(...) was called 2 times and never awaited, so it did nothing; write: await socket.send(...)*",
            "*TypeError: write 'async with vu.ws.connect(...) as ws:' in an async function",
            "*TypeError: write 'async with vu.ws.connect(...) as ws:'",
        ]
    )
