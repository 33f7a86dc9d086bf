"""Frames and numbers of HTTP/3 (RFC 9114, 7; RFC 9000, 16). Pure."""

DATA = 0x0
HEADERS = 0x1
CANCEL_PUSH = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
GOAWAY = 0x7
MAX_PUSH_ID = 0xD
OF_HTTP2 = frozenset({0x2, 0x6, 0x8, 0x9})
"""Frames of HTTP/2 that have none of their kind here: a mistake wherever they come."""

CONTROL_STREAM = 0x0
PUSH_STREAM = 0x1
ENCODER_STREAM = 0x2
DECODER_STREAM = 0x3

MAX_FIELD_SECTION_SIZE = 0x6
SETTINGS_OF_HTTP2 = frozenset({0x0, 0x2, 0x3, 0x4, 0x5})

_SIZES = ((1 << 6, 1, 0), (1 << 14, 2, 0x40), (1 << 30, 4, 0x80), (1 << 62, 8, 0xC0))
_FIRST_OF_TWO = 0x40


def number(value: int) -> bytes:
    """Return `value`, below 2**62, as a number of QUIC."""
    for limit, size, prefix in _SIZES:
        if value < limit:
            return (value | prefix << 8 * (size - 1)).to_bytes(size)
    raise ValueError(f"{value!r} is no number of QUIC")


def read_number(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at `position` and what follows it; (-1, position) if it is cut."""
    if position >= len(data):
        return -1, position
    first = data[position]
    if first < _FIRST_OF_TWO:
        return first, position + 1
    end = position + (1 << (first >> 6))
    if end > len(data):
        return -1, position
    return int.from_bytes(data[position:end]) & (1 << 8 * (end - position) - 2) - 1, end


def frame(kind: int, payload: bytes) -> bytes:
    """Return a frame."""
    return b"%b%b%b" % (number(kind), number(len(payload)), payload)


def read_settings(payload: bytes) -> list[tuple[int, int]] | None:
    """Return the settings in the payload of a frame; None if it is cut."""
    settings, position = [], 0
    while position < len(payload):
        name, position = read_number(payload, position)
        value, after = read_number(payload, position)
        if name < 0 or value < 0:
            return None
        settings.append((name, value))
        position = after
    return settings
