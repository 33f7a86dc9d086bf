"""Load tests in a worker of pytest-xdist, without one."""

import types

import pytest

from pytest_k6api.plugin.runtime.xdist_worker import (
    DIST,
    NUMBER,
    address_for,
    leave_to_first_worker,
)


def worker(number: int, dist: str = "load") -> types.SimpleNamespace:
    return types.SimpleNamespace(workerinput={NUMBER: number, DIST: dist, "workerid": "gw9"})


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
    assert address_for(worker(number), given) == expected  # type: ignore[arg-type]


def test_without_workers_the_address_stays():
    assert address_for(types.SimpleNamespace(), "localhost:1") == "localhost:1"  # type: ignore[arg-type]


def test_with_dist_each_all_workers_but_the_first_skip_load_tests():
    item = types.SimpleNamespace(config=worker(1, "each"))

    with pytest.raises(pytest.skip.Exception, match="runs in the first worker alone"):
        leave_to_first_worker(item)  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "dist"), [(0, "each"), (1, "load")])
def test_all_others_run_what_they_are_given(number: int, dist: str):
    item = types.SimpleNamespace(config=worker(number, dist))

    leave_to_first_worker(item)  # type: ignore[arg-type]
