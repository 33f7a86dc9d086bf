"""Every line that a VU prints or logs says which VU that is."""

import io
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from pytest_k6api.plugin.runtime import vu_output
from pytest_k6api.plugin.runtime.vu_output import VULines
from pytest_k6api.vu import current_vu
from tests.plugin.conftest import RunPytest, Service


class FakeVU:
    scenario = "test_buy"

    def __init__(self, number: int) -> None:
        self.id = number


def say(lines: VULines, number: int, text: str) -> None:
    token = current_vu.set(FakeVU(number))  # type: ignore[arg-type]  # all that is asked of it
    lines.write(text)
    current_vu.reset(token)


def test_pieces_of_two_vus_never_share_a_line():
    written: list[str] = []
    lines = VULines(written.append)

    say(lines, 1, "one, ")
    say(lines, 2, "uno")
    say(lines, 1, "two\nthree\nfour")
    say(lines, 2, "\n\n")

    assert written == [
        "[test_buy vu 1] one, two\n[test_buy vu 1] three\n",
        "[test_buy vu 2] uno\n[test_buy vu 2] \n",
    ]
    lines.close()
    assert written[2:] == ["[test_buy vu 1] four\n"]


def test_what_is_no_vus_passes_as_it_is():
    written: list[str] = []
    lines = VULines(written.append)

    assert lines.write("no line") == 7
    say(lines, 0, "setup, ")

    assert written == ["no line", "setup, "]


def test_a_line_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vu_output, "LONGEST_LINE", 5)
    written: list[str] = []
    lines = VULines(written.append)

    for _ in range(7):
        say(lines, 1, ".")

    assert written == ["[test_buy vu 1] ......\n"]


SUITE = """
    import logging, sys, pytest

    def seed(): print("seeding")

    @pytest.mark.scenario(vus=2, setup=seed)
    DEF test_browse(vu):
        print("printed", end=" ")
        AWAIT vu.sleep(0.05)
        print("by", vu.id)
        print("complained by", vu.id, file=sys.stderr)
        logging.warning("logged by %d", vu.id)
        pytest.fail("show it")

    def test_after():
        print("as ever", end="")
        logging.warning("as ever")
        pytest.fail("show it")
"""
ASYNC = SUITE.replace("DEF", "async def").replace("AWAIT", "await")
SYNC = SUITE.replace("DEF", "def").replace("AWAIT ", "")


@pytest.mark.parametrize("suite", [ASYNC, SYNC], ids=["async", "sync"])
@pytest.mark.parametrize("capture", ["fd", "sys", "tee-sys"])
def test_captured_sections_say_who_said_what(
    pytester: pytest.Pytester, run_pytest: RunPytest, suite: str, capture: str
):
    pytester.makepyfile(suite)

    result = run_pytest(f"--capture={capture}")

    text = str(result.stdout)
    out, _, rest = text.partition("Captured stdout call")[2].partition("Captured stderr call")
    err, _, log = rest.partition("Captured log call")
    assert sorted(line for line in out.splitlines() if "by" in line or "seed" in line) == [
        "[test_browse vu 1] printed by 1",
        "[test_browse vu 2] printed by 2",
        "seeding",
    ]
    for number in (1, 2):
        assert f"\n[test_browse vu {number}] complained by {number}\n" in err
        assert f"\n[test_browse vu {number}] WARNING  root:" in log
    # The ordinary test that follows has no prefix.
    result.stdout.fnmatch_lines(["*Captured stdout call*", "as ever", "WARNING  root:*as ever"])


def test_it_is_said_without_capture_too(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(ASYNC)

    result = run_pytest("-s", "--log-cli-level=WARNING")

    result.stdout.fnmatch_lines_random(
        [
            "[[]test_browse vu 1[]] printed by 1",
            "[[]test_browse vu 2[]] printed by 2",
            "[[]test_browse vu 2[]] WARNING *logged by 2",
        ]
    )


def test_whoever_reads_the_output_gets_it_as_it_is(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import logging, pytest

        @pytest.mark.scenario
        async def test_reads(vu, capsys, caplog):
            print("printed")
            logging.warning("logged")
            assert capsys.readouterr().out == "printed\\n"
            assert caplog.messages == ["logged"]
            assert caplog.text.startswith("WARNING")
    """)

    run_pytest().assert_outcomes(passed=1)


def test_output_is_attributed_after_something_went_past_pytests_capture(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu, request):
            with request.config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
                pass
            print("printed")
            pytest.fail("show it")
    """)

    run_pytest().stdout.fnmatch_lines(["[[]test_browse vu 1[]] printed"])


@pytest.mark.slow
@pytest.mark.parametrize("capture", ["fd", "no"])
def test_a_debugger_talks_as_ever(pytester: pytest.Pytester, capture: str):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            print("before", end="")
            breakpoint()
            print("after")
    """)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "k6api", "-p", "no:cacheprovider"]
    command += [f"--capture={capture}", "--k6-address="]
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        written = read_until(ours, b"(Pdb) ")
        os.write(ours, b"p vu.id + 41\n")
        written += read_until(ours, b"(Pdb) ")
        os.write(ours, b"c\n")
        written += read_until(ours, b"1 passed")
        os.close(ours)
        process.kill()

    lines = written.decode().replace("\r", "").splitlines()
    assert "42" in lines
    assert not [line for line in lines if line.startswith("[test_browse vu 1] (Pdb)")]
    if capture == "no":
        assert any(line.endswith("[test_browse vu 1] before") for line in lines)
        assert "[test_browse vu 1] after" in lines


def read_until(terminal: int, text: bytes) -> bytes:
    written = b""
    deadline = time.monotonic() + 30
    while text not in written:
        assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], written
        try:
            written += os.read(terminal, 65536)
        except OSError:  # what Linux says when the other side is closed
            pytest.fail(written.decode())
    return written


def test_a_stream_is_left_as_it_was_found():
    class Stream(io.StringIO):
        pass

    stream, patched = Stream(), Stream()
    write = patched.write = patched.write  # type: ignore[method-assign]  # by another plugin

    for each in (stream, patched):
        with vu_output._prefixed(each):
            assert vars(each)["write"] != write

    assert vars(stream) == {}
    assert vars(patched) == {"write": write}


def test_a_stream_that_takes_no_attributes_is_left_alone():
    class Stream:
        __slots__ = ()

    with vu_output._prefixed(Stream()) as lines:
        assert lines is None


ON_WORKERS = """
    import logging, sys
    import pytest

    @pytest.mark.scenario(vus=2, iterations=2)
    async def test_browse(vu):
        print(f"hello from {vu.id}")
        print(f"trouble of {vu.id}", file=sys.stderr)
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("shop").warning("user %s is lost", vu.id, exc_info=True)
        await vu.http.get("/")
        pytest.fail("show it")
"""


@pytest.mark.slow
def test_what_is_written_on_workers_is_shown_where_pytest_is(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(ON_WORKERS)

    result = run_pytest("--k6-workers=2", "--k6-http-debug=all", "--log-file=all.log")

    exchanges, _, sections = str(result.stdout).partition("Captured stdout call")
    out, _, rest = sections.partition("Captured stderr call")
    err, _, log = rest.partition("Captured log call")
    kept = (pytester.path / "all.log").read_text()
    for number in (1, 2):
        vu = f"[test_browse vu {number}]"
        assert f"{vu} > GET http://" in exchanges
        assert f"{vu} hello from {number}\n" in out
        assert f"{vu} trouble of {number}\n" in err
        for records in (log, kept):
            assert f"{vu} WARNING  shop:" in records
            assert f"user {number} is lost\n" in records
            assert records.count("ZeroDivisionError: division by zero\n") == 2


@pytest.mark.slow
def test_what_is_written_on_workers_is_shown_without_capture_and_nothing_else(
    pytester: pytest.Pytester, service: Service
):
    pytester.makepyfile(ON_WORKERS)
    url, options = f"--k6-base-url={service.url}", ("-s", "-p", "k6api", "--k6-address=")

    result = pytester.runpytest_subprocess(*options, url, "--k6-workers=2")

    shown = str(result.stdout)
    assert shown.count("[test_browse vu 1] hello from 1\n") == 1
    assert shown.count("[test_browse vu 2] hello from 2\n") == 1
    assert shown.count("plugins:") == 1
