"""Header fields: case-insensitive names, repeated fields kept, wire form cached.

Nothing that could end a header field early (CR, LF, NUL) gets into a `Headers`
made by a user, so nothing on the wire needs another look.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Union

from pytest_k6api.model import SECRETS, OptionError, read_pairs

HeaderSource = Union["Headers", Mapping[str, str], Iterable[tuple[str, str]], None]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\r\n\x00]")


class Headers(MutableMapping[str, str]):
    """Header fields in the order they came, found by name whatever the case.

    ``headers["x"]`` joins repeated fields with ``", "``; `get_list` keeps them
    apart (``Set-Cookie`` needs that).

    >>> headers = Headers({"Accept": "text/html"})
    >>> headers["accept"], "ACCEPT" in headers
    ('text/html', True)

    Attributes:
        is_sealed: For the client: whether nothing has changed since `seal`.
    """

    __slots__ = ("_block", "_fields", "_names", "is_sealed")

    def __init__(self, fields: HeaderSource = None) -> None:
        self._fields: list[tuple[str, str]] = []
        self._block: bytes | None = None
        self._names: frozenset[str] | None = None
        self.is_sealed = False
        if fields is not None:
            own = fields._fields if isinstance(fields, Headers) else read_pairs("headers", fields)
            for name, value in own:
                self._fields.append(checked_field(name, value))

    @classmethod
    def from_head(cls, head: bytes) -> "Headers":
        """Return the fields in `head`, the bytes of a message up to its body.

        Its first line is skipped; so is a line without a colon. A line that
        begins with white space continues the one before (obsolete folding).
        """
        headers = cls()
        fields = headers._fields
        for line in head.decode("latin-1").split("\r\n")[1:]:
            if line[:1] in (" ", "\t") and fields:
                name, value = fields[-1]
                fields[-1] = (name, f"{value} {line.strip()}")
                continue
            name, colon, value = line.partition(":")
            if colon:
                fields.append((name, value.strip(" \t")))
        return headers

    def get_list(self, name: str) -> list[str]:
        """Return the values of all fields called `name`, in order."""
        wanted = name.lower()
        return [value for key, value in self._fields if key.lower() == wanted]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return all fields with their names in lower case, repeated ones apart."""
        return [(name.lower(), value) for name, value in self._fields]

    def add(self, name: str, value: str) -> None:
        """Append a field, beside those that have the same name.

        Raises:
            OptionError: The name or the value cannot be sent.
        """
        self._fields.append(checked_field(name, value))
        self._block = self._names = None
        self.is_sealed = False

    @property
    def block(self) -> bytes:
        """The fields as they go over the wire, each with its line end."""
        block = self._block
        if block is None:
            block = self._block = encode_fields(self._fields)
        return block

    def seal(self) -> bytes:
        """Return `block`; `is_sealed` until something changes."""
        self.is_sealed = True
        return self.block

    @property
    def names(self) -> frozenset[str]:
        """The names in lower case."""
        names = self._names
        if names is None:
            names = self._names = frozenset(name.lower() for name, _ in self._fields)
        return names

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The fields with their names as they were written."""
        return tuple(self._fields)

    def __getitem__(self, name: str) -> str:
        values = self.get_list(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __setitem__(self, name: str, value: str) -> None:
        field = checked_field(name, value)
        wanted = name.lower()
        kept = [pair for pair in self._fields if pair[0].lower() != wanted]
        if len(kept) == len(self._fields):
            kept.append(field)
        else:
            index = next(i for i, pair in enumerate(self._fields) if pair[0].lower() == wanted)
            kept.insert(index, field)
        self._fields = kept
        self._block = self._names = None
        self.is_sealed = False

    def __delitem__(self, name: str) -> None:
        wanted = name.lower()
        kept = [pair for pair in self._fields if pair[0].lower() != wanted]
        if len(kept) == len(self._fields):
            raise KeyError(name)
        self._fields = kept
        self._block = self._names = None
        self.is_sealed = False

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._fields))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._fields})

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key.lower() == name.lower() for key, _ in self._fields)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Mapping):
            return sorted(self.multi_items()) == sorted(Headers(other).multi_items())
        return NotImplemented

    def __hash__(self) -> int:
        return id(self)

    def copy(self) -> "Headers":
        """Return headers of their own with the same fields."""
        twin = Headers()
        twin._fields = self._fields[:]
        return twin

    def __repr__(self) -> str:
        shown = [(name, SECRETS.mask_header(name, value)) for name, value in self._fields]
        return f"Headers({shown!r})"


def encode_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return `fields` in wire form.

    Raises:
        OptionError: A value has characters that latin-1 lacks.
    """
    text = "".join(f"{name}: {value}\r\n" for name, value in fields)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise OptionError(
            f"a header takes latin-1 characters, got {text[error.start : error.end]!r};"
            " percent-encode or base64 it"
        ) from None


def checked_field(name: object, value: object) -> tuple[str, str]:
    """Return a header field that can be sent.

    Raises:
        OptionError: `name` is no header name, or `value` is neither text, bytes nor a
            number, or would end the field early.
    """
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise OptionError(
            f"cannot send a header named {name!r}; use letters, digits and any of !#$%&'*+-.^_`|~"
        )
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise OptionError(f"the header {name!r} takes text, got {type(value).__name__}")
    forbidden = _FORBIDDEN.search(value)
    if forbidden:
        # The value is not shown: it may be a token, read with the line end of its file.
        raise OptionError(
            f"the header {name!r} may not contain line ends or NUL, got {forbidden[0]!r} at"
            f" character {forbidden.start() + 1} of {len(value)}; use strip() on what was read"
        )
    return name, value
