"""What a session imports: nothing heavy before a load test is about to run."""

import subprocess
import sys

import pytest

HEAVY = {"trio", "rich", "quart", "hypercorn", "msgspec"}

# What pytest pays for in every session. A new module belongs into a hook's body instead.
IN_EVERY_SESSION = {
    "pytest_k6api",
    "pytest_k6api.late_imports",
    "pytest_k6api.plugin",
    "pytest_k6api.plugin.collection",
    "pytest_k6api.plugin.collection.detection",
    "pytest_k6api.plugin.hooks",
    "pytest_k6api.plugin.hooks.hookspecs",
    "pytest_k6api.plugin.hooks.stash_keys",
    "pytest_k6api.plugin.reporting",
    "pytest_k6api.plugin.reporting.reporters",
    "pytest_k6api.plugin.runtime",
    "pytest_k6api.plugin.runtime.fixtures",
    "pytest_k6api.plugin.settings",
    "pytest_k6api.plugin.settings.setting",
    "pytest_k6api.plugin.settings.table",
}

PROBE = """
    import atexit, sys

    def tell():
        heavy = {heavy!r} & set(sys.modules)
        print("imported:", " ".join(sorted(heavy)) or "nothing", file=sys.__stdout__)
        ours = sorted(name for name in sys.modules if name.partition(".")[0] == "pytest_k6api")
        print("of this package:", *ours, file=sys.__stdout__)

    atexit.register(tell)

    def pytest_sessionfinish(session):
        import threading
        names = sorted(thread.name for thread in threading.enumerate())
        print("\\nthreads:", ", ".join(names), file=sys.__stdout__)
"""


def output_of(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    pytester.makeconftest(PROBE.format(heavy=HEAVY))
    command = [sys.executable, "-m", "pytest", "-s", "-p", "k6api", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def run(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    return [
        line
        for line in output_of(pytester, *arguments)
        if line.startswith(("imported:", "threads:", "k6 control API"))
    ]


def test_a_suite_without_load_tests_imports_nothing_heavy(pytester: pytest.Pytester):
    pytester.makepyfile("def test_ordinary(): ...")

    assert run(pytester) == ["threads: MainThread", "imported: nothing"]


def test_a_suite_without_load_tests_imports_few_modules_of_the_package(pytester: pytest.Pytester):
    pytester.makepyfile("def test_ordinary(): ...")

    output = output_of(pytester)

    [names] = [line for line in output if line.startswith("of this package:")]
    assert set(names.split()[3:]) == IN_EVERY_SESSION


def test_collecting_opens_no_port_and_imports_nothing_heavy(
    pytester: pytest.Pytester,
):
    pytester.makepyfile("""
        import pytest
        from pytest_k6api import load_test, scenario, vu_fixture

        @vu_fixture
        async def account(vu): ...

        @scenario(thresholds={"http_reqs": ["count>1"]})
        async def test_browse(vu, account): ...

        @load_test
        class TestPeakHour:
            @pytest.mark.scenario(stages=[("1s", 3)])
            async def test_buy(self, vu): ...
    """)

    assert run(pytester, "--collect-only") == ["threads: MainThread", "imported: nothing"]


def test_a_load_test_that_nobody_watches_needs_no_rich(pytester: pytest.Pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_think(vu): ...
    """)

    assert run(pytester, "--k6-address=") == [
        "threads: MainThread",
        "imported: msgspec trio",
    ]


def test_a_load_test_starts_without_what_only_its_end_needs(pytester: pytest.Pytester):
    pytester.makepyfile("""
        import pytest, sys

        LATE = ("outputs.files", "plugin.runtime.ending", "report.html", "report.comparison", "run.pages")

        @pytest.mark.scenario
        async def test_think(vu):
            assert [name for name in LATE if f"pytest_k6api.{name}" in sys.modules] == []

        def test_its_end_needed_some():
            assert "pytest_k6api.plugin.runtime.ending" in sys.modules
    """)

    run(pytester, "--k6-address=")  # asserts that both pass


def test_a_deselected_load_test_costs_nothing(pytester: pytest.Pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_think(vu): ...

        def test_ordinary(): ...
    """)

    assert run(pytester, "-k", "ordinary") == ["threads: MainThread", "imported: nothing"]
