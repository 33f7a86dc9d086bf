"""Servers that speak TLS, and those that want a certificate of the client."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from pytest_k6api.outputs import OutputError, OutputStatus
from tests.outputs.receiving import (
    MIXED,
    Receiver,
    batch,
    context,
    make_output,
    receiving,
)

pytest.importorskip("cramjam")
pytest.importorskip("google.protobuf")
pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    return made


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Let the process trust the authority as OpenSSL is told to, by a variable."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def write(receiver: Receiver, name: str = "prometheus-rw", **environment: str) -> OutputStatus:
    output = make_output(name, context(f"{receiver.url}/write", **environment))
    output._close_timeout = 1.0  # what is away is given up sooner
    output.start()
    output.add(batch(*MIXED))
    output.stop()
    return output.status()


def test_a_server_whose_authority_is_trusted_gets_everything(trusted, server):
    with receiving(tls=server) as receiver:
        status = write(receiver)

    assert (status.written, status.error) == (12, "")
    assert [posted.path for posted in receiver.posted] == ["/write"]


def test_a_server_whose_authority_is_not_known_gets_nothing_unless_that_is_allowed(server):
    with receiving(tls=server) as receiver:
        refused = write(receiver)
        written = write(receiver, K6_PROMETHEUS_RW_INSECURE_SKIP_TLS_VERIFY="true")
        also = write(receiver, "influxdb", K6_INFLUXDB_INSECURE="true")

    assert (refused.written, refused.dropped) == (0, 12)
    assert refused.error.startswith("the server's certificate is not trusted: ")
    assert (written.written, also.written) == (12, 12)


def test_the_least_version_of_tls_is_chosen_by_k6s_variable(trusted):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.issue_cert("127.0.0.1").configure_cert(old)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    with receiving(tls=old) as receiver:
        written = [write(receiver), write(receiver, K6_PROMETHEUS_RW_TLS_MIN_VERSION="1.2")]
        refused = write(receiver, K6_PROMETHEUS_RW_TLS_MIN_VERSION="1.3")
        with pytest.raises(
            OutputError,
            match=r"K6_PROMETHEUS_RW_TLS_MIN_VERSION: takes 1\.2 or 1\.3, got 'tls1\.3'",
        ):
            write(receiver, K6_PROMETHEUS_RW_TLS_MIN_VERSION="tls1.3")

    assert [each.written for each in written] == [12, 12]
    assert (refused.written, refused.error.startswith("no TLS connection")) == (0, True)


def test_a_server_that_wants_a_certificate_gets_it(trusted, tmp_path):
    mutual = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.issue_cert("127.0.0.1").configure_cert(mutual)
    mutual.verify_mode = ssl.CERT_REQUIRED
    trusted.configure_trust(mutual)
    own = trusted.issue_cert("load@test.example")
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")

    with receiving(tls=mutual) as receiver:
        written = write(
            receiver,
            K6_PROMETHEUS_RW_CLIENT_CERTIFICATE=str(tmp_path / "own.pem"),
            K6_PROMETHEUS_RW_CLIENT_CERTIFICATE_KEY=str(tmp_path / "own.key"),
        )
        refused = write(receiver)

    assert (written.written, written.error) == (12, "")
    assert (refused.written, refused.dropped) == (0, 12)
    assert refused.error


def test_plain_http_where_tls_is_spoken_and_the_reverse_are_told(server):
    with receiving(tls=server) as receiver:
        receiver.url = receiver.url.replace("https", "http")
        plain = write(receiver)
    with receiving() as receiver:
        receiver.url = receiver.url.replace("http", "https")
        secure = write(receiver)

    assert (plain.written, secure.written) == (0, 0)
    assert plain.error
    assert "the server may speak plain HTTP" in secure.error


def test_a_server_that_does_not_answer_holds_up_the_end_for_a_bounded_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        output = make_output("prometheus-rw", context(f"http://{host}:{port}/write"))
        output._close_timeout = 0.2
        output.start()
        output.add(batch(*MIXED))

        output.stop()

    assert output.status() == OutputStatus(
        written=0,
        dropped=12,
        waiting=0,
        retries=0,
        error="took longer than 0.2 s for what was left",
    )
