"""The load tests of one pytest session, and the control API that is about them."""

from collections.abc import Callable, Sequence

from pytest_k6api.api import ApiServer, ApiSettings
from pytest_k6api.run.load_test import LoadTest
from pytest_k6api.run.plan import LoadTestPlan
from pytest_k6api.run.remote import RemoteLoadTest
from pytest_k6api.run.settings import RunSettings, UserCode


class LoadTestSession:
    """All load tests of a session, in the order of their start.

    Args:
        settings: How each of them is run.
        api: Where the control API listens.
        warn: Called with a sentence for the user.
        end: Called in the API's thread when somebody wants the session to end.
    """

    def __init__(
        self,
        settings: RunSettings,
        api: ApiSettings,
        *,
        warn: Callable[[str], None],
        end: Callable[[], None],
    ) -> None:
        self.settings = settings
        self.finished: list[LoadTest] = []
        self._end = end
        self.address = ""
        self._remotes: tuple[RemoteLoadTest, ...] = ()
        self._server = ApiServer(self, api, warn=warn)

    @property
    def load_tests(self) -> Sequence[RemoteLoadTest]:
        """The load tests as the control API sees them."""
        return self._remotes

    @property
    def current(self) -> RemoteLoadTest | None:
        """The load test that runs, else the last that ran; None before the first."""
        return self._remotes[-1] if self._remotes else None

    def end(self) -> None:
        """Let the pytest session end after the test that runs; called in the API's thread."""
        self._end()

    def open(self) -> None:
        """Start the control API.

        Raises:
            ApiError: It cannot listen where it was told to.
        """
        self.address = self._server.start()

    def close(self) -> None:
        """Stop the control API."""
        self._server.stop()

    def prepare(self, plan: LoadTestPlan, code: UserCode, settings: RunSettings) -> LoadTest:
        """Return a load test that is ready to run, and let the control API see it."""
        load_test = LoadTest(len(self._remotes) + 1, plan, code, settings)
        # A new tuple, never a change to the old one: the API's thread may be reading it.
        self._remotes = (*self._remotes, RemoteLoadTest(load_test, self._end))
        return load_test
