"""One nginx for all tests of this folder."""

import pytest

from tests.oracle.programs import running_nginx


@pytest.fixture(scope="session")
def nginx(tmp_path_factory):
    with running_nginx(tmp_path_factory.mktemp("nginx")) as url:
        yield url
