"""Fixtures that each virtual user has: in an item's arguments a placeholder stands for them."""

import pytest

from pytest_k6api.plugin.collection.detection import is_made_by
from pytest_k6api.plugin.hooks.stash_keys import CAPTURED

PER_VU_NAMES = frozenset({"vu", "setup_data"})
"""The fixtures of this plugin that each virtual user has."""


def placeholder(request: pytest.FixtureRequest) -> object:
    """Return what stands for the fixture in the arguments of a load test; fail an ordinary test."""
    refuse_ordinary_test(request)
    return f"<{request.fixturename} of each virtual user>"


def refuse_ordinary_test(request: pytest.FixtureRequest) -> None:
    """Fail an ordinary test that asks for a fixture of scenarios, with the remedy."""
    if CAPTURED in request.node.stash:
        return
    if is_made_by(getattr(request.node, "function", None), "pytest_bdd"):
        pytest.fail(
            f"{request.fixturename} is for load tests, where every virtual user has its own, and the"
            " steps of pytest-bdd run once, as an ordinary test; write a function marked"
            " @pytest.mark.scenario for the load",
            pytrace=False,
        )
    pytest.fail(
        f"{request.fixturename} is for load tests, where every virtual user has its own, and"
        f" {request.node.name} is an ordinary test; mark it @pytest.mark.scenario to run it as load",
        pytrace=False,
    )
