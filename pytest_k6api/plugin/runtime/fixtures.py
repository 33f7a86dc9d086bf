"""The fixtures that scenarios and ordinary tests ask for by name."""

from enum import Enum
from typing import TYPE_CHECKING

import pytest

from pytest_k6api.plugin.collection.detection import is_made_by
from pytest_k6api.plugin.hooks.stash_keys import CAPTURED

if TYPE_CHECKING:
    from pytest_k6api.plugin.runtime.results import SessionResults


class PerVU(Enum):
    """Stands in a scenario's arguments for what every virtual user gets of its own."""

    VU = "vu"
    SETUP_DATA = "setup_data"


PER_VU_NAMES = frozenset(each.value for each in PerVU)
"""The fixtures of ours that every virtual user has of its own."""


@pytest.fixture
def vu(request: pytest.FixtureRequest) -> PerVU:
    """The virtual user that runs this iteration; for scenarios and VU fixtures."""
    refuse_ordinary_test(request)
    return PerVU.VU


@pytest.fixture
def setup_data(request: pytest.FixtureRequest) -> PerVU:
    """What the load test's setup function returned; every VU has its own copy."""
    refuse_ordinary_test(request)
    return PerVU.SETUP_DATA


def refuse_ordinary_test(request: pytest.FixtureRequest) -> None:
    """Fail a test that asks for what only scenarios have, with what to do about it."""
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
    """What relative URLs of load tests are joined to; override it to point at a service.

    By itself it is what was set (``--k6-base-url``, ``K6_BASE_URL``, ``k6_base_url``),
    also for ordinary tests; empty if nothing was. For a load test an override counts
    more than the ini file; its marker, the environment and the command line count more.
    """
    from pytest_k6api.plugin.settings.sources import Settings

    return Settings.of(pytestconfig).text("base_url")


@pytest.fixture
def k6(request: pytest.FixtureRequest) -> "SessionResults":
    """The results of the session's load tests: metrics, groups, checks."""
    from pytest_k6api.plugin.runtime.results import SessionResults
    from pytest_k6api.plugin.runtime.session import address_of, load_tests_of

    return SessionResults(load_tests_of(request.config), address_of(request.config))
