"""Frames: the bytes of messages between a controller and its workers. Pure.

A frame is the length of its payload, four bytes, and the payload, one message as MessagePack.
"""

from typing import TypeVar

import msgspec

from pytest_k6api.distributed.messages import PROTOCOL, MessageError, ToController, ToWorker
from pytest_k6api.model import storable

LENGTH = 4
"""Bytes before each payload: its length, the least significant first."""

LARGEST = 256 * 2**20
"""Bytes that a payload may have: a length beyond is no length but damage."""

_Message = TypeVar("_Message")

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_to_controller: msgspec.msgpack.Decoder[ToController] = msgspec.msgpack.Decoder(ToController)


def encode(message: ToWorker | ToController) -> bytes:
    """Return `message` as a frame; halves of surrogate pairs become U+FFFD."""
    try:
        payload = _encoder.encode(message)
    except UnicodeEncodeError:  # texts of test code: reasons, tracebacks
        payload = _encoder.encode(_storable(msgspec.to_builtins(message, builtin_types=(bytes,))))
    return len(payload).to_bytes(LENGTH, "little") + payload


def _storable(value: object) -> object:
    match value:
        case str():
            return storable(value, len(value) + 40)
        case dict():
            return {_storable(key): _storable(each) for key, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
    return value


def decode_to_worker(payload: bytes) -> ToWorker:
    """Return the message of a controller that `payload` is.

    Raises:
        MessageError: It is none.
    """
    return _decode(payload, _to_worker)


def decode_from_worker(payload: bytes) -> ToController:
    """Return the message of a worker that `payload` is.

    Raises:
        MessageError: It is none.
    """
    return _decode(payload, _to_controller)


def _decode(payload: bytes, decoder: "msgspec.msgpack.Decoder[_Message]") -> _Message:
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MessageError(f"not a message of version {PROTOCOL}: {error}") from None


class MessageReader:
    """Cuts a stream of bytes into payloads."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add `data`; return the payloads that are complete now, oldest first.

        Raises:
            MessageError: A payload would be larger than `LARGEST`.
        """
        self._buffer += data
        payloads = []
        while len(self._buffer) >= LENGTH:
            length = int.from_bytes(self._buffer[:LENGTH], "little")
            if length > LARGEST:
                raise MessageError(f"a message of {length:,} bytes; {LARGEST:,} are the most")
            if len(self._buffer) < LENGTH + length:
                break
            payloads.append(bytes(self._buffer[LENGTH : LENGTH + length]))
            del self._buffer[: LENGTH + length]
        return payloads
