"""Fixtures of scenarios and of ordinary tests. Imported in every session."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_k6api.plugin.runtime.results import SessionResults


@pytest.fixture
def vu(request: pytest.FixtureRequest) -> object:
    """The virtual user that runs this iteration; for scenarios and VU fixtures."""
    return _placeholder(request)


@pytest.fixture
def setup_data(request: pytest.FixtureRequest) -> object:
    """The return value of the load test's setup function; every VU has its own copy."""
    return _placeholder(request)


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


def _placeholder(request: pytest.FixtureRequest) -> object:
    from pytest_k6api.plugin.collection.per_vu import placeholder

    return placeholder(request)
