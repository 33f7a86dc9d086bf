"""Load tests in a worker of pytest-xdist, without one."""

import types

import pytest

from pytest_k6api.plugin.runtime.xdist import address_for
from tests.plugin.conftest import RunPytest

WORKER = """
    def pytest_configure(config):
        config.workerinput = {{"k6_worker": {number}, "k6_dist": "{dist}", "workerid": "gw9"}}
"""


def config(number: int) -> pytest.Config:
    return types.SimpleNamespace(workerinput={"k6_worker": number})  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("number", "given", "expected"),
    [
        (0, "localhost:6565", "localhost:6565"),
        (3, "localhost:6565", "localhost:6568"),
        (3, "[::1]:7000", "[::1]:7003"),
        (3, "localhost:0", "localhost:0"),
        (3, "", ""),
        (3, "localhost:65534", "localhost:65535"),
    ],
)
def test_every_worker_has_a_port_of_its_own(number: int, given: str, expected: str):
    assert address_for(config(number), given) == expected


def test_without_workers_the_address_stays():
    assert address_for(types.SimpleNamespace(), "localhost:1") == "localhost:1"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "dist", "outcomes"),
    [
        (0, "each", {"passed": 2}),
        (1, "load", {"passed": 2}),
        (1, "each", {"passed": 1, "skipped": 1}),
    ],
)
def test_with_dist_each_only_the_first_worker_runs_load_tests(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    number: int,
    dist: str,
    outcomes: dict[str, int],
):
    pytester.makeconftest(WORKER.format(number=number, dist=dist))
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_browse(vu): ...

        def test_ordinary(): ...
    """)

    run_pytest().assert_outcomes(**outcomes)
