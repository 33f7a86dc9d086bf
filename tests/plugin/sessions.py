"""pytest sessions in processes of their own, for what ends a process."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.plugin.conftest import Service


class Session:
    """A pytest session in a process of its own, that tells in lines how far it is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._left = ""  # of the line in which something was found last
        self.output = ""

    def wait_for(self, text: str) -> str:
        """Read until there is a `text` behind the last one; return its line.

        Lines of several processes may run together: one may have two.
        """
        assert self._process.stdout
        line = self._left
        while text not in line:
            line = self._process.stdout.readline()
            self.output += line
            if not line:
                pytest.fail(f"no line with {text!r} in:\n{self.output}")
        self._left = line.partition(text)[2]
        return line

    def press_ctrl_c(self) -> None:
        self.send(signal.SIGINT)

    def send(self, *signals: int) -> None:
        for number in signals:
            self._process.send_signal(number)

    def goes_on(self, seconds: float) -> bool:
        """Wait; return whether the session has not ended by then."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self) -> int:
        """Return the exit code, with the rest of the output read."""
        assert self._process.stdout
        self.output += self._process.stdout.read()
        return self._process.wait(30)

    def close_output(self) -> None:
        """Read nothing more."""
        assert self._process.stdout
        self._process.stdout.close()

    def wait(self) -> int:
        """Return the exit code."""
        return self._process.wait(30)


@contextmanager
def session_of(service: Service, *arguments: str, errors: str = "") -> Iterator[Session]:
    """Run pytest in the current folder, its standard error in the file `errors` if there is one."""
    command = [
        *(sys.executable, "-u", "-m", "pytest", "-s", "-p", "k6api", "-p", "no:cacheprovider"),
        *(f"--k6-base-url={service.url}", *arguments),
    ]
    with ExitStack() as stack:
        other = stack.enter_context(Path(errors).open("w")) if errors else subprocess.STDOUT
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=other, text=True)
        )
        stack.callback(process.kill)
        yield Session(process)
