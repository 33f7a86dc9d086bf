"""Every mistake that this package reports, in one hierarchy.

The plugin turns users' mistakes into ``pytest.UsageError`` and the API turns
refused commands into k6's error documents; nothing else translates errors.
"""


class K6ApiError(Exception):
    """The base of all errors of this package; their texts say what to write instead.

    What a request runs into is none of them: its response tells.
    """


class OptionError(K6ApiError):
    """An option of a scenario or a load test cannot be used as written."""


class ThresholdError(K6ApiError):
    """A threshold cannot be read, or asks a metric for what it does not have."""


class MetricError(K6ApiError):
    """A metric is declared or fed in a way that it cannot take."""


class GroupError(K6ApiError):
    """The name of a group or check cannot be used."""


class ControlError(K6ApiError):
    """A command to a running load test was refused; nothing was changed.

    Attributes:
        status: The HTTP status of the API's reply, such as 400.
        title: k6's title for this kind of error, such as ``Pause error``.
        detail: What was wrong and what would work.
    """

    def __init__(self, title: str, detail: str, *, status: int = 400) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
