"""The report of a session, as HTML, JSON and Markdown, written again after each load test.

A session that is killed leaves the report of the load tests that had ended by then.
"""

import time
from pathlib import Path

import pytest

from pytest_k6api.plugin.runtime.baselines import baselines_of
from pytest_k6api.plugin.runtime.session import report_files
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.report import (
    load_test_document,
    markdown_summary,
    report_document,
    request_tables,
    write_whole,
)
from pytest_k6api.run import LoadTest, LoadTestPlan, facts_of, measured_at_end, timeline_document

_REPORT: "pytest.StashKey[SessionReport]" = pytest.StashKey()


def add_to_report(item: pytest.Item, load_test: LoadTest, plan: LoadTestPlan) -> list[str]:
    """Write the report with `load_test`, if there is one; return the errors, one text each."""
    stash = item.config.stash
    if _REPORT not in stash:
        stash[_REPORT] = SessionReport(item.config)
    return stash[_REPORT].add(load_test, plan)


class SessionReport:
    """The load tests of a session so far, and their report files."""

    def __init__(self, config: pytest.Config) -> None:
        folder = config.invocation_params.dir
        self._paths = [folder / file for file in report_files(Settings.of(config))]
        self._title = f"Load tests of {config.rootpath.name}"
        self._baselines = baselines_of(config)
        # By node id: a test that runs again replaces its earlier document.
        self._documents: dict[str, dict[str, object]] = {}
        self._sections: dict[str, str] = {}

    def add(self, load_test: LoadTest, plan: LoadTestPlan) -> list[str]:
        """Write the files with `load_test`; return the errors, one text each."""
        if not self._paths or load_test.verdict is None:
            return []
        results = self._baselines.results_of(load_test)
        facts = facts_of(
            load_test,
            measured_at_end(load_test),
            plan.scenarios,
            results.environment,
            timeline_document(load_test),
        )
        self._documents[load_test.name] = load_test_document(facts, results)
        self._sections[load_test.name] = markdown_summary(
            load_test.name,
            load_test.verdict.outcome,
            load_test.results.snapshot,
            load_test.verdict.reasons,
            load_test.comparison,
            requests=list(request_tables(load_test.results.requests_by_name(), load_test.target)),
        )
        return self._write()

    def _write(self) -> list[str]:
        document = report_document(list(self._documents.values()), time.time())
        problems = []
        for path in self._paths:
            try:
                write_whole(path, self._text(path, document))
            except OSError as error:
                problems.append(f"cannot write the report {path}: {error}")
        return problems

    def _text(self, path: Path, document: dict[str, object]) -> str:
        from pytest_k6api.report import html_report, json_report

        match path.suffix.lower():
            case ".html":
                return html_report(document, self._title)
            case ".json":
                return json_report(document)
        return f"# {self._title}\n\n" + "".join(self._sections.values())
