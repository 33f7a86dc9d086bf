"""What a response's head says about its frame: is it final, where does it end, what follows.

Pure: rules about bytes (RFC 9112), for the cases that llhttp leaves to its caller.
"""

import re

# The least that tells a status.
STATUS_END = len(b"HTTP/1.1 200")

# 101 is not among them: it is the final answer to an upgrade.
_INFORMATIONAL = re.compile(rb"HTTP/1\.\d 1(?!01)")
_CONNECTION = re.compile(rb"\r\nconnection:([^\r]*)")


def is_informational(data: bytes) -> bool:
    """Return whether `data` begins with a 1xx response, after which the real one follows."""
    return _INFORMATIONAL.match(data) is not None


def announces_its_end(lowered: bytes) -> bool:
    """Return whether a head (in lower case) says where its body ends.

    If it does not, the body ends with the connection.
    """
    return b"\r\ncontent-length:" in lowered or b"\r\ntransfer-encoding:" in lowered


def keeps_alive(lowered: bytes) -> bool:
    """Return whether a head (in lower case) lets the connection live on."""
    options = {
        option.strip() for value in _CONNECTION.findall(lowered) for option in value.split(b",")
    }
    if lowered.startswith(b"http/1.0"):
        return b"keep-alive" in options
    return b"close" not in options
