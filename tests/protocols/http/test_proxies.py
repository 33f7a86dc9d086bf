import pytest

from pytest_k6api.protocols.http.message import Origin
from pytest_k6api.protocols.http.net import proxy_variable

PROXY = "http://ann:secret@proxy.test:3128"


def origin(host: str, *, is_tls: bool = False, port: int = 80) -> Origin:
    return Origin(is_tls=is_tls, host=host, port=port)


@pytest.mark.parametrize(
    ("environment", "is_tls", "variable"),
    [
        ({}, False, ""),
        ({"HTTP_PROXY": PROXY}, False, "HTTP_PROXY"),
        ({"http_proxy": PROXY}, False, "http_proxy"),
        ({"HTTP_PROXY": ""}, False, ""),
        ({"HTTP_PROXY": PROXY}, True, ""),
        ({"HTTPS_PROXY": PROXY}, True, "HTTPS_PROXY"),
        ({"ALL_PROXY": PROXY}, False, "ALL_PROXY"),
        ({"all_proxy": PROXY}, True, "all_proxy"),
    ],
)
def test_a_proxy_applies_by_scheme(environment: dict[str, str], is_tls: bool, variable: str):
    assert proxy_variable(origin("shop.test", is_tls=is_tls), environment) == variable


@pytest.mark.parametrize(
    ("host", "no_proxy", "applies"),
    [
        ("shop.test", "", True),
        ("localhost", "", False),
        ("127.0.0.1", "", False),
        ("::1", "", False),
        ("shop.test", "*", False),
        ("shop.test", "other.test, shop.test", False),
        ("api.shop.test", "shop.test", False),
        ("api.shop.test", ".shop.test", False),
        ("api.shop.test", "*.shop.test", False),
        ("workshop.test", "shop.test", True),
        ("shop.test", "shop.test:80", False),
        ("shop.test", "shop.test:81", True),
        ("10.1.2.3", "10.0.0.0/8", False),
        ("11.1.2.3", "10.0.0.0/8", True),
        ("fd00::1", "fd00::/8", False),
        ("fe80::1%eth0", "fd00::/8", True),
    ],
)
def test_no_proxy_and_this_machine_are_left_out(host: str, no_proxy: str, applies: bool):
    environment = {"HTTP_PROXY": PROXY, "NO_PROXY": no_proxy}

    assert bool(proxy_variable(origin(host), environment)) == applies
