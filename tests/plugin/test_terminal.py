"""Load tests in front of a real terminal, which a pseudo-terminal is."""

import os
import pty
import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import RunPytest, Service

pytestmark = pytest.mark.slow


def on_a_terminal(service: Service, *arguments: str, columns: int = 160, **variables: str) -> str:
    """Run pytest with a pseudo-terminal as its output; return what was written to it."""
    ours, theirs = pty.openpty()
    command = [
        *(sys.executable, "-m", "pytest", "-p", "k6api", "-p", "no:cacheprovider"),
        *("--k6-address=", f"--k6-base-url={service.url}", *arguments),
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **variables}
    written = b""
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:  # what Linux says when the other side is closed
            pass
        finally:
            os.close(ours)
            process.kill()
    return written.decode()


@pytest.fixture
def _load(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(duration="1.2s")
        async def test_browse(vu):
            await vu.http.get("/")
            print("a VU says something")
            await vu.sleep(0.1)
    """)


LINE = (
    r"\n  test_browse +\S+ +running +[\d.]+m?s / 1\.2s +1/1 VUs +\d+ iterations +\d+ req/s"
    r" +p95 [\d.]+[µm]?s +0 failed"
)


def plain(written: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)


@pytest.mark.usefixtures("_load")
@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_a_live_line_is_drawn_through_pytests_capture(service: Service, capture: str):
    written = on_a_terminal(service, f"--capture={capture}")

    assert re.search(LINE, plain(written))
    assert written.index("running") < written.index("load tests")
    assert ("a VU says something" in written) == (capture == "no")
    assert "failed[test_browse" not in plain(written)
    assert "1 passed" in plain(written)


@pytest.mark.usefixtures("_load")
def test_quietly_nothing_is_drawn(service: Service):
    written = on_a_terminal(service, "-q")

    assert "running" not in written
    assert "1 passed" in plain(written)


@pytest.mark.usefixtures("_load")
def test_on_a_narrow_terminal_metrics_go_on_below_their_values(service: Service):
    written = on_a_terminal(service, columns=80)

    shown = plain(written).replace("\r", "").partition(": passed,")[2]
    summary = shown.partition("= 1 passed")[0].splitlines()
    assert max(map(len, summary)) <= 80
    at = next(n for n, line in enumerate(summary) if line.startswith("    http_req_duration.."))
    begun, gone_on = summary[at : at + 2]
    assert gone_on.index(gone_on.strip()) == begun.index("avg=")


@pytest.mark.usefixtures("_load")
def test_the_live_view_names_the_target(service: Service):
    written = on_a_terminal(service)

    assert f"\n  {service.url}" in plain(written).replace("\r", "")


@pytest.mark.usefixtures("_load")
def test_where_no_cursor_moves_lines_tell_the_progress(service: Service):
    written = on_a_terminal(service, "--k6-progress=200ms", TERM="dumb")

    assert re.search(r"\r\nk6: test_browse on http://\S+: \d00ms / 1.2s, 1/1 VUs, ", written)
    assert "\x1b[" not in written


def test_where_the_output_has_ascii_only_so_have_we(pytester: pytest.Pytester, service: Service):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(thresholds={"http_req_duration": ["p(95)<0.001"]})
        async def test_browse(vu):
            await vu.http.get("/")
            vu.check(1, {"größe – ok": lambda one: False, "fine": lambda one: True})
    """)
    command = [sys.executable, "-m", "pytest", "-p", "k6api", "--k6-address="]

    done = subprocess.run(
        [*command, f"--k6-base-url={service.url}"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert b"\\u" not in done.stdout
    assert b"\\xb5" not in done.stdout
    lines = pytest.LineMatcher(done.stdout.decode("ascii").splitlines())
    lines.fnmatch_lines(
        [
            "crossed: p(95)=*s",
            "load test failed: the threshold http_req_duration: p(95)<0.001 was crossed*",
            "  x 1 of 2 checks failed",
            "      x p(95)<0.001  p(95)=*s",
            "    x gr\\xf6\\xdfe - ok",
            "      > 0.00% - + 0 / x 1",
            "    + fine",
        ]
    )


FORGED = """
    import pytest

    @pytest.mark.scenario(iterations=1)
    async def test_browse(vu):
        vu.check(1, {"line\\nFAILED test_forged.py \\x1b[2J": lambda one: False})
"""


def test_what_others_name_is_shown_and_never_obeyed(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    page = pytester.path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    pytester.makepyfile(FORGED)

    result = run_pytest()

    assert result.outlines.count(r"    ✗ line\nFAILED test_forged.py \x1b[2J") == 1
    assert not any(line.startswith("FAILED test_forged") for line in result.outlines)
    assert "\x1b" not in result.stdout.str() + page.read_text(encoding="utf-8")


def test_the_target_is_told_without_its_password(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu):
            await vu.http.get("/")
    """)
    url = service.url.replace("http://", "http://anna:s3cr3t@")

    result = run_pytest(f"--k6-base-url={url}")

    result.stdout.fnmatch_lines(["*::test_browse: passed, * on http://*@127.0.0.1:*"])
    assert "s3cr3t" not in result.stdout.str()
