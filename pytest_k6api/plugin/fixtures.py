"""The fixtures that scenarios and ordinary tests ask for by name."""

from enum import Enum
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_k6api.plugin.results import SessionResults


class PerVU(Enum):
    """Stands in a scenario's arguments for what every virtual user gets of its own."""

    VU = "vu"
    SETUP_DATA = "setup_data"


@pytest.fixture
def vu() -> PerVU:
    """The virtual user that runs this iteration; for scenarios and VU fixtures."""
    return PerVU.VU


@pytest.fixture
def setup_data() -> PerVU:
    """What the load test's setup function returned; every VU has its own copy."""
    return PerVU.SETUP_DATA


@pytest.fixture(scope="session")
def k6_base_url() -> str:
    """What relative URLs of load tests are joined to; override it to point at a service."""
    return ""


@pytest.fixture
def k6(request: pytest.FixtureRequest) -> "SessionResults":
    """The results of the session's load tests: metrics, groups, checks."""
    from pytest_k6api.plugin.results import SessionResults
    from pytest_k6api.plugin.running import load_tests_of

    return SessionResults(load_tests_of(request.config))
