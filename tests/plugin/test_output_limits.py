"""What VUs print and log is kept, but not without end."""

import pytest

from pytest_k6api.plugin.runtime import output_limits
from tests.plugin.conftest import RunPytest


@pytest.fixture
def chatty(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_load="""
        import logging

        import pytest

        @pytest.mark.scenario(iterations=200)
        async def test_browse(vu, caplog):
            logging.warning("log line %d", vu.iteration)
            print(f"printed line {vu.iteration}")
            if vu.iteration == 199:
                print(f"{len(caplog.records)} records in caplog")
                pytest.fail("show it")

        def test_after(caplog):
            for number in range(200):
                logging.warning("log line %d", number)
            assert len(caplog.records) == 200
        """
    )


@pytest.mark.usefixtures("chatty")
def test_only_the_first_log_records_are_kept(
    run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(output_limits, "MOST_RECORDS", 50)

    result = run_pytest()

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "[[]test_browse vu 1[]] 50 records in caplog",
            "[[]test_browse vu 1[]] WARNING *log line 49",
            "… and 150 more log records, which were not kept",
        ]
    )
    result.stdout.no_fnmatch_line("*log line 50")


@pytest.mark.usefixtures("chatty")
def test_the_middle_of_long_output_is_left_out(
    run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(output_limits, "MOST_TEXT", 200)

    result = run_pytest()

    result.stdout.fnmatch_lines(
        [
            "[[]test_browse vu 1[]] printed line 0",
            "… * characters left out …",
            "[[]test_browse vu 1[]] printed line 199",
            "[[]test_browse vu 1[]] 200 records in caplog",
        ]
    )
    result.stdout.no_fnmatch_line("*printed line 100")
