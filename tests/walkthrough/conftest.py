"""Sessions to walk through, one for each test."""

import pytest

from tests.walkthrough.session import a_page, a_session


@pytest.fixture(scope="package")
def page():
    with a_page() as url:
        yield url


@pytest.fixture(
    params=[
        pytest.param((), id="one process"),
        pytest.param(("--k6-workers=2",), id="two workers", marks=pytest.mark.slow),
    ]
)
def processes(request):
    """The option that says how many processes share the load."""
    return request.param


@pytest.fixture
def paused(page, tmp_path, processes):
    """A session whose load test waits for a resume; the API stays when it has ended."""
    with a_session(tmp_path, page, "--k6-paused", "--k6-linger", *processes) as session:
        session.wait_for(status=4)
        yield session


@pytest.fixture
def running(page, tmp_path, processes):
    """A session whose load test makes load; the API stays when it has ended."""
    with a_session(tmp_path, page, "--k6-linger", *processes) as session:
        session.wait_for(status=7, vus=3)
        session.wait_for_requests()
        yield session


@pytest.fixture(scope="module")
def unchanged(page, tmp_path_factory):
    """A session whose load test makes load, for tests that only ask or are refused: they share it."""
    with a_session(tmp_path_factory.mktemp("unchanged"), page) as session:
        session.wait_for(status=7, vus=3)
        session.wait_for_requests()
        yield session
