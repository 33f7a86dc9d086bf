"""Certificates of servers over QUIC: the codes and the words are those of TLS over TCP."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

pytest.importorskip("qh3")

from pytest_k6api.protocols.http import HostTable
from pytest_k6api.protocols.http.h3 import errors
from tests.protocols.http.h3.speaking import serving, until
from tests.protocols.http.serving import OK, a_tester, replying
from tests.virtual_time import in_real_time

pytestmark = pytest.mark.sockets

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


class Shown(NamedTuple):
    """What a server shows, and whom the client trusts: all in PEM."""

    chain: bytes
    key: bytes
    trusted: bytes


def issued(*names: str, trusted: trustme.CA | None = None, depth: int = 0, **dates: Any) -> Shown:
    """Have an authority issue a certificate, or one below it that the server does not show."""
    root = issuer = trustme.CA()
    for _ in range(depth):
        issuer = issuer.create_child_ca()
    leaf = issuer.issue_cert(*names, **dates)
    trust = (trusted or root).cert_pem.bytes()
    return Shown(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes(), trust)


def self_signed(*names: str, is_authority: bool) -> Shown:
    """Make a certificate that is trusted itself, as ``openssl req -x509`` does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names)]), critical=False)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Shown(certificate, pem, certificate)


TRUSTED = (0, "")
OTHER_NAME = (1311, "x509: certificate doesn't match hostname")
UNKNOWN = (1310, "x509: unknown authority")
CASES: dict[str, tuple[Callable[[], Shown], tuple[int, str]]] = {
    "trusted": (partial(issued, "shop.test"), TRUSTED),
    "a wildcard": (partial(issued, "*.test", "*.shop.test"), OTHER_NAME),
    "another name": (partial(issued, "other.test"), OTHER_NAME),
    "an address": (partial(issued, "127.0.0.1"), OTHER_NAME),
    "expired": (
        partial(issued, "shop.test", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
        (1300, "x509: certificate has expired"),
    ),
    "not yet valid": (
        partial(issued, "shop.test", not_before=NOW + DAY, not_after=NOW + 9 * DAY),
        (1300, "x509: certificate is not yet valid"),
    ),
    "another authority": (partial(issued, "shop.test", trusted=trustme.CA()), UNKNOWN),
    "a link that is missing": (partial(issued, "shop.test", depth=1), UNKNOWN),
    "itself trusted": (partial(self_signed, "shop.test", is_authority=False), TRUSTED),
    "itself an authority": (partial(self_signed, "shop.test", is_authority=True), TRUSTED),
    "of one, another name": (partial(self_signed, "other.test", is_authority=True), OTHER_NAME),
}


@pytest.mark.parametrize("case", CASES)
@in_real_time
async def test_a_certificate_is_judged_as_over_tcp(tmp_path: Path, case: str) -> None:
    shown, expected = CASES[case][0](), CASES[case][1]
    files = tmp_path / "shown.pem", tmp_path / "key of it.pem"
    for file, pem in zip((*files, tmp_path / "trusted.pem"), shown, strict=True):
        file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    async def told_by(url: str, versions: str) -> tuple[int, str]:
        options = {
            "verify": str(tmp_path / "trusted.pem"),
            "http_versions": versions,
            "hosts": HostTable({"shop.test": "127.0.0.1"}),
        }
        async with a_tester(**options) as tester:
            got = await tester.client.get(url.replace("127.0.0.1", "shop.test"))
            return got.error_code, got.error

    async with serving(tmp_path) as quic, replying(OK, context=context) as tcp:
        quic.configuration.load_cert_chain(*files)
        told = [await told_by(tcp.url, "1.1"), await told_by(quic.url, "3")]

    assert told == [expected, expected]


@in_real_time
async def test_a_server_that_is_not_trusted_is_told_and_gets_no_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, a_tester(http_versions="3") as tester:
        await tester.client.get(server.url)
        (peer,) = server.peers
        await until(lambda: peer.code is not None)

    assert (peer.code, peer.bodies) == (errors.BAD_CERTIFICATE, {})


@in_real_time
async def test_an_address_of_ipv6_is_a_name(tmp_path: Path) -> None:
    async with serving(tmp_path, host="::1") as server:
        server.ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        async with a_tester(http_versions="3", verify=str(tmp_path / "ca.pem")) as tester:
            got = await tester.client.get(server.url)

    assert (got.text, got.error) == ("hello", "")
