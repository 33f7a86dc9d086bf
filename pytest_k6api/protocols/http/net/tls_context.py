"""What connections over TLS agree on: authorities, certificates, versions, cipher suites."""

import re
import ssl
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from pytest_k6api.model import OptionError

# k6's names, in the order of the versions.
_VERSIONS = {
    "tls1.0": ssl.TLSVersion.TLSv1,
    "tls1.1": ssl.TLSVersion.TLSv1_1,
    "tls1.2": ssl.TLSVersion.TLSv1_2,
    "tls1.3": ssl.TLSVersion.TLSv1_3,
}
# The standard's names of suites, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, are made of the
# words of OpenSSL's: ECDHE-RSA-AES128-GCM-SHA256.
_SUITE = re.compile(r"TLS_(?:(RSA)|(ECDHE_RSA|ECDHE_ECDSA|DHE_RSA))_WITH_(\w+)")
_OPENSSL = (
    ("AES_128_CBC", "AES128"),
    ("AES_256_CBC", "AES256"),
    ("AES_128", "AES128"),
    ("AES_256", "AES256"),
    ("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305"),
    ("3DES_EDE_CBC", "DES_CBC3"),
)


class ClientCertificate(NamedTuple):
    """A certificate that tells a server of the client (mTLS).

    Attributes:
        cert_file: A file with it and what it depends on (PEM).
        key_file: A file with its key (PEM); ``""`` if that is in the same file.
        password: Of the key; ``""`` without.
    """

    cert_file: str
    key_file: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"<ClientCertificate {self.cert_file!r}>"


def read_certificate(cert: str | tuple[str, ...] | None) -> ClientCertificate | None:
    """Return the certificate that users name by its files, after a trial read.

    Args:
        cert: A file with certificate and key (PEM), or a tuple of the files of both, and of
            the key's password if it has one; None for none.

    Raises:
        OptionError: It is none of these, or a file cannot be read.
    """
    if cert is None:
        return None
    files = (cert,) if isinstance(cert, str) else cert
    if not 1 <= len(files) <= len(ClientCertificate._fields):
        raise OptionError(
            "cert takes a file with certificate and key (PEM), or a tuple of the certificate's"
            f" file, the key's file and its password, got {cert!r}"
        )
    certificate = ClientCertificate(*map(str, files))
    make_context(verify=False, certificate=certificate)
    return certificate


class TlsRules(NamedTuple):
    """Versions and cipher suites that connections may use.

    Attributes:
        versions: The least and the greatest, by k6's names; empty for OpenSSL's.
        suites: Those of TLS 1.2 and below, by OpenSSL's names; empty for OpenSSL's.
    """

    versions: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()


def read_tls_version(text: str) -> tuple[str, ...]:
    """Return the least and the greatest version that `text` names: ``tls1.3``, ``tls1.2-tls1.3``.

    Raises:
        OptionError: It names none, or the greater one first.
    """
    if not text:
        return ()
    order = list(_VERSIONS)
    least, _, greatest = text.lower().replace(" ", "").partition("-")
    versions = (least, greatest or least)
    if not set(versions) <= set(order) or order.index(versions[0]) > order.index(versions[1]):
        raise OptionError(
            f"cannot read {text!r}; write one of {', '.join(order)}, or the least and the greatest"
            " version, such as tls1.2-tls1.3"
        )
    return versions


def read_cipher_suites(names: Sequence[str]) -> tuple[str, ...]:
    """Return OpenSSL's names of the cipher suites `names`, which are the standard's or OpenSSL's.

    Raises:
        OptionError: One is unknown, or is one of TLS 1.3, which are not chosen by name.
    """
    return tuple(_openssl_name(name.strip()) for text in names for name in text.split(","))


def _openssl_name(name: str) -> str:
    found = _SUITE.fullmatch(name.upper())
    spelled = name
    if found is not None:
        cipher = found[3]
        for theirs, ours in _OPENSSL:
            cipher = cipher.replace(theirs, ours)
        spelled = "-".join(filter(None, (found[2], cipher))).replace("_", "-")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(f"{spelled}:@SECLEVEL=0")
    except (ssl.SSLError, UnicodeError):
        raise OptionError(
            f"cannot use the cipher suite {name!r}; write one of TLS 1.2 or below that OpenSSL has,"
            " such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (those of TLS 1.3 are always on)"
        ) from None
    return spelled


def make_context(
    verify: bool | str,
    certificate: ClientCertificate | None = None,
    rules: TlsRules = TlsRules(),  # noqa: B008 - an immutable value
) -> ssl.SSLContext:
    """Return the context that connections of a load test share.

    Args:
        verify: True trusts the system's authorities, a path those in that file
            (PEM), False any certificate.
        certificate: Of the client; None without.
        rules: Versions and cipher suites.

    Raises:
        OptionError: A file cannot be read or does not hold what it should.
    """
    cafile = verify if isinstance(verify, str) else None
    try:
        context = ssl.create_default_context(cafile=cafile)
    except OSError as error:  # ssl.SSLError is one
        raise OptionError(
            f"cannot read certificate authorities from {cafile!r}:"
            f" {_reason(error)}; give a file with certificates in PEM"
        ) from None
    # Python tells OpenSSL to take every end of the stream for a proper one. But without
    # close_notify a body that ends with the connection may have been cut by anyone.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _load(certificate, context)
    _restrict(context, rules)
    return context


def _restrict(context: ssl.SSLContext, rules: TlsRules) -> None:
    suites = ":".join(rules.suites)
    if rules.versions:
        least, greatest = (_VERSIONS[name] for name in rules.versions)
        # The default of most distributions refuses what is older, whatever was asked for.
        if least < ssl.TLSVersion.TLSv1_2:
            suites = f"{suites or 'DEFAULT'}:@SECLEVEL=0"
        with warnings.catch_warnings():  # Python's about old versions, which were asked for
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = least, greatest
    if suites:
        context.set_ciphers(suites)


def _load(certificate: ClientCertificate, context: ssl.SSLContext) -> None:
    cert_file, key_file, password = certificate
    try:
        # A function, or OpenSSL would ask at the terminal where a password is missing.
        context.load_cert_chain(cert_file, key_file or None, lambda: password)
    except OSError as error:
        where = f"{cert_file!r} and {key_file!r}" if key_file else repr(cert_file)
        reason = error.strerror or str(error)
        if isinstance(error, ssl.SSLError):
            reason = "they hold no certificate with its key, or the password is wrong"
        raise OptionError(
            f"cannot read the client's certificate from {where}: {reason}; give files in PEM"
        ) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate that can be read"
    return error.strerror or str(error)
