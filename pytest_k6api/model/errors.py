"""The errors of this package, in one hierarchy.

The plugin turns mistakes of users into ``pytest.UsageError``, and the API turns
refused commands into k6's error documents; nothing else translates errors.
"""


class K6ApiError(Exception):
    """The base of all errors of this package; their texts say what to write instead.

    Failed requests are not among them: their responses say so.
    """


class OptionError(K6ApiError):
    """An option of a scenario or a load test cannot be used as written."""


class ThresholdError(K6ApiError):
    """A threshold cannot be read, or its metric has no such number."""


class MetricError(K6ApiError):
    """A metric cannot be declared, read or fed in this way."""


class GroupError(K6ApiError):
    """The name of a group or check cannot be used."""


class ControlError(K6ApiError):
    """A command to a running load test was refused; nothing was changed.

    Attributes:
        status: The HTTP status of the API's reply, such as 400.
        title: k6's title for this kind of error, such as ``Pause error``.
        detail: The reason, and the remedy.
    """

    def __init__(self, title: str, detail: str, *, status: int = 400) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
