"""The JUnit XML that pytest writes of load tests, held against a schema."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema

from tests.plugin.conftest import RunPytest

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[1] / "data/junit/xunit2.xsd")
NUMBERS = [
    "http_req_duration_p50_ms",
    "http_req_duration_p95_ms",
    "http_req_duration_p99_ms",
    "http_reqs_per_second",
    "http_req_failed_rate",
]

# Control characters, a terminal's colours, half of a surrogate pair, what XML 1.0 forbids.
SUITE = r"""
    import logging, sys, pytest

    NASTY = "\x00\x08\x1b[31mred\x1b[0m \ud83d ünï 漢 \x85 \ufffe <&>\"' ]]>"
    PRINTABLE = NASTY.replace("\ud83d", "")

    def skip():
        pytest.skip(NASTY)

    @pytest.fixture
    def broken():
        raise RuntimeError(NASTY)

    @pytest.fixture
    def breaks_afterwards():
        yield
        raise RuntimeError(NASTY)

    @pytest.mark.scenario(thresholds={"iterations": ["count>0"]})
    async def test_passes(vu):
        await vu.http.get("/")
        print(PRINTABLE)

    @pytest.mark.scenario(thresholds={"http_reqs{name:<a&b>}": ["count>5"], "http_reqs": ["count>0"]})
    async def test_fails(vu):
        await vu.http.get("/", name="<a&b>")
        print(PRINTABLE)
        print(PRINTABLE, file=sys.stderr)
        logging.warning(PRINTABLE)
        with vu.group(NASTY):
            vu.check(1, {NASTY: False})
        raise ValueError(NASTY)

    @pytest.mark.scenario(setup=skip)
    async def test_skips(vu): ...

    @pytest.mark.scenario
    @pytest.mark.xfail(reason=NASTY)
    async def test_fails_as_expected(vu):
        raise ValueError(NASTY)

    @pytest.mark.scenario
    @pytest.mark.xfail(strict=True, reason=NASTY)
    async def test_passes_unexpectedly(vu): ...

    @pytest.mark.scenario
    async def test_has_no_fixture(vu, broken): ...

    @pytest.mark.scenario(setup=lambda: 1 / 0)
    async def test_fails_twice(vu, breaks_afterwards): ...

    @pytest.mark.load_test
    class TestPeakHour:
        @pytest.mark.scenario
        async def test_browse(self, vu): ...

        @pytest.mark.scenario
        async def test_buy(self, vu):
            raise RuntimeError(NASTY)

    @pytest.mark.parametrize("value", [NASTY, "漢"])
    @pytest.mark.scenario
    async def test_parametrized(vu, value): ...

    def test_ordinary(): ...
"""


def written(pytester: pytest.Pytester) -> ElementTree.ElementTree:
    return ElementTree.parse(pytester.path / "junit.xml")  # type: ignore[return-value]  # it has a root


@pytest.mark.parametrize("logging", ["no", "log", "system-out", "system-err", "out-err", "all"])
def test_it_is_valid_whatever_load_tests_did_and_said(
    pytester: pytest.Pytester, run_pytest: RunPytest, logging: str
):
    pytester.makepyfile(test_shop=SUITE)

    result = run_pytest("--junitxml=junit.xml", "-o", f"junit_logging={logging}")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert [str(error) for error in SCHEMA.iter_errors(pytester.path / "junit.xml")] == []
    outcomes = [
        (
            str(case.get("name")).partition("[")[0],
            [child.tag for child in case if not child.tag.startswith("system")],
        )
        for case in written(pytester).iter("testcase")
    ]
    # A subtest that failed is one more failure of its test.
    failures = ["failure"] * (1 + hasattr(pytest, "Subtests"))
    assert outcomes == [
        ("test_passes", []),
        ("test_fails", failures),
        ("test_skips", ["skipped"]),
        ("test_fails_as_expected", ["skipped"]),
        ("test_passes_unexpectedly", ["failure"]),
        ("test_has_no_fixture", ["error"]),
        ("test_fails_twice", ["failure"]),
        ("test_fails_twice", ["error"]),
        ("TestPeakHour", failures),
        ("test_parametrized", []),
        ("test_parametrized", []),
        ("test_ordinary", []),
    ]


def test_the_main_numbers_are_properties_of_the_suite(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(test_shop=SUITE)

    run_pytest("--junitxml=junit.xml", "-k", "(test_passes and not unexp) or ordinary")

    report = written(pytester)
    found = {each.get("name"): each.get("value") for each in report.iter("property")}
    assert list(found) == [f"test_shop.py::test_passes {name}" for name in NUMBERS]
    assert found["test_shop.py::test_passes http_req_failed_rate"] == "0.0"
    assert [list(case) for case in report.iter("testcase") if len(case)] == []


def test_properties_of_users_stay_where_they_put_them(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu, request):
            request.node.user_properties.append(("commit", "c0ffee"))
    """)

    run_pytest("--junitxml=junit.xml")

    (case,) = written(pytester).iter("testcase")
    assert [each.get("name") for each in case.iter("property")] == ["commit"]
