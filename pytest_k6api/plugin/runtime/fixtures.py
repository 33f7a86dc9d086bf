"""Fixtures of scenarios and of ordinary tests."""

from enum import Enum
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.plugin.collection.detection import is_made_by
from pytest_k6api.plugin.hooks.stash_keys import CAPTURED

if TYPE_CHECKING:
    from pytest_k6api.plugin.runtime.results import SessionResults


class PerVU(Enum):
    """Placeholders in the arguments of a scenario for values that each virtual user has."""

    VU = "vu"
    SETUP_DATA = "setup_data"


PER_VU_NAMES = frozenset(each.value for each in PerVU)
"""The fixtures of this plugin that each virtual user has."""


@pytest.fixture
def vu(request: pytest.FixtureRequest) -> PerVU:
    """The virtual user that runs this iteration; for scenarios and VU fixtures."""
    refuse_ordinary_test(request)
    return PerVU.VU


@pytest.fixture
def setup_data(request: pytest.FixtureRequest) -> PerVU:
    """The return value of the load test's setup function; every VU has its own copy."""
    refuse_ordinary_test(request)
    return PerVU.SETUP_DATA


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


@pytest.fixture(scope="session")
def k6_base_url(pytestconfig: pytest.Config) -> str:
    """The base of relative URLs of load tests; override it to point at a service.

    By default it is the setting (``--k6-base-url``, ``K6_BASE_URL``, ``k6_base_url``),
    also for ordinary tests; empty if there is none. In a load test an override has
    precedence over the ini file, and below marker, environment and command line.
    """
    from pytest_k6api.plugin.settings.sources import Settings

    return Settings.of(pytestconfig).text("base_url")


@pytest.fixture
def k6(request: pytest.FixtureRequest) -> "SessionResults":
    """The results of the session's load tests: metrics, groups, checks."""
    from pytest_k6api.plugin.runtime.results import SessionResults
    from pytest_k6api.plugin.runtime.session import address_of, load_tests_of

    return SessionResults(load_tests_of(request.config), address_of(request.config))
