"""The `k6` fixture: questions of ordinary tests about load tests that have ended."""

import gc
from textwrap import dedent, indent

import pytest

from tests.plugin.conftest import RunPytest

LOAD = """
    import pytest
    from pytest_k6api import Trend

    queue_time = Trend("queue_time")

    @pytest.mark.scenario(iterations=4, thresholds={"http_reqs": ["count==4"]})
    async def test_browse(vu):
        with vu.group("visit"):
            response = await vu.http.get("/", name="home")
            vu.check(response, {"is 200": lambda r: r.status_code == 200})
        queue_time.add(vu.iteration)

    @pytest.mark.load_test
    class TestPeakHour:
        @pytest.mark.scenario
        async def test_buy(self, vu):
            await vu.http.get("/buy")
"""


def ask(pytester: pytest.Pytester, run_pytest: RunPytest, questions: str) -> pytest.RunResult:
    pytester.makepyfile(test_1_load=LOAD)
    body = indent(dedent(questions).strip(), "    ")
    pytester.makepyfile(test_2_questions=f"import pytest\n\ndef test_questions(k6):\n{body}")
    return run_pytest()


def test_it_answers_with_every_number_that_was_measured(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = ask(
        pytester,
        run_pytest,
        """
        browse = k6.tests["test_browse"]
        assert browse.name == "test_1_load.py::test_browse"
        assert browse.outcome == "passed"
        assert browse.elapsed > 0
        trend = browse.metrics["queue_time"]
        assert (trend.min, trend.med, trend.max, trend.avg, trend.count) == (0, 1.5, 3, 1.5, 4)
        assert trend.p(99.9999999) < trend.p(100) == 3
        assert trend.samples == 4 and trend.kind.value == "trend"
        assert browse.metrics["http_reqs{name:home}"].count == 4
        assert browse.metrics["http_reqs"].rate > 0
        assert browse.metrics["http_reqs"].thresholds[0].ok
        assert "http_reqs{name:nowhere}" not in browse.metrics
        checks = browse.metrics["checks"]
        assert (checks.rate, checks.passes, checks.fails) == (1, 4, 0)
        assert list(browse.groups) == ["", "::visit"]
        assert browse.checks["::visit::is 200"].passes == 4
        assert [threshold.source for threshold in browse.thresholds] == ["count==4"]
        per_second = browse.metrics["http_reqs"].per_second
        assert sum(point.count for point in per_second) == 4 and per_second[0].seconds == 1
        with pytest.raises(LookupError, match="queue_time is not kept by the second; http_req_"):
            trend.per_second
        assert set(browse.metrics) >= {"http_reqs", "queue_time", "iterations"}
        assert len(browse.metrics) == len(list(browse.metrics))
        """,
    )

    result.assert_outcomes(passed=3)


def test_by_itself_it_is_about_the_last_load_test(pytester: pytest.Pytester, run_pytest: RunPytest):
    result = ask(
        pytester,
        run_pytest,
        """
        assert k6.last.name == "test_1_load.py::TestPeakHour"
        assert k6.metrics["http_reqs"].count == 1
        assert k6.groups.keys() == {""} and k6.checks == {} and k6.thresholds == ()
        """,
    )

    result.assert_outcomes(passed=3)


def test_load_tests_are_found_by_node_id_or_by_a_name_that_only_one_has(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_0_other="""
        import pytest

        @pytest.mark.parametrize("page", ["a", "b"])
        @pytest.mark.scenario
        async def test_pages(vu, page): ...

        class TestShop:
            @pytest.mark.scenario
            async def test_method(self, vu): ...
    """
    )

    result = ask(
        pytester,
        run_pytest,
        """
        assert list(k6.tests) == [
            "test_0_other.py::test_pages[a]",
            "test_0_other.py::test_pages[b]",
            "test_0_other.py::TestShop::test_method",
            "test_1_load.py::test_browse",
            "test_1_load.py::TestPeakHour",
        ]
        assert len(k6.tests) == 5
        for name in ("test_pages[b]", "TestShop::test_method", "test_method", "TestPeakHour"):
            assert k6.tests[name].name.endswith(name)
        assert "test_browse" in k6.tests and "test_nothing" not in k6.tests
        with pytest.raises(LookupError, match="2 load tests are called 'test_pages'"):
            k6.tests["test_pages"]
        with pytest.raises(LookupError, match="no load test of this session is called 'test_x'"):
            k6.tests["test_x"]
        """,
    )

    result.assert_outcomes(passed=6)


def test_an_answer_shows_its_numbers_in_a_failed_assertion(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    result = ask(
        pytester, run_pytest, 'assert k6.tests["test_browse"].metrics["queue_time"].max < 3'
    )

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*assert 3.0 < 3",
            "E*where 3.0 = <trend queue_time: avg=1.5 max=3 med=1.5 min=0 *>.max",
        ]
    )


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (
            'k6.metrics["nothing"]',
            "test_1_load.py::TestPeakHour has no sample of 'nothing'; it has *",
        ),
        ('k6.metrics["http_reqs"].p(95)', "*cannot ask a counter for 'p(95)'*"),
        ('k6.metrics["http_req_duration"].p(101)', "*a percentile lies between 0 and 100*"),
        ('k6.metrics["http_reqs{"]', "*http_reqs{*"),
    ],
)
def test_a_question_without_an_answer_is_told_what_there_is(
    pytester: pytest.Pytester, run_pytest: RunPytest, question: str, message: str
):
    result = ask(pytester, run_pytest, question)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines([f"E*Error: {message}"])


def test_before_the_first_load_test_it_says_so(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        test_1_questions="""
            def test_questions(k6):
                assert len(k6.tests) == 0
                k6.metrics
        """,
        test_2_load=LOAD,
    )

    result = run_pytest()

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["E*no load test has ended in this session yet; *"])


def test_a_counter_that_was_never_fed_has_counted_nothing(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(
        test_load="""
        import pytest
        from pytest_k6api import scenario

        @scenario
        async def test_browse(vu): ...

        def test_ask(k6):
            assert k6.metrics["dropped_iterations"].count == 0
            assert "dropped_iterations" not in k6.metrics
            with pytest.raises(LookupError, match="has no sample of 'http_req_duration'"):
                k6.metrics["http_req_duration"]
            assert k6.address == ""
        """
    )

    run_pytest("--k6-address=").assert_outcomes(passed=2)


def test_virtual_users_are_gone_with_their_load_test_without_a_later_collection(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import gc
        import pytest

        def users():
            kinds = [type(each).__qualname__ for each in gc.get_objects()]
            return kinds.count("VirtualUser"), kinds.count("SupervisedRun")

        gc.collect()
        before = users()

        @pytest.mark.scenario(vus=2, iterations=2)
        async def test_browse(vu): ...

        def test_after():
            assert users() == before
    """)
    thresholds = gc.get_threshold()
    gc.set_threshold(1_000_000)  # no collection of Python's own accord

    try:
        result = run_pytest()
    finally:
        gc.set_threshold(*thresholds)

    result.assert_outcomes(passed=2)
