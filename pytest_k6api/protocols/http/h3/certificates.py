"""What a server's certificate has to be over QUIC, told in the words that TLS over TCP has for it.

`qh3` brings its own judge of certificates (rustls'), which is made once for a load test: QUIC
itself would read all authorities again at each handshake, and has one word for most flaws. One
thing more is accepted, as OpenSSL does: a certificate that is among the authorities itself, and
is one, as ``openssl req -x509`` makes them.
"""

import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from time import time

from qh3._hazmat import (
    Certificate,
    CryptoError,
    ExpiredCertificateError,
    InvalidNameCertificateError,
    SelfSignedCertificateError,
    ServerVerifier,
    UnacceptableCertificateError,
    classify_certificates_der,
)

from pytest_k6api.protocols.http.message.errors import (
    HOSTNAME_MISMATCH,
    TLS,
    UNKNOWN_AUTHORITY,
    RequestFailure,
)
from pytest_k6api.protocols.http.net.tls_context import make_context

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
# The names of files in a folder of authorities, by the hash of their subject.
_HASHED = "[0-9a-f]" * 8 + ".[0-9]"
_REFUSALS = (
    CryptoError,
    ExpiredCertificateError,
    InvalidNameCertificateError,
    UnacceptableCertificateError,
)


class Authorities:
    """The authorities that a load test trusts.

    Args:
        verify: As `make_context` has it.

    Raises:
        OptionError: Their file cannot be read.
    """

    def __init__(self, verify: bool | str) -> None:
        self._judge: ServerVerifier | None = None
        if verify is False:
            return
        found = _read(verify) if isinstance(verify, str) else _system()
        roots, self._intermediates, others = classify_certificates_der(found)
        self._trusted = frozenset((*roots, *others))
        self._judge = ServerVerifier([*self._trusted])

    def __repr__(self) -> str:
        return f"<Authorities: {len(self._trusted) if self._judge else 'any'}>"

    def find_flaw(self, chain: list[Certificate], name: str) -> RequestFailure | None:
        """Return why a server is not trusted; None if it is.

        Args:
            chain: The certificates that it shows, its own first.
            name: What it is to be called, or its address.
        """
        if self._judge is None:
            return None
        own, *others = (each.public_bytes() for each in chain)
        is_trusted = own in self._trusted
        try:
            self._judge.verify(own, [*others, *self._intermediates], name, b"")
        except SelfSignedCertificateError:
            if not is_trusted:
                return RequestFailure(UNKNOWN_AUTHORITY, "x509: unknown authority")
            reason = ""
        except _REFUSALS as error:
            reason = str(error)
        else:
            return None
        return _explain(chain[0], name, "" if is_trusted else reason)


def _explain(certificate: Certificate, name: str, reason: str) -> RequestFailure | None:
    if not _is_for(certificate, name):
        return RequestFailure(HOSTNAME_MISMATCH, "x509: certificate doesn't match hostname")
    now = time()
    if now > certificate.not_valid_after:
        reason = "certificate has expired"
    elif now < certificate.not_valid_before:
        reason = "certificate is not yet valid"
    return RequestFailure(TLS, f"x509: {reason}") if reason else None


def _is_for(certificate: Certificate, name: str) -> bool:
    """Return whether `certificate` has `name` among its alternative names (RFC 9525)."""
    try:
        sought = {b"ipaddress(%b)" % ip_address(name).packed.hex(":").encode()}
    except ValueError:
        lowered = name.lower().encode()
        parent = lowered.partition(b".")[2]
        names = (lowered, b"*." + parent) if b"." in parent else (lowered,)
        sought = {b"dnsname(%b)" % each for each in names}
    return not sought.isdisjoint(each.lower() for each in certificate.get_subject_alt_names())


def _read(path: str) -> list[bytes]:
    make_context(path)  # it says what is wrong with the file
    return _decode(Path(path))


def _system() -> list[bytes]:
    """Return the certificates of the system's authorities; OpenSSL reads a folder of them later."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    folder = ssl.get_default_verify_paths().capath
    if not found and folder is not None:
        found = [each for file in Path(folder).glob(_HASHED) for each in _decode(file)]
    return found


def _decode(file: Path) -> list[bytes]:
    return [*map(ssl.PEM_cert_to_DER_cert, _PEM.findall(file.read_text("latin-1")))]
