"""TLS: one context for all connections, the handshake, and k6's names of versions."""

import ssl

from trio.lowlevel import wait_readable, wait_writable

from pytest_k6api.model import OptionError

# k6's values of the tag `tls_version`.
_VERSIONS = {
    "TLSv1": "tls1.0",
    "TLSv1.1": "tls1.1",
    "TLSv1.2": "tls1.2",
    "TLSv1.3": "tls1.3",
}


def make_context(verify: bool | str) -> ssl.SSLContext:
    """Return the context that all connections of a load test share.

    Args:
        verify: True trusts the system's authorities, a path those in that file
            (PEM), False everyone.

    Raises:
        OptionError: The file cannot be read or holds no certificate.
    """
    cafile = verify if isinstance(verify, str) else None
    try:
        context = ssl.create_default_context(cafile=cafile)
    except OSError as error:  # ssl.SSLError is one
        raise OptionError(
            f"cannot read certificate authorities from {cafile!r}:"
            f" {_reason(error)}; give a file with certificates in PEM"
        ) from None
    context.set_alpn_protocols(["http/1.1"])
    # Python tells OpenSSL to take every end of the stream for a proper one. But without
    # close_notify a body that ends with the connection may have been cut by anybody.
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "it holds no certificate that can be read"
    return error.strerror or str(error)


def server_name(host: str) -> str:
    """Return the name that `host` is asked for by SNI, and must have a certificate for.

    That is the host without the dot of a fully qualified name and without the zone of
    an IPv6 address.
    """
    return host.partition("%")[0].removesuffix(".")


def version_name(sock: ssl.SSLSocket) -> str:
    """Return k6's name for the TLS version of `sock`, such as ``tls1.3``."""
    version = sock.version() or ""
    return _VERSIONS.get(version, version.lower())


async def shake_hands(sock: ssl.SSLSocket) -> None:
    """Complete the handshake of the non-blocking `sock`.

    Raises:
        OSError: It failed; certificate problems are ``ssl.SSLCertVerificationError``.
    """
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await wait_readable(sock)
        except ssl.SSLWantWriteError:
            await wait_writable(sock)
        else:
            return
