"""The rules of a response's head: its lines, its status, and where its body ends (RFC 9112).

A head is made canonical once (`canonical`): CRLF ends each line, nothing is folded,
no name has white space behind it. Whatever reads it later need not know what servers
are forgiven. The forgiveness is that of k6, curl, httpx and requests, as
``tests/protocols/http/test_leniency.py`` compares it; where it would make up a body that was
not meant (lengths that differ, an unknown transfer encoding), the head is refused.

Pure: bytes in, bytes or a `NetworkError` with k6's words out. The words name what is
wrong in the head and quote nothing behind it.

Source: k6 v1.1.0 on Go 1.23, ``net/http/response.go``, ``net/http/transfer.go`` and
``net/textproto/reader.go``.
"""

import re
from typing import NoReturn

from pytest_k6api.protocols.http.message.errors import GENERIC, NetworkError, RequestFailure

CHUNKED = -1
"""The length of a body that is sent in chunks."""
UNTIL_CLOSE = -2
"""The length of a body that ends with the connection."""
SWITCHING_PROTOCOLS = 101
"""The final answer to an upgrade: what follows is no HTTP."""

# A head that needs no second look: canonical, but for NUL and bare CR, which are
# looked for by `bytes.find` and `bytes.count`, a tenth as dear as a character class.
_REGULAR = re.compile(
    rb"HTTP/\d\.\d [1-9]\d\d(?: .*+)?+\n(?:[-\w!#$%&'*+.^`|~]++:.*+\n)*+\r\n", re.ASCII
)
_VERSION = re.compile(rb"HTTP/\d\.\d")
# A name may have spaces inside, as in k6.
_NAME = re.compile(rb"[-\w!#$%&'*+.^`|~][-\w!#$%&'*+.^`|~ ]*+", re.ASCII)
_FIELDS = re.compile(rb"(?:[-\w!#$%&'*+.^`|~][-\w!#$%&'*+.^`|~ ]*+:.*+\n)*+\n", re.ASCII)
_FOLD = re.compile(rb"\n[ \t]++")
_PADDED_NAME = re.compile(rb"^([^ \t:\n]++)[ \t]++:", re.MULTILINE)
_LENGTHS = re.compile(rb"\r\ncontent-length:([^\r]*)")
# Go takes what fits 63 bits.
_LENGTH = re.compile(rb"0*(\d{1,18})")
_ENCODINGS = re.compile(rb"\r\ntransfer-encoding:([^\r]*)")
_CONNECTION = re.compile(rb"\r\nconnection:([^\r]*)")

_LONGEST_QUOTE = 80
_BODILESS = frozenset({204, 304, SWITCHING_PROTOCOLS})


def end_of_head(data: bytes | bytearray, start: int = 0) -> int:
    """Return where the head in `data` that begins at or before `start` ends, or -1."""
    end = data.find(b"\n\r\n", start)
    bare = data.find(b"\n\n", start, len(data) if end < 0 else end)
    if bare >= 0:
        return bare + 2
    return end + 3 if end >= 0 else -1


def check_start(line: bytes) -> None:
    """Refuse a first line, or what came of it, that is not HTTP's.

    Raises:
        NetworkError: In k6's words.
    """
    version, space, rest = line.partition(b" ")
    if not space:
        _refuse(f'malformed HTTP response "{_quoted(line)}"')
    status = rest.lstrip(b" ").partition(b" ")[0]
    if len(status) != 3 or not status.isdigit() or status.startswith(b"0"):
        _refuse(f'malformed HTTP status code "{_quoted(status)}"')
    if not _VERSION.fullmatch(version):
        _refuse(f'malformed HTTP version "{_quoted(version)}"')


def canonical(head: bytes) -> bytes:
    """Return `head`, which has come whole, in its canonical form.

    Raises:
        NetworkError: It is none.
    """
    if (
        _REGULAR.fullmatch(head)
        and b"\0" not in head
        and head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r")
    ):
        return head
    start, _, fields = head.partition(b"\n")
    start = start.removesuffix(b"\r")
    check_start(start)
    # By expressions, not line by line: a head may have a hundred thousand lines.
    fields = fields.replace(b"\r\n", b"\n")
    if not fields.startswith((b" ", b"\t")):
        fields = _PADDED_NAME.sub(rb"\1:", _FOLD.sub(b" ", fields))
    if not _FIELDS.fullmatch(fields) or b"\r" in fields or b"\0" in fields:
        _refuse_fields(fields)
    version, _, rest = start.partition(b" ")
    status = rest.lstrip(b" ").replace(b"\r", b" ").replace(b"\0", b" ")
    return b"%b %b\r\n%b" % (version, status, fields.replace(b"\n", b"\r\n"))


def _refuse_fields(fields: bytes) -> NoReturn:
    if fields.startswith((b" ", b"\t")):
        _refuse("malformed MIME header initial line")
    for line in fields.split(b"\n"):
        name, colon, value = line.partition(b":")
        if line and not colon:
            _refuse(f'malformed MIME header: missing colon: "{_quoted(line)}"')
        if line and (not _NAME.fullmatch(name) or b"\r" in value or b"\0" in value):
            break
    # k6 quotes the value, too: a session's, often, and another each time.
    _refuse(f"malformed MIME header line: {_quoted(name)}")


def body_length(status: int, lowered: bytes) -> int:
    """Return the bytes of the body behind a canonical head (in lower case).

    Returns:
        Their number, `CHUNKED` or `UNTIL_CLOSE`.

    Raises:
        NetworkError: The head contradicts itself, or says what cannot be read.
    """
    lengths = _LENGTHS.findall(lowered)
    length = _read_lengths(lengths) if lengths else UNTIL_CLOSE
    if status in _BODILESS:
        return 0
    # RFC 9112, 6.3: chunks count more than a length.
    if b"\r\ntransfer-encoding:" in lowered and _is_chunked(_ENCODINGS.findall(lowered)):
        return CHUNKED
    return length


def _read_lengths(values: list[bytes]) -> int:
    found = set()
    for value in values:
        for part in value.split(b","):
            number = _LENGTH.fullmatch(part.strip(b" \t"))
            if number is None:
                _refuse(f'bad Content-Length "{_quoted(value.strip())}"')
            found.add(int(number[1]))
    if len(found) > 1:
        _refuse("http: message cannot contain multiple Content-Length headers")
    return found.pop()


def _is_chunked(values: list[bytes]) -> bool:
    encodings = [part.strip(b" \t") for value in values for part in value.split(b",")]
    # Some servers name chunks twice and mean once, and browsers take it so.
    names = set(encodings) - {b"", b"identity"}
    if names - {b"chunked"}:
        value = _quoted(b", ".join(encodings))
        _refuse(f'unsupported transfer encoding: "{value}"')
    return bool(names)


def keeps_alive(lowered: bytes) -> bool:
    """Return whether a canonical head (in lower case) lets the connection live on."""
    if b"\r\nconnection:" not in lowered:
        return not lowered.startswith(b"http/1.0")
    options = {
        option.strip() for value in _CONNECTION.findall(lowered) for option in value.split(b",")
    }
    if lowered.startswith(b"http/1.0"):
        return b"keep-alive" in options
    return b"close" not in options


def is_informational(status: int) -> bool:
    """Return whether another response follows."""
    return status < 200 and status != SWITCHING_PROTOCOLS


def _quoted(text: bytes) -> str:
    # Cut short: it becomes the value of a tag.
    return text[:_LONGEST_QUOTE].decode("latin-1").encode("unicode_escape").decode()


def _refuse(text: str) -> NoReturn:
    raise NetworkError(RequestFailure(GENERIC, text))
