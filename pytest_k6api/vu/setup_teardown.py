"""Setup and teardown of a load test, and the setup data between them.

Setup data is JSON text: numbers keep their digits, and every reader decodes a copy
of its own. Both functions may run in any phase of a load test, and more than once,
at the request of the control API.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate

import trio

from pytest_k6api.model import (
    ITERATION_ROWS,
    SECRETS,
    ControlError,
    OptionError,
    current_recorder,
    storable,
)
from pytest_k6api.vu.callers import make_caller, target_of
from pytest_k6api.vu.context import LoadContext, Ruling, find_stop
from pytest_k6api.vu.failures.failure import FailureKind
from pytest_k6api.vu.failures.tracebacks import (
    code_location,
    failing_line,
    hint_for,
    one_line,
    text_of,
)
from pytest_k6api.vu.user_functions import UserFunction
from pytest_k6api.vu.vu import current_vu

DEEPEST_SETUP_DATA = 500
"""How deep setup data may be nested: VUs decode it in the middle of Python's stack of 1,000."""

_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_BRACKET = re.compile(r"[][{}]")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def is_too_deep(text: str) -> bool:
    """Return whether the JSON `text` is nested deeper than `DEEPEST_SETUP_DATA`."""
    if text.count("[") + text.count("{") <= DEEPEST_SETUP_DATA:
        return False
    brackets = _BRACKET.findall(_STRING.sub("", text))
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > DEEPEST_SETUP_DATA


@dataclass(slots=True, kw_only=True)
class SetupTeardown:
    """The setup and teardown functions of one load test.

    Attributes:
        load: Context of the load test.
        setup: Setup function, which may request fixtures and ``vu``.
        teardown: Teardown function, which may request ``setup_data`` too.
        setup_timeout: Seconds that setup may take.
        teardown_timeout: Seconds that teardown may take.
        data: The setup data as JSON text; None when there is none.
        on_data: Called with each new setup data.

    Source: k6 v1.1.0, ``internal/js/runner.go``, ``Setup``, ``Teardown``, ``runPart``.
    """

    load: LoadContext = field(repr=False)
    setup: UserFunction | None = None
    teardown: UserFunction | None = None
    setup_timeout: float = 60.0
    teardown_timeout: float = 60.0
    data: str | None = None
    on_data: Callable[[str | None], object] = field(default=lambda _text: None, repr=False)

    def __post_init__(self) -> None:
        if self.setup is not None and "setup_data" in self.setup.parameters:
            raise OptionError(f"setup={self.setup.name} asks for 'setup_data', which it makes")

    async def run_setup(self) -> str | None:
        """Run setup; its return value becomes the setup data.

        Without a setup function the data does not change. A skip is passed on.

        Returns:
            The setup data as JSON text; None if setup returned None.

        Raises:
            ControlError: It raised, took too long, or returned what JSON cannot hold.
        """
        if self.setup is not None:
            stage = _Stage(FailureKind.SETUP, self.load, self.setup, self.setup_timeout)
            value = await stage.run({})
            self.replace(None if value is None else self._encode(value, stage))
        return self.data

    def replace(self, text: str | None) -> None:
        """Make the JSON `text` the setup data; None removes it.

        Virtual users that have run before keep their copies.
        """
        self.data = text
        self.on_data(text)

    def let_go(self) -> None:
        """Keep only the setup data, once neither function can run again."""
        self.setup = self.teardown = None
        self.on_data = lambda _text: None
        del self.load

    async def run_teardown(self) -> None:
        """Run teardown, with a copy of the setup data. A skip is passed on.

        Raises:
            ControlError: It raised or took too long.
        """
        if self.teardown is not None:
            data = json.loads(self.data) if self.data is not None else None
            stage = _Stage(FailureKind.TEARDOWN, self.load, self.teardown, self.teardown_timeout)
            await stage.run({"setup_data": data})

    def _encode(self, value: object, stage: "_Stage") -> str:
        try:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            assert self.setup is not None
            raise stage.refuse(
                TypeError(
                    f"error marshaling setup() data to JSON: {error}; {self.setup.name} may return"
                    " dictionaries, lists, texts, finite numbers, booleans and None"
                )
            ) from error
        if is_too_deep(text):
            raise stage.refuse(
                TypeError(
                    f"setup() data may be nested {DEEPEST_SETUP_DATA} deep; return flatter data"
                )
            )
        # Half of a surrogate pair, which UTF-8 does not have, as JSON escapes it.
        return text.encode(errors="backslashreplace").decode()


class _Stage:
    """One run of setup or teardown."""

    def __init__(
        self, kind: FailureKind, load: LoadContext, function: UserFunction, timeout: float
    ) -> None:
        self._kind = kind
        self._load = load
        self._function = function
        self._timeout = timeout
        self._tag_context = load.tag_context.enter_group(kind.value)
        self._caller = make_caller(function, 0, load=load, tag_context=self._tag_context)

    async def run(self, own: dict[str, object]) -> object:
        """Return the result of the function.

        Raises:
            ControlError: It raised or took too long.
        """
        vu, recorder = self._caller.vu, self._caller.context.groups.recorder
        tokens = current_vu.set(vu), current_recorder.set(recorder)
        try:
            with trio.move_on_after(self._timeout) as scope:
                arguments = self._function.fill({"vu": vu, **own})
                target = target_of(self._function, self._caller)
                return await self._load.stuck.call(partial(target, **arguments))
        except BaseException as error:
            if self._load.exceptions.judge(error) is Ruling.FAILED:
                raise self.refuse(error) from error
            if (stop := find_stop(error)) is None:
                raise
            self._load.grant(stop)
            return None
        finally:
            current_vu.reset(tokens[0])
            current_recorder.reset(tokens[1])
            self._close()
        assert scope.cancelled_caught
        raise self.refuse(
            TimeoutError(
                f"{self._kind.value}() execution timed out after {self._timeout:.0f} seconds"
            )
        )

    def refuse(self, error: BaseException) -> ControlError:
        """Log `error` as a failure; return it as an error of the API and the run."""
        self._load.failures.add(self._kind, error, self._caller.vu)
        location = code_location(*failing_line(error))
        detail = SECRETS.mask_text(
            f"{one_line(error)} ({location})" if location else text_of(error)
        )
        if hint := hint_for(error):
            detail += f"; {hint}"
        return ControlError(f"Error executing {self._kind.value}", storable(detail), status=500)

    def _close(self) -> None:
        self._caller.close()
        recorder = self._caller.context.groups.recorder
        if recorder.bytes_sent or recorder.bytes_received:
            recorder.buffer.rows[ITERATION_ROWS].append(
                (
                    self._tag_context.id,
                    None,
                    None,
                    recorder.bytes_sent,
                    recorder.bytes_received,
                )
            )
        recorder.cut()  # an abandoned thread may still write
