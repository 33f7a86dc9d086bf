import errno
import socket
from collections.abc import Iterator

import pytest

from pytest_k6api.api import ApiError, ApiServer, ApiSettings
from pytest_k6api.api.server import address
from pytest_k6api.api.server.address import Address, bind, is_loopback, parse_address
from tests.api.fake import FakeSession


def never(message: str) -> None:
    raise AssertionError(message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:6565", Address("localhost", 6565)),
        (" 127.0.0.1:0 ", Address("127.0.0.1", 0)),
        ("[::1]:80", Address("::1", 80)),
        (":6565", Address("", 6565)),
        ("load-gen.internal:65535", Address("load-gen.internal", 65535)),
    ],
)
def test_addresses_are_a_host_and_a_port(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert parse_address(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "6565",
        "localhost",
        "localhost:",
        "localhost:x",
        "localhost:65536",
        "::1:80",
        "http://a:1",
        "a b:1",
        "localhost:-1",
        "localhost:٣",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_address(text)

    assert str(caught.value) == (
        f"cannot read the address {text!r} of the control API; write 'host:port', such as"
        " 'localhost:6565' or '127.0.0.1:0', or '' to switch it off"
    )


def test_only_localhost_and_its_addresses_are_loopback() -> None:
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["", "0.0.0.0", "::", "10.0.0.1", "example.com"]))


@pytest.mark.parametrize("public", [":0", "0.0.0.0:0", "[::]:0", "10.0.0.1:0"])
def test_an_address_that_others_can_reach_needs_a_token(public: str) -> None:
    with pytest.raises(ApiError, match=r"can be reached from other machines; set a token too"):
        bind(ApiSettings(address=public), never)


@pytest.mark.parametrize("token", ["", "two words", "ümlaut", "line\nbreak"])
def test_a_token_must_fit_into_a_header_and_is_not_shown_if_it_does_not(token: str) -> None:
    with pytest.raises(ApiError) as caught:
        ApiSettings(token=token)

    assert not token or token not in str(caught.value)


def test_settings_do_not_show_their_token() -> None:
    assert "s3cret" not in repr(ApiSettings(token="s3cret"))


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.sockets
def test_localhost_is_listened_on_in_both_families_on_one_port() -> None:
    taken, sockets = bind(ApiSettings(address="localhost:0"), never)
    ports = {bound.getsockname()[1] for bound in sockets}
    hosts = [bound.getsockname()[0] for bound in sockets]
    for bound in sockets:
        bound.close()

    assert ports == {taken.port}
    assert hosts[0] == "127.0.0.1"
    assert hosts[1:] in (["::1"], [])


@pytest.mark.sockets
def test_a_busy_port_that_was_asked_for_is_an_error(busy_port: int) -> None:
    settings = ApiSettings(address=f"127.0.0.1:{busy_port}", explicit=True)

    with pytest.raises(ApiError) as caught:
        ApiServer(FakeSession(), settings, warn=never).start()

    assert str(caught.value) == (
        f"the control API cannot listen on '127.0.0.1:{busy_port}': the port is busy; give it"
        " another with --k6-address (port 0 takes any free one), or stop what uses it"
    )


@pytest.mark.sockets
def test_a_busy_default_port_moves_to_the_next_free_one_with_a_warning(busy_port: int) -> None:
    warned: list[str] = []
    settings = ApiSettings(address=f"127.0.0.1:{busy_port}")

    server = ApiServer(FakeSession(), settings, warn=warned.append)
    url = server.start()
    server.stop()

    assert not url.endswith(f":{busy_port}")
    taken = url.removeprefix("http://")
    (warning,) = warned
    assert warning == (
        f"the port of 127.0.0.1:{busy_port} is busy: the control API listens on {taken} instead"
        " (give it an address of its own with --k6-address)"
    )


@pytest.mark.sockets
def test_a_host_that_is_not_ours_is_an_error() -> None:
    settings = ApiSettings(address="192.0.2.1:0", token="t")

    with pytest.raises(ApiError, match=r"the control API cannot listen on '192.0.2.1:0': "):
        bind(settings, never)


@pytest.mark.sockets
def test_a_machine_without_ipv6_listens_on_ipv4_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ipv6(host: str, port: int) -> socket.socket:
        if ":" in host:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return listen(host, port)

    listen = address._listen
    monkeypatch.setattr(address, "_listen", without_ipv6)

    taken, sockets = bind(ApiSettings(address="localhost:0"), never)
    sockets[0].close()

    assert len(sockets) == 1
    assert taken.port != 0


@pytest.mark.sockets
def test_a_port_that_is_busy_in_one_family_is_busy(busy_port: int) -> None:
    # Linux refuses "::1" only if IPv6 has it; here IPv4, which is bound first, has.
    settings = ApiSettings(address=f"localhost:{busy_port}", explicit=True)

    with pytest.raises(ApiError, match=r"the port is busy"):
        bind(settings, never)


@pytest.mark.sockets
def test_all_interfaces_can_be_listened_on_with_a_token() -> None:
    server = ApiServer(FakeSession(), ApiSettings(address=":0", token="t"), warn=never)

    assert server.start().startswith("http://127.0.0.1:")
    server.stop()


def test_an_empty_address_switches_the_api_off() -> None:
    server = ApiServer(FakeSession(), ApiSettings(address=""), warn=never)

    assert server.start() == ""
    server.stop()
