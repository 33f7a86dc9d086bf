"""Whatever names and texts hold: summary, exports, saved results, JUnit and API always come."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_k6api.model import storable
from tests.plugin.conftest import RunPytest

HOSTILE = "\ud83d\0\x1b[2J\x07 line\nFAILED test_forged.py\r\u202e\x9b\uffff" + "9" * 5000

EVERYWHERE = """
    import json, logging, sys
    from pathlib import Path
    import pytest
    from pytest_k6api import Trend, vu_fixture

    TEXT = json.loads(Path("text.json").read_text())
    took = Trend("took")

    def set_up(vu):
        return {TEXT: TEXT}

    def clear(vu, setup_data):
        assert setup_data == {TEXT: TEXT}
        raise ValueError(TEXT)

    @pytest.mark.scenario(vus=1, iterations=4, setup=set_up, teardown=clear, tags={"own": TEXT})
    async def test_hostile(vu, setup_data):
        assert setup_data == {TEXT: TEXT}
        vu.tags[TEXT or "empty"] = TEXT
        print(TEXT)
        print(TEXT, file=sys.stderr)
        logging.getLogger(TEXT).warning("%s", TEXT)
        await vu.http.get("/", name=TEXT or None, tags={"mine": TEXT})
        with vu.measure(TEXT):
            took.add(1.0)
        name = TEXT.replace("::", "..")
        with vu.group(name):
            vu.check(TEXT, {name: lambda text: False})
            with vu.checked(name):
                raise ValueError(TEXT)
        error = ValueError(TEXT)
        error.add_note(TEXT)
        if vu.iteration == 3:
            vu.stop(TEXT)
        raise error
"""


def check_all_outputs(path: Path, output: str) -> None:
    """Every file can be read, has all iterations, and nothing in the terminal is obeyed."""
    export = json.loads((path / "export.json").read_bytes())
    (saved,) = (path / ".k6api" / "hostile").glob("*.json")
    assert export["metrics"]["iterations"]["count"] >= 3  # the last one stops the load test
    assert len(export["root_group"]["groups"]) == 1 or export["root_group"]["checks"]
    assert json.loads(saved.read_bytes())["outcome"] in {"failed", "passed"}
    assert ET.parse(path / "junit.xml").getroot().find(".//failure") is not None
    assert "iteration" in (path / "steps.md").read_bytes().decode()
    assert "::test_hostile: " in output
    assert not [char for char in output if ord(char) < 32 and char not in "\n\t"]
    assert not [line for line in output.splitlines() if line.startswith("FAILED test_forged.py")]


@pytest.fixture
def run_hostile(pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch):
    pytester.makepyfile(EVERYWHERE)
    steps = pytester.path / "steps.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(steps))

    def run(text: str) -> str:
        steps.unlink(missing_ok=True)
        (pytester.path / "text.json").write_text(json.dumps(text))
        result = run_pytest(
            "--k6-save=hostile",
            "--k6-summary-export=export.json",
            "--junitxml=junit.xml",
            "--color=no",
            address="127.0.0.1:0",
        )
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        return result.stdout.str()

    return run


def test_nothing_is_lost_by_its_name(pytester: pytest.Pytester, run_hostile):
    output = run_hostile(HOSTILE)

    check_all_outputs(pytester.path, output)


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_text_loses_results(pytester: pytest.Pytester, run_hostile, text: str):
    output = run_hostile(text)

    check_all_outputs(pytester.path, output)


def test_names_that_differ_only_in_what_cannot_be_kept_are_one(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario(iterations=2)
        async def test_half(vu):
            vu.check(1, {"\\ud83d" if vu.iteration else "\\0": lambda value: True})
    """)

    run_pytest("--k6-summary-export=export.json")

    export = json.loads((pytester.path / "export.json").read_bytes())
    assert export["root_group"]["checks"]["�"]["passes"] == 2


def test_a_number_that_only_json_can_hold_is_exported_as_it_was_written(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeconftest("""
        import pytest

        @pytest.fixture(autouse=True)
        def huge(monkeypatch):
            from pytest_k6api.vu import SetupTeardown
            async def put(self):  # as PUT /v1/setup stores it
                self.replace('{"huge":1e400,"small":0.5}')
            monkeypatch.setattr(SetupTeardown, "run_setup", put)
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_huge(vu): ...
    """)

    run_pytest("--k6-summary-export=export.json")

    export = json.loads((pytester.path / "export.json").read_text(encoding="utf-8"))
    assert export["setup_data"] == {"huge": "1e400", "small": 0.5}


def test_a_long_name_is_cut_and_its_length_told():
    assert storable(HOSTILE).endswith("… (5,038 characters)")
