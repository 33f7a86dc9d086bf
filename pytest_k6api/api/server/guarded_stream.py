"""A client's connection with limits: on its sends, on its end, and on its life.

It gives up on a client that does not read, lets a last reply arrive before it
closes, and closes at once when the API stops.
"""

from contextlib import suppress
from typing import Final

import trio

LINGER_TIME: Final = 0.5
"""Seconds that a client has for reading a last reply."""
_LINGER_BYTES: Final = 1024 * 1024


class GuardedStream(trio.abc.HalfCloseableStream):
    """A TCP stream that no client can hold open against our will.

    Args:
        stream: The accepted connection.
        send_time: Seconds in which the client must take what is sent.
    """

    def __init__(self, stream: trio.SocketStream, send_time: float) -> None:
        self.socket = stream.socket
        self._stream = stream
        self._send_time = send_time
        self._linger_time = LINGER_TIME
        self._to_discard = _LINGER_BYTES
        self._said_eof = False
        self._is_reading = False
        self._heard_eof = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`; a client that does not take it in time is cut off."""
        with trio.move_on_after(self._send_time) as patience:
            await self._stream.send_all(data)
        if patience.cancelled_caught:
            await self.cut()
            raise trio.BrokenResourceError("the client does not read")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until sending might work."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what came; after our end of file it is read and thrown away."""
        if self._is_reading:
            # The stream is about to close, and reads for itself: nothing more is for the caller.
            await self._heard_eof.wait()
            return b""
        self._is_reading = True
        try:
            while data := await self._stream.receive_some(max_bytes):
                if not self._said_eof:
                    return data
                self._to_discard -= len(data)
                if self._to_discard <= 0:
                    break
        except trio.BrokenResourceError:
            self._heard_eof.set()
            raise
        finally:
            self._is_reading = False
        self._heard_eof.set()
        return b""

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        self._said_eof = True
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, but give a last reply the time to arrive.

        Closing while the client still sends would reset the connection, and the
        reset may overtake the reply that says why (such as 413).
        """
        gone = (trio.BrokenResourceError, trio.ClosedResourceError)
        try:
            if self._said_eof:
                with trio.move_on_after(self._linger_time), suppress(*gone):
                    if self._is_reading:
                        await self._heard_eof.wait()
                    else:
                        await self.receive_some()
        finally:
            self._heard_eof.set()
            await self._stream.aclose()

    def hurry(self) -> None:
        """Close without waiting for the client, when it comes to that."""
        self._linger_time = 0.0

    async def cut(self) -> None:
        """Close at once."""
        self._heard_eof.set()
        await trio.aclose_forcefully(self._stream)
