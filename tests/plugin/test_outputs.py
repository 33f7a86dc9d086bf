"""Outputs that plugins add: started, fed and stopped, however a load test ends."""

import json
import re
from pathlib import Path

import pytest

from tests.plugin.conftest import RunPytest

SCENARIO = """
    import pytest

    @pytest.mark.scenario(vus=2, iterations=6)
    async def test_browse(vu):
        await vu.http.get("/", name="home")
        BODY
"""
OUTPUT = """
    import pytest

    class Output:
        def __init__(self, name): self.name = name
        def start(self): self.say("start")
        def add(self, batch):
            self.requests = getattr(self, "requests", 0) + sum(
                len(series.values) for series in batch.series if series.metric == "http_reqs"
            )
        def stop(self): self.say(f"stop after {getattr(self, 'requests', 0)} requests")
        def say(self, what):
            with open("told.txt", "a") as file:
                print(self.name, what, file=file)

    def pytest_k6_add_outputs(load_test):
        return [Output("first"), Output("second")]
"""


def told(pytester: pytest.Pytester) -> list[str]:
    return (pytester.path / "told.txt").read_text().splitlines()


def write(pytester: pytest.Pytester, body: str = "", *, failing: str = "") -> None:
    pytester.makepyfile(SCENARIO.replace("BODY", body))
    more = ""
    if failing:
        more = f"""
    class Broken(Output):
        def {failing}(self, *given): raise OSError("disk full")

    def pytest_k6_add_outputs(load_test):
        return [Broken("first"), Output("second")]
"""
    pytester.makeconftest(OUTPUT + more)


def test_outputs_get_every_sample_between_their_start_and_their_stop(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester)

    run_pytest().assert_outcomes(passed=1)

    assert told(pytester) == [
        "first start",
        "second start",
        "second stop after 6 requests",
        "first stop after 6 requests",
    ]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise KeyboardInterrupt", pytest.ExitCode.INTERRUPTED),
        ("raise SystemExit", pytest.ExitCode.TESTS_FAILED),
        ("pytest.exit('enough', 7)", 7),
        ("pytest.fail('no')", pytest.ExitCode.TESTS_FAILED),
        ("vu.stop('done')", pytest.ExitCode.OK),
    ],
)
def test_outputs_are_stopped_however_it_ends(
    pytester: pytest.Pytester, run_pytest: RunPytest, body: str, code: int
) -> None:
    write(pytester, body)

    result = run_pytest(no_reraise_ctrlc=True)

    assert result.ret == code
    assert [re.sub(r"\d+", "#", line) for line in told(pytester)] == [
        "first start",
        "second start",
        "second stop after # requests",
        "first stop after # requests",
    ]
    assert "after 0 requests" not in told(pytester)[-1]


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("start", ["second start", "second stop after 6 requests"]),
        (
            "add",
            [
                "first start",
                "second start",
                "second stop after 6 requests",
                "first stop after 0 requests",
            ],
        ),
        ("stop", ["first start", "second start", "second stop after 6 requests"]),
    ],
)
def test_an_output_that_fails_fails_the_load_test_by_name_and_no_other_output(
    pytester: pytest.Pytester, run_pytest: RunPytest, failing: str, expected: list[str]
) -> None:
    write(pytester, failing=failing)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"load test failed: the plugin conftest.py failed in Broken.{failing}: OSError: disk full",
            "*::test_browse: failed, *",
        ]
    )
    assert told(pytester) == expected


@pytest.mark.parametrize("method", ["start", "add", "stop"])
def test_pytest_exit_in_an_output_ends_the_session_and_stops_all_outputs(
    pytester: pytest.Pytester, run_pytest: RunPytest, method: str
) -> None:
    write(pytester, failing=method)
    conftest = pytester.path / "conftest.py"
    text = conftest.read_text().replace('raise OSError("disk full")', "pytest.exit('enough', 7)")
    conftest.write_text(text)

    result = run_pytest()

    assert result.ret == 7
    assert [line for line in told(pytester) if line.startswith("second stop")]


def test_each_plugin_is_asked_although_another_fails(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester)
    pytester.makepyfile(
        broken="""
        def pytest_k6_add_outputs():
            raise OSError("no route to host")
        """,
        silent="""
        def pytest_k6_add_outputs():
            return None
        """,
    )
    pytester.syspathinsert()

    result = run_pytest("-p", "broken", "-p", "silent")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: the plugin broken failed in pytest_k6_add_outputs: OSError: no route"
            " to host"
        ]
    )
    assert told(pytester)[-1] == "first stop after 6 requests"


def test_the_output_in_the_documentation_writes_every_sample(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    page = Path(__file__).parents[2] / "docs/reference/hooks.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    (example,) = (block for block in blocks if "pytest_k6_add_outputs" in block)
    (pytester.path / "conftest.py").write_text(example, "utf-8")
    pytester.makepyfile(test_shop=SCENARIO.replace("BODY", ""))

    run_pytest().assert_outcomes(passed=1)

    lines = (pytester.path / "test_shop-py-test_browse.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    assert [each["value"] for each in samples if each["metric"] == "http_reqs"] == [1.0] * 6
    assert {each["tags"]["name"] for each in samples if each["metric"] == "http_reqs"} == {"home"}


def test_an_output_that_fails_is_told_of_a_load_test_that_skips_itself(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    write(pytester, failing="stop")
    pytester.makepyfile(
        test_shop="""
        import pytest

        @pytest.mark.scenario(setup=lambda: pytest.skip("no stock"))
        async def test_browse(vu): ...
    """
    )

    result = run_pytest("test_shop.py")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["the plugin conftest.py failed in Broken.stop: OSError: disk full"]
    )
