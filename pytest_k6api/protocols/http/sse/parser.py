"""The format ``text/event-stream``, parsed as the bytes come.

Pure, and linear in what it is fed, however that is cut: ``benchmarks/bench_sse.py`` has
the figures.

Source: WHATWG HTML, section 9.2.6, *Interpreting an event stream*.
"""

import json
from typing import Any, NamedTuple

from pytest_k6api.protocols.http.message.json_codec import decode_json

_BOM = b"\xef\xbb\xbf"
_CR = 13  # a number: whether bytes have a byte takes a tenth of whether they have other bytes
_FIELDS = frozenset({"data", "event", "id", "retry"})
_SHOWN = 80  # characters of data that is no JSON
_new = tuple.__new__  # a named tuple's own costs twice as much


class ServerSentEvent(NamedTuple):
    """One event.

    Attributes:
        event: Its type; ``"message"`` if it names none.
        data: Its data; several lines are joined by line feeds.
        id: The id that was the last when it came; ``""`` before one.
        retry: Milliseconds that it asks to wait before a reconnection, or None.
    """

    event: str
    data: str
    id: str
    retry: int | None

    def json(self, **kwargs: Any) -> Any:
        """Return `data`, read as JSON; `kwargs` go to ``json.loads``.

        Raises:
            ValueError: It is no JSON.
        """
        try:
            return decode_json(self.data.encode(), **kwargs)
        except json.JSONDecodeError as error:
            told = f"{error.msg} in the event {self.data[:_SHOWN]!r}"
            raise json.JSONDecodeError(told, error.doc, error.pos) from None


class EventTooLargeError(Exception):
    """An event does not end within the limit."""


class EventParser:
    """Events of one stream.

    Attributes:
        last_id: The id that a reconnection tells the server.
        retry: Milliseconds to wait before a reconnection, as the server said; or None.

    Args:
        limit: Bytes that an event may have.
        last_id: The id that was the last before the stream.
    """

    __slots__ = (
        "_has_begun", "_is_between", "_limit", "_skips_lf", "_started", "last_id", "retry",
    )  # fmt: skip

    def __init__(self, limit: int, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: int | None = None
        self._limit = limit
        # The beginning of an event; its lines end in "\n".
        self._started = bytearray()
        self._has_begun = False
        # The CR that came last ended its line: a LF behind it ends none.
        self._skips_lf = False
        # Whether an event begins with the next byte, whatever that is.
        self._is_between = False

    def take_lone(self, data: bytes) -> ServerSentEvent | None:
        """Return the event of `data` if that is one, whole and with plain ends of lines; else None.

        None is to be fed. Most servers send their events like this.
        """
        if self._is_between and data.find(b"\n\n") == len(data) - 2 >= 0 and _CR not in data:
            return self._read(data[:-2])
        return None

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Return the events that `data` completes.

        Raises:
            EventTooLargeError: One has more bytes than the limit.
        """
        if not self._has_begun:
            data = self._begin(data)
        if self._skips_lf or _CR in data:
            data = self._end_lines(data)
        started = self._started
        if started:
            looked_at = len(started) - 1
            started += data
            if started.find(b"\n\n", looked_at) < 0:
                return self._wait_for_more()
            data = bytes(started)
            started.clear()
        *blocks, rest = data.split(b"\n\n")
        started += rest
        self._is_between = self._has_begun and not started and not self._skips_lf
        return [event for block in blocks if (event := self._read(block)) is not None]

    def _begin(self, data: bytes) -> bytes:
        data = bytes(self._started) + data
        self._started.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._started += data
            return b""
        self._has_begun = True
        return data.removeprefix(_BOM)

    def _end_lines(self, data: bytes) -> bytes:
        """Return `data` with lines that end in LF."""
        if not data:
            return data
        if self._skips_lf:
            data = data.removeprefix(b"\n")
        self._skips_lf = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _wait_for_more(self) -> list[ServerSentEvent]:
        if len(self._started) > self._limit:
            raise EventTooLargeError
        return []

    def _read(self, block: bytes) -> ServerSentEvent | None:
        """Return the event of a block of lines, or None if it has no data."""
        name, last_id, retry = "", self.last_id, None
        data = []
        for line in block.decode("utf-8", "replace").split("\n"):
            field, _, value = line.partition(": ")  # as most servers write them
            if field not in _FIELDS:
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            elif field == "id" and "\0" not in value:
                last_id = value
            elif field == "retry" and value.isascii() and value.isdigit():
                self.retry = retry = int(value[:18])
        self.last_id = last_id
        if not data:
            return None
        text = data[0] if len(data) == 1 else "\n".join(data)
        return _new(ServerSentEvent, (name or "message", text, last_id, retry))
