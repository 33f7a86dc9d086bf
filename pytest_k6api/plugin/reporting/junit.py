"""JUnit XML: the numbers of load tests as properties.

A test case may have properties in the `xunit1` format only; in `xunit2`, pytest's
default, they make the file invalid, so there the numbers become properties of the
suite, with the name of the load test before theirs.
"""

from collections.abc import Mapping

import pytest
from _pytest.junitxml import LogXML, xml_key

NUMBERS: Mapping[str, tuple[str, str, int]] = {
    "http_req_duration_p50_ms": ("http_req_duration", "p(50)", 3),
    "http_req_duration_p95_ms": ("http_req_duration", "p(95)", 3),
    "http_req_duration_p99_ms": ("http_req_duration", "p(99)", 3),
    "http_reqs_per_second": ("http_reqs", "rate", 3),
    "http_req_failed_rate": ("http_req_failed", "rate", 6),
}
"""The properties of every load test with requests: metric, statistic, digits after the point."""

LOSSES = "lost_workers"
"""The property of a load test that lost workers: which, and when."""

PROPERTIES = frozenset({*NUMBERS, LOSSES})


def prepare_junit(config: pytest.Config) -> None:
    """Make the numbers of load tests properties of the suite, if the format is `xunit2`."""
    xml = config.stash.get(xml_key, None)
    if xml is not None and xml.family == "xunit2":
        config.pluginmanager.register(_SuiteProperties(xml))


class _SuiteProperties:
    def __init__(self, xml: LogXML) -> None:
        self._xml = xml
        self._numbers: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The last run of a test counts, as in the terminal.
        for name, value in report.user_properties:
            if name in PROPERTIES:
                self._numbers[f"{report.nodeid} {name}"] = str(value)
        report.user_properties = [
            each for each in report.user_properties if each[0] not in PROPERTIES
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        for name, value in self._numbers.items():
            # pytest checks values, not names; a file may be called anything.
            safe = "".join(char if char.isprintable() else "?" for char in name)
            self._xml.add_global_property(safe, value)
