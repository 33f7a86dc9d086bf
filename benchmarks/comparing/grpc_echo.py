"""A gRPC service whose methods send every message back: `python -m comparing.grpc_echo`.

It prints its address. Whatever the method, each message is answered by the same, the end of
the requests by the status OK; that is an echo of unary calls and of chats. What is to be
said to one receipt goes out in one piece. Windows are granted, and ours are not looked at:
clients give more than their few short messages need.
"""

import struct

from comparing.epoll_service import EpollService

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_END_STREAM = _ACK = 1
_END_HEADERS = 4
_WINDOW = (1 << 31) - 1
_REFILL = 1 << 30
_read_header = struct.Struct(">BHBBL").unpack_from


def _frame(kind: int, flags: int, number: int, payload: bytes) -> bytes:
    return b"%b%c%c%b%b" % (len(payload).to_bytes(3), kind, flags, number.to_bytes(4), payload)


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\0%c%b%c%b" % (len(name), name, len(value), value)


# :status 200 has a place in the static table; the rest is written out.
_HEAD = b"\x88" + _literal(b"content-type", b"application/grpc")
_TRAILERS = _literal(b"grpc-status", b"0") + _literal(b"grpc-message", b"")
# INITIAL_WINDOW_SIZE, and the same for the connection.
_GREETING = _frame(_SETTINGS, 0, 0, b"\0\4" + _WINDOW.to_bytes(4)) + _frame(
    8, 0, 0, (_WINDOW - 65_535).to_bytes(4)
)


class GrpcEcho:
    """One connection; see `Talk`."""

    def __init__(self) -> None:
        self.answered = 0
        self.has_ended = False
        self._rest = b""
        self._is_greeted = False
        self._taken = 0

    def answer(self, data: bytes) -> bytes:
        """Return what the frames in `data` ask for."""
        answers = []
        data = self._rest + data
        at = 0
        if not self._is_greeted:
            if len(data) < len(_PREFACE):
                self._rest = data
                return b""
            self._is_greeted, at = True, len(_PREFACE)
            answers.append(_GREETING)
        while len(data) - at >= 9:
            high, low, kind, flags, number = _read_header(data, at)
            stop = at + 9 + (high << 16 | low)
            if stop > len(data):
                break
            answers.append(self._answer(kind, flags, number, data[at + 9 : stop]))
            at = stop
        self._rest = data[at:]
        return b"".join(answers)

    def _answer(self, kind: int, flags: int, number: int, payload: bytes) -> bytes:
        if kind == _DATA:
            # A message that a client cuts into frames comes back as it was cut.
            answer = _frame(_DATA, 0, number, payload) if payload else b""
            self.answered += bool(payload)
            if flags & _END_STREAM:
                answer += _frame(_HEADERS, _END_HEADERS | _END_STREAM, number, _TRAILERS)
            return answer + self._refill(len(payload))
        if kind == _HEADERS:
            return _frame(_HEADERS, _END_HEADERS, number, _HEAD)
        if kind in {_SETTINGS, _PING} and not flags & _ACK:
            return _frame(kind, _ACK, 0, payload if kind == _PING else b"")
        return b""

    def _refill(self, size: int) -> bytes:
        self._taken += size
        if self._taken < _REFILL:
            return b""
        taken, self._taken = self._taken, 0
        return _frame(8, 0, 0, taken.to_bytes(4))


if __name__ == "__main__":
    EpollService(GrpcEcho).run()
