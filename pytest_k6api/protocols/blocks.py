"""What a call gives that is meant for ``async with`` or ``with``, and does nothing without.

Forgetting that would be silent: no request, no failure. So a block that is thrown away before it
was entered warns as a coroutine does that was never awaited, and any other use of it says what to
write. Blocks that are entered pay some 0.1 µs for this.
"""

import warnings
from typing import ClassVar, NoReturn


def warn_unused(call: str, lacks: str, written: str) -> None:
    """Warn, where the caller's caller is, of something that was thrown away before it did anything.

    Args:
        call: What has given it, such as ``vu.ws.connect``.
        lacks: What was not done with it, such as ``entered``.
        written: What to write.
    """
    text = f"{call}(...) was never {lacks}; write: {written}"
    warnings.warn(text, RuntimeWarning, stacklevel=3)


class Block:
    """The base of blocks.

    Attributes:
        is_unused: Whether it waits to be entered; a subclass sets it when it is made, and clears
            it when it is entered.
        written: How it is written, such as ``async with vu.ws.connect(...) as ws:``.
    """

    __slots__ = ("is_unused",)

    written: ClassVar[str]

    def __del__(self) -> None:
        # One whose options were refused was never made.
        if getattr(self, "is_unused", False):
            call = self.written.partition("with ")[2].partition("(")[0]
            warn_unused(call, "entered", self.written)

    def _refuse(self, where: str = "") -> NoReturn:
        self.is_unused = False  # told already
        raise TypeError(f"write '{self.written}'{where}")


class AsyncBlock(Block):
    """The base of blocks for ``async with``."""

    __slots__ = ()

    def __await__(self) -> NoReturn:
        self._refuse()

    def __enter__(self) -> NoReturn:
        self._refuse(" in an async function")

    def __exit__(self, *_: object) -> None:
        """Python asks for it before it calls `__enter__`."""


class SyncBlock(Block):
    """The base of blocks for ``with``."""

    __slots__ = ()

    async def __aenter__(self) -> NoReturn:
        self._refuse(" in an ordinary function")

    async def __aexit__(self, *_: object) -> None:
        """Python asks for it before it calls `__aenter__`."""
