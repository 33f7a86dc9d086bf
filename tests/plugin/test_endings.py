"""All the ways in which a load test and its session come to an end, one summary in each."""

import signal
from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest, Service
from tests.plugin.sessions import session_of

LOAD = """
    import pytest

    def clear():
        print("teardown ran", flush=True)

    @pytest.mark.scenario(vus=2, duration="1h", graceful_stop=GRACE, teardown=clear)
    async def test_browse(vu):
        if vu.iteration == 0:
            await vu.http.get("/")
            print(f"VU {vu.id} is under way", flush=True)
        await vu.sleep(PAUSE)

    def test_never(): ...
"""


def write(pytester: pytest.Pytester, pause: float) -> Path:
    return pytester.makepyfile(LOAD.replace("PAUSE", str(pause)).replace("GRACE", '"1h"'))


def summaries(output: str, name: str) -> int:
    return output.count(f"::{name}: ")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_gracefully_with_summary_and_files(
    pytester: pytest.Pytester, service: Service, number: signal.Signals
):
    write(pytester, pause=0.1)

    with session_of(
        service, "--k6-address=", "--k6-save=x", "--k6-summary-export=s.json", "--junitxml=j.xml"
    ) as session:
        session.wait_for("VU 1 is under way")
        session.send(number, number)  # as `timeout` sends it: to the process and to its group
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert summaries(session.output, "test_browse") == 1
    pytest.LineMatcher(session.output.splitlines()).fnmatch_lines(
        [
            f"k6: {number.name}: ending; *",
            "teardown ran",
            f"load test interrupted: stopped early: interrupted by {number.name}",
            f"!* a load test was interrupted by {number.name} !*",
        ]
    )
    assert all((pytester.path / name).stat().st_size for name in ("s.json", "j.xml"))
    assert len([*(pytester.path / ".k6api/x").glob("*.json")]) == 1


@pytest.mark.slow
def test_the_second_signal_ends_at_once_but_teardown_still_runs(
    pytester: pytest.Pytester, service: Service
):
    write(pytester, pause=3600)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("VU 1 is under way")
        session.send(signal.SIGTERM)
        session.wait_for("k6: SIGTERM: ending; ")
        assert session.goes_on(0.3)  # signals that are not told apart by time would be one
        session.send(signal.SIGTERM)
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert "teardown ran" in session.output


@pytest.mark.slow
def test_sigterm_in_an_ordinary_test_ends_the_session_with_the_summaries_so_far(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.scenario
        async def test_browse(vu): ...

        @pytest.fixture
        def place():
            yield
            print("fixture torn down", flush=True)

        def test_waits(place):
            print("waiting", flush=True)
            time.sleep(60)
    """)

    with session_of(service, "--k6-address=") as session:
        session.wait_for("waiting")
        session.send(signal.SIGTERM)
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert "fixture torn down" in session.output
    assert summaries(session.output, "test_browse") == 1


@pytest.mark.slow
def test_a_signal_between_load_tests_is_told_with_the_line_that_it_interrupted(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import signal
        import pytest
        @pytest.fixture
        def shop():
            signal.raise_signal(signal.SIGTERM)
            yield
        @pytest.mark.scenario
        async def test_browse(vu, shop): pass
    """)

    result = run_pytest(no_reraise_ctrlc=True)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*test_a_signal_between*.py:5: KeyboardInterrupt"])


def test_sigterm_ends_lingering(pytester: pytest.Pytester, service: Service):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...
    """)

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-linger") as session:
        session.wait_for("k6: lingering")
        session.send(signal.SIGTERM)
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.OK


@pytest.mark.slow
def test_what_never_ran_is_not_judged(pytester: pytest.Pytester, service: Service):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(thresholds={
            "http_req_duration": ["p(95)<200"],
            "http_reqs": ["count>100"],
            "checks": [{"threshold": "rate>0.9", "window": "10s"}],
        })
        async def test_browse(vu):
            await vu.http.get("/")
    """)

    with session_of(service, "--k6-address=127.0.0.1:0", "--k6-paused") as session:
        session.wait_for("is paused before its start")
        session.press_ctrl_c()
        session.end()

    assert "load test interrupted: stopped early: interrupted by Ctrl-C\n" in session.output
    assert "crossed" not in session.output
    assert "✗" not in session.output


EXIT = """
    import sys
    import pytest
    from pytest_k6api import vu_fixture

    def leave():
        {leave}

    def leave_in(place):
        if place == "{place}":
            leave()

    def set_up():
        leave_in("setup")

    async def clear(vu):
        leave_in("teardown")

    @vu_fixture
    def basket(vu):
        leave_in("fixture up")
        yield
        leave_in("fixture down")

    @pytest.mark.scenario(vus=2, iterations=4, setup=set_up, teardown=clear)
    {prefix}def test_leaves(vu, basket):
        vu.check(1, {{"is one": True}})
        leave_in("iteration")

    def test_after(): ...
"""


@pytest.mark.parametrize("prefix", ["async ", ""])
@pytest.mark.parametrize("place", ["setup", "teardown", "fixture up", "fixture down", "iteration"])
@pytest.mark.parametrize(
    "ending",
    [
        ("sys.exit(3)", 1, "SystemExit: 3"),  # as pytest has it: a test that fails, and the next
        ("pytest.exit('enough', 7)", 7, "Exit: enough"),
        ("raise KeyboardInterrupt", 2, "KeyboardInterrupt"),
    ],
)
def test_what_ends_a_session_keeps_its_code_and_there_is_one_summary(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    prefix: str,
    place: str,
    ending: tuple[str, int, str],
):
    leave, code, text = ending
    pytester.makepyfile(EXIT.format(prefix=prefix, place=place, leave=leave))

    result = run_pytest(no_reraise_ctrlc=True)

    assert result.ret == code
    output = result.stdout.str()
    assert summaries(output, "test_leaves") == 1
    assert text in output
    assert ("1 passed" in output) == (code == 1)


@pytest.mark.parametrize(
    ("leave", "code", "text"),
    [
        ("raise BaseExceptionGroup('two', [SystemExit(3), ValueError()])", 1, "E   SystemExit: 3"),
        ("raise BaseExceptionGroup('one', [KeyboardInterrupt()])", 2, "*.py:6: KeyboardInterrupt"),
        ("vu.check(1, {'leaves': lambda _: sys.exit(3)})", 1, "E   SystemExit: 3"),
    ],
)
def test_the_line_that_ends_a_session_is_the_users(
    pytester: pytest.Pytester, run_pytest: RunPytest, leave: str, code: int, text: str
):
    pytester.makepyfile(f"""
        import sys
        import pytest

        @pytest.mark.scenario
        async def test_leaves(vu):
            {leave}
    """)

    result = run_pytest("--tb=short", no_reraise_ctrlc=True)

    assert result.ret == code
    result.stdout.fnmatch_lines([text])
    result.stdout.no_fnmatch_line("*pytest_k6api*.py*")


def test_summaries_are_printed_also_where_the_end_of_the_session_raises(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeconftest("""
        import pytest
        def pytest_sessionfinish(): pytest.exit("enough", 7)
    """)
    pytester.makepyfile("""
        import pytest
        @pytest.mark.scenario
        async def test_browse(vu): pass
    """)

    result = run_pytest()

    assert result.ret == 7
    assert summaries(result.stdout.str(), "test_browse") == 1


def test_teardown_runs_after_pytest_exit_in_a_scenario(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        async def clear(vu):
            await vu.sleep(0.01)
            print("teardown ran")

        @pytest.mark.scenario(teardown=clear)
        async def test_leaves(vu):
            pytest.exit("enough")
    """)

    result = run_pytest("-s")

    assert "teardown ran" in result.stdout.str()


def test_a_fixture_sees_the_load_test_that_it_was_set_up_for(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def told(k6, request):
            assert request.node.name not in k6.tests
            yield
            print("\\nsees", request.node.name, k6.last.name, k6.metrics["iterations"].count)

        @pytest.mark.scenario(iterations=1)
        async def test_first(vu): ...

        @pytest.mark.scenario(iterations=5)
        async def test_second(vu, told): ...
    """)

    result = run_pytest("-s")

    result.stdout.fnmatch_lines(["sees test_second *::test_second 5"])


LEFT = """
    import os, threading

    def pytest_unconfigure():
        links = []
        for number in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{number}"))
            except FileNotFoundError:  # that of the listing itself
                pass
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(0.5)
        threads = [thread.name for thread in threading.enumerate()]
        print("sockets left:", sum(link.startswith("socket:") for link in links), flush=True)
        print("threads left:", len(threads), *threads, flush=True)
"""


BARE = """
    import pytest

    @pytest.mark.scenario(vus=2, duration=DURATION, graceful_stop="0s")
    {prefix}def test_retries(vu):
        {call}
        print("is under way", flush=True)
        while True:
            try:
                {call}
            except:
                pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "call"),
    [("async ", 'await vu.http.get("/")'), ("", 'vu.http.get("/")')],
)
def test_the_end_of_the_plan_ends_what_swallows_its_interruption(
    pytester: pytest.Pytester, service: Service, prefix: str, call: str
):
    pytester.makepyfile(BARE.format(prefix=prefix, call=call).replace("DURATION", '"1s"'))
    pytester.makeconftest(LEFT)
    with session_of(service, "--k6-address=") as session:
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.OK
    lines = pytest.LineMatcher(session.output.splitlines())
    lines.fnmatch_lines(["*::test_retries: passed, *, 2 iterations interrupted", "    http_reqs*"])
    if prefix:  # a thread may have been hit outside of its try
        lines.fnmatch_lines(["  ! 2 tasks of test_retries did not end when they were interrupted*"])
        lines.fnmatch_lines(["sockets left: 0", "threads left: 1 MainThread"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "call"),
    [("async ", 'await vu.http.get("/")'), ("", 'vu.http.get("/")')],
)
def test_the_third_ctrl_c_ends_what_swallows_its_interruption(
    pytester: pytest.Pytester, service: Service, prefix: str, call: str
):
    pytester.makepyfile(BARE.format(prefix=prefix, call=call).replace("DURATION", '"1h"'))
    pytester.makeconftest(LEFT)

    with session_of(service, "--k6-address=127.0.0.1:0") as session:
        session.wait_for("is under way")
        for answer in ("ending;", "ending at once;", "the third:"):
            session.press_ctrl_c()
            session.wait_for(answer)
            session.goes_on(0.2)  # or they are one
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.INTERRUPTED
    assert summaries(session.output, "test_retries") == 1
    assert "http_reqs." in session.output
    assert "sockets left: 0" in session.output


@pytest.mark.slow
def test_a_closed_output_ends_quietly_and_keeps_the_results(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile("""
        from pathlib import Path
        import pytest, trio

        def clear():
            Path("teardown").touch()

        @pytest.mark.scenario(teardown=clear)
        async def test_browse(vu):
            print("is under way", flush=True)
            while not Path("closed").exists():
                await trio.sleep(0.01)
    """)

    with session_of(service, "--k6-address=", "--k6-save=x", errors="errors.txt") as session:
        session.wait_for("is under way")
        session.close_output()
        (pytester.path / "closed").touch()
        exit_code = session.wait()

    assert exit_code == 1
    assert (pytester.path / "errors.txt").read_text(encoding="utf-8") == ""
    assert (pytester.path / "teardown").exists()
    assert len([*(pytester.path / ".k6api/x").glob("*.json")]) == 1


@pytest.mark.slow
def test_a_thread_that_asks_for_nothing_sends_nothing_after_its_load_test(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile("""
        import threading, urllib.request
        import pytest

        @pytest.mark.scenario(vus=3, duration="1s", graceful_stop="0s")
        def test_browse(vu, k6_base_url):
            while True:
                urllib.request.urlopen(k6_base_url).read()

        def test_after():
            assert not [each for each in threading.enumerate() if each.name.startswith("VU")]
    """)

    with session_of(service, "--k6-address=") as session:
        exit_code = session.end()

    assert exit_code == pytest.ExitCode.OK
    assert "2 passed" in session.output
