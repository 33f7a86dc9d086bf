"""The main numbers of load tests in pytest's JUnit XML, where its schema has a place for them.

A test case has properties in pytest's `xunit1` files only. In `xunit2`, which pytest
writes unless it is told otherwise, they would make the whole file invalid, and a
reader that checks it refuses all results. There the numbers are properties of
the suite, with the load test's name before theirs.
"""

import pytest
from _pytest.junitxml import LogXML, xml_key

NUMBERS = frozenset(
    {
        "http_req_duration_p50_ms",
        "http_req_duration_p95_ms",
        "http_req_duration_p99_ms",
        "http_reqs_per_second",
        "http_req_failed_rate",
    }
)
"""The properties that every load test with requests has."""


def place_numbers(config: pytest.Config) -> None:
    """Let the file that pytest writes have them where they may be."""
    xml = config.stash.get(xml_key, None)
    if xml is not None and xml.family == "xunit2":
        config.pluginmanager.register(_SuiteProperties(xml))


class _SuiteProperties:
    def __init__(self, xml: LogXML) -> None:
        self._xml = xml
        self._found: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The last run of a test counts, as everywhere.
        for name, value in report.user_properties:
            if name in NUMBERS:
                self._found[f"{report.nodeid} {name}"] = str(value)
        report.user_properties = [each for each in report.user_properties if each[0] not in NUMBERS]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        for name, value in self._found.items():
            # pytest checks values, not names; a file may be called anything.
            safe = "".join(char if char.isprintable() else "?" for char in name)
            self._xml.add_global_property(safe, value)
