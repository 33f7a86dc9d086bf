"""The control API of a session: its address, and what commands do to the session."""

import json
import socket
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.plugin.conftest import RunPytest, Service
from tests.plugin.sessions import session_of

pytestmark = pytest.mark.sockets

ASK = '''
    import json, urllib.request
    import pytest

    def ask(method, url, body=None):
        """Send a request to the control API of this session and return the document."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    @pytest.fixture
    def api(request):
        from pytest_k6api.plugin.hooks.stash_keys import SESSION
        return request.config.stash[SESSION].address

    def patch_status(**attributes):
        return {"data": {"type": "status", "id": "default", "attributes": attributes}}
'''


@pytest.fixture(autouse=True)
def _ask(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(asking=ASK)


def request(method: str, url: str, body: object = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    asked = urllib.request.Request(url, data, method=method)
    with urllib.request.urlopen(asked, timeout=10) as reply:
        return json.load(reply)


def test_the_address_is_told_and_answers_between_tests(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest
        from asking import api, ask

        def test_before(api):
            assert ask("GET", f"{api}/v1/status")["data"]["attributes"]["status"] == 0

        @pytest.mark.scenario
        async def test_browse(vu):
            await vu.http.get("/")

        def test_after(api):
            attributes = ask("GET", f"{api}/v1/status")["data"]["attributes"]
            assert (attributes["status"], attributes["running"]) == (9, False)
            assert ask("GET", f"{api}/v1/metrics/http_reqs")["data"]["attributes"]["sample"]
    """)

    result = run_pytest(address="127.0.0.1:0")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["k6 control API: http://127.0.0.1:*"])


def test_a_question_that_a_metric_cannot_answer_is_a_bad_request(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import json, urllib.error
        import pytest
        from asking import api, ask

        @pytest.mark.scenario
        async def test_browse(vu):
            await vu.http.get("/")

        @pytest.mark.parametrize("stat", ["p(101)", "nonsense"])
        def test_after(api, stat):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask("GET", f"{api}/v1/metrics/http_req_duration?stats={stat}")
            assert refused.value.code == 400
            assert stat in json.load(refused.value)["errors"][0]["detail"]
    """)

    run_pytest(address="127.0.0.1:0").assert_outcomes(passed=3)


LOAD = """
    import pytest

    @pytest.mark.scenario
    async def test_browse(vu):
        await vu.http.get("/")
"""


def test_a_busy_address_that_was_asked_for_is_an_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(LOAD)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        address = f"127.0.0.1:{busy.getsockname()[1]}"

        result = run_pytest(address=address)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [
        f"ERROR: the control API cannot listen on {address!r}: the port is busy; give it another"
        " with --k6-address (port 0 takes any free one), or stop what uses it"
    ]
    assert service.paths == []


def test_a_busy_default_port_is_a_warning_and_the_next_one_is_taken(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    pytester.makepyfile(LOAD)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        default = f"127.0.0.1:{busy.getsockname()[1]}"
        monkeypatch.setattr("pytest_k6api.plugin.runtime.session.DEFAULT_ADDRESS", default)

        result = pytester.runpytest_inprocess("-p", "k6api", f"--k6-base-url={service.url}")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [f"k6: the port of {default} is busy: *", "k6 control API: http://127.0.0.1:*"]
    )


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nonsense", "cannot read the address 'nonsense' of the control API; write *"),
        ("0.0.0.0:0", "the address '0.0.0.0:0' of the control API can be reached from other *"),
    ],
)
def test_an_address_that_cannot_be_is_a_usage_error(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, address: str, told: str
):
    pytester.makepyfile(LOAD)

    result = run_pytest(address=address)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    assert service.paths == []


def test_a_stop_ends_the_load_test_and_the_session_goes_on(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest, trio
        from asking import api, ask, patch_status

        @pytest.mark.scenario(duration="1h")
        async def test_browse(vu, api):
            stop = patch_status(stopped=True)
            await trio.to_thread.run_sync(ask, "PATCH", f"{api}/v1/status", stop)

        def test_goes_on(): ...
    """)

    result = run_pytest(address="127.0.0.1:0")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["load test interrupted: stopped early: the control API stopped it"]
    )


def test_a_stop_of_the_session_ends_it_after_the_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest, trio
        from asking import api, ask, patch_status

        @pytest.mark.scenario(duration="1h")
        async def test_browse(vu, api):
            stop = patch_status(stopped=True, scope="session")
            await trio.to_thread.run_sync(ask, "PATCH", f"{api}/v1/status", stop)

        def test_never(): ...
    """)

    result = run_pytest(address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test interrupted: stopped early: the control API stopped it",
            "!* the control API ended the session !*",
        ]
    )


def test_a_stop_of_the_session_during_an_ordinary_test_ends_it_after_that(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from asking import api, ask, patch_status

        @pytest.mark.scenario
        async def test_browse(vu): ...

        def test_ordinary(api):
            ask("PATCH", f"{api}/v1/status", patch_status(stopped=True, scope="session"))

        @pytest.mark.scenario
        async def test_never(vu):
            await vu.http.get("/")
    """)

    result = run_pytest(address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=2)
    assert service.paths == []


def test_a_stop_of_the_session_while_fixtures_are_set_up_keeps_the_load_from_starting(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from asking import api, ask, patch_status

        @pytest.mark.scenario
        async def test_browse(vu): ...

        @pytest.fixture
        def slow_to_set_up(api):
            ask("PATCH", f"{api}/v1/status", patch_status(stopped=True, scope="session"))

        @pytest.mark.scenario
        async def test_never(vu, slow_to_set_up):
            await vu.http.get("/")
    """)

    result = run_pytest("-rs", address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED * the control API ended the session"])
    assert service.paths == []


def test_a_stop_of_the_session_before_the_first_load_test_ends_it_too(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest
        from asking import api, ask, patch_status

        def test_ordinary(api):
            stop = patch_status(stopped=True, scope="session")
            assert ask("PATCH", f"{api}/v1/status", stop)["data"]["attributes"]["stopped"]

        @pytest.mark.scenario
        async def test_never(vu):
            await vu.http.get("/")
    """)

    result = run_pytest(address="127.0.0.1:0")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=1)
    assert service.paths == []


def test_a_paused_load_test_starts_when_it_is_told_to(pytester: pytest.Pytester, service: Service):
    pytester.makepyfile(LOAD)

    with session_of(service, "-q", "--k6-address=127.0.0.1:0", "--k6-paused") as session:
        # Told even quietly: it would look as if it hung.
        line = session.wait_for("is paused before its start")
        address = "http://" + line.split(" -a ")[1].strip()
        assert service.paths == []
        resume = {"data": {"type": "status", "id": "default", "attributes": {"paused": False}}}
        request("PATCH", f"{address}/v1/status", resume)
        exit_code = session.end()

    assert exit_code == 0
    assert service.paths == ["/"]


def test_with_a_token_the_hint_is_a_command_that_sends_it_and_does_not_tell_it(
    pytester: pytest.Pytester, service: Service, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile(LOAD)
    monkeypatch.setenv("K6_TOKEN", "s3cr3t")

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-paused") as session:
        line = session.wait_for("is paused before its start")
        told, command = line.split(" in $K6_TOKEN: ")
        subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=30)
        exit_code = session.end()

    assert exit_code == 0
    assert "s3cr3t" not in session.output
    assert told == "k6: test_browse is paused before its start; to start it, with the token"


def test_a_stop_does_not_end_lingering_but_a_stop_of_the_session_does(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile(LOAD)
    stop = {"stopped": True}

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-linger") as session:
        address = session.wait_for("k6: lingering").split(" at ")[1].split()[0]
        change = {"data": {"type": "status", "id": "default", "attributes": stop}}
        request("PATCH", f"{address}/v1/status", change)
        status = request("GET", f"{address}/v1/status")
        assert status["data"]["attributes"]["status"] == 9
        assert session.goes_on(0.1)
        stop["scope"] = "session"  # type: ignore[assignment]
        request("PATCH", f"{address}/v1/status", change)
        exit_code = session.end()

    assert exit_code == 0
    with pytest.raises(urllib.error.URLError):
        request("GET", f"{address}/v1/status")


def test_a_control_api_that_broke_down_is_a_warning(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    from pytest_k6api.api import ApiError
    from pytest_k6api.run import LoadTestSession

    def close(_session: LoadTestSession) -> None:
        raise ApiError("the control API broke down: nobody knows why")

    monkeypatch.setattr(LoadTestSession, "close", close)
    pytester.makepyfile(LOAD)

    result = run_pytest()

    assert result.ret == 0
    result.stdout.fnmatch_lines(["k6: the control API broke down: nobody knows why"])
