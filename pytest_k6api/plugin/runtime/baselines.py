"""Results saved for later sessions, and compared with them.

Every name is a folder with a file for each load test, so that sessions of a part of
the suite, and several processes at once, overwrite no results of others. Mistakes in
a baseline are reported before the first request.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from pytest_k6api.model import Metric, OptionError
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.report import (
    Baseline,
    ComparisonRule,
    Results,
    ResultsFormatError,
    describe_environment,
    file_stem,
    ids_by_name,
    kept_names,
    parse_rule,
    read_results,
    results_document,
    worker_document,
    write_whole,
)
from pytest_k6api.run import LoadTest, LoadTestPlan, timeline_document

_BASELINES: "pytest.StashKey[Baselines]" = pytest.StashKey()
_NAME = re.compile(r"[\w-][\w.-]*")


def open_baselines(
    config: pytest.Config, settings: Settings, names: Iterable[str], known: Mapping[str, Metric]
) -> list[str]:
    """Read what the load tests `names` are to be compared with; return what is wrong with it.

    Args:
        config: Where the baselines are kept for the session.
        settings: What was set outside the test files.
        names: The node ids of the load tests that are about to run.
        known: Every metric there can be, by name.
    """
    problems = [*baselines_of(config).read(names, known)]
    # In an ini file rules may wait for the day on which something is compared.
    if config.getoption("--k6-compare-fail") and not settings.text("compare"):
        problems.append("--k6-compare-fail needs --k6-compare, which says with what")
    return problems


def baselines_of(config: pytest.Config) -> "Baselines":
    """Return the baselines of the session."""
    if _BASELINES not in config.stash:
        settings = Settings.of(config)
        config.stash[_BASELINES] = Baselines(
            config.rootpath, settings, config.invocation_params.dir
        )
    return config.stash[_BASELINES]


class Baselines:
    """The results to save under a name, and the baseline to compare with.

    Args:
        root: pytest's root folder.
        settings: What was set outside the test files.
        invoked_in: Where relative paths of the command line begin.
    """

    def __init__(self, root: Path, settings: Settings, invoked_in: Path) -> None:
        self._root = root
        self._invoked_in = invoked_in
        self._place = settings.place
        self._folder = root / settings.text("results_dir")
        self._save_as = settings.text("save")
        self._name = settings.text("compare")
        self._rule_texts = settings.entries("compare_fail")
        self._rules: tuple[ComparisonRule, ...] = ()
        self._baselines: dict[str, Results] = {}
        self._is_report = self._name.lower().endswith((".html", ".json"))

    def read(self, names: Iterable[str], known: Mapping[str, Metric]) -> Iterator[str]:
        """Read rules and baselines; yield what is wrong with them, one text each."""
        names_given = [("save", self._save_as)]
        if not self._is_report:
            names_given.append(("compare", self._name))
        for setting, name in names_given:
            if name and not _NAME.fullmatch(name):
                yield (
                    f"{self._place(setting)}: takes a name of letters, digits, '-', '_' and '.', such as main,"
                    f" got {name!r}"
                )
                return
        yield from self._read_rules(known)
        if self._name:
            yield from self._read_baselines(names, known)

    def baseline_of(self, name: str) -> Baseline | None:
        """Return the baseline of the load test `name`; None if nothing is compared."""
        if not self._name:
            return None
        return Baseline(name=self._name, results=self._baselines.get(name), rules=self._rules)

    def saved(self, load_test: LoadTest) -> str:
        """Return where `keep` saved `load_test`, for the summary; empty if it did not."""
        if not self._save_as:
            return ""
        folder = self._folder / self._save_as
        inside = folder.relative_to(self._root) if folder.is_relative_to(self._root) else folder
        seen = load_test.results.request_names()
        kept = kept_names(seen)
        names = (
            f", {len(kept)} of {len(seen):,} names of requests apart"
            if len(kept) < len(seen)
            else ""
        )
        return (
            f"saved as {self._save_as}, in {inside}{names}; compare with"
            f" --k6-compare={self._save_as}"
        )

    def keep(self, load_test: LoadTest, plan: LoadTestPlan) -> list[str]:
        """Save the results of `load_test` if that is wanted; return what went wrong with that."""
        if not self._save_as or load_test.verdict is None or load_test.started_at is None:
            return []
        results = self.results_of(load_test)
        try:
            self._write(results_document(results, load_test.results.snapshot, plan.scenarios))
        except OSError as error:
            return [f"cannot save its results: {error}"]
        return []

    def results_of(self, load_test: LoadTest) -> Results:
        """Return the results of `load_test`, which has ended, with what the rules are about."""
        seen = load_test.results.request_names()
        kept = kept_names(seen)
        return Results(
            name=load_test.name,
            outcome=load_test.outcome or "",
            started_at=load_test.started_at or 0.0,
            elapsed=load_test.results.snapshot.elapsed,
            environment=describe_environment(self._root),
            totals=load_test.results.totals(
                [*(rule.metric_id for rule in self._rules), *ids_by_name(kept)]
            ),
            names_kept=len(kept),
            names_seen=len(seen),
            timeline=timeline_document(load_test),
            workers=tuple(map(worker_document, load_test.results.workers)),
        )

    def _write(self, document: Mapping[str, object]) -> None:
        path = self._path(self._save_as, str(document["name"]))
        write_whole(path, json.dumps(document, ensure_ascii=False, separators=(",", ":")))

    def _path(self, baseline: str, name: str) -> Path:
        return self._folder / baseline / f"{file_stem(name)}.json"

    def _read_rules(self, known: Mapping[str, Metric]) -> Iterator[str]:
        rules = []
        for text in self._rule_texts:
            try:
                rules.append(parse_rule(text, known))
            except OptionError as error:
                yield f"{self._place('compare_fail')}: {error}"
        self._rules = tuple(rules)

    def _read_baselines(self, names: Iterable[str], known: Mapping[str, Metric]) -> Iterator[str]:
        folder = self._folder / self._name
        if self._is_report:
            problems = [*self._load_report(names)]
        elif not folder.is_dir():
            if self._name == self._save_as:
                return  # the first time: there is nothing to compare with yet
            there = sorted(path.name for path in self._folder.glob("*/"))
            known_names = f"there are {', '.join(there)}" if there else "there are none yet"
            yield (
                f"{self._place('compare')}: no results were saved as {self._name!r} in {self._folder};"
                f" {known_names}, and --k6-save={self._name} saves some"
            )
            return
        else:
            problems = [*self._load(names)]
        yield from problems
        yield from self._other_kinds(known)
        if self._baselines and not problems:
            yield from self._rules_without_baseline()

    def _load(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            path = self._path(self._name, name)
            if not path.exists():
                continue
            try:
                self._baselines[name] = read_results(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, ResultsFormatError) as error:
                yield (
                    f"{self._place('compare')}: cannot read {path}: {error}; save it anew"
                    f" with --k6-save={self._name}"
                )

    def _load_report(self, names: Iterable[str]) -> Iterator[str]:
        from pytest_k6api.report import read_report

        path = self._invoked_in / self._name
        try:
            found = read_report(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, ResultsFormatError) as error:
            yield (
                f"{self._place('compare')}: cannot read {path}: {error}; write it with --k6-report"
            )
        else:
            self._baselines = {name: found[name] for name in names if name in found}

    def _other_kinds(self, known: Mapping[str, Metric]) -> Iterator[str]:
        for name, baseline in self._baselines.items():
            for total in baseline.totals.values():
                now = known.get(total.metric.name)
                if now is not None and now.kind is not total.metric.kind:
                    yield (
                        f"{name}: {now.name} is a {now.kind.value} and was a"
                        f" {total.metric.kind.value} when {self._name!r} was saved, so the two"
                        f" cannot be compared; save it anew with --k6-save={self._name}"
                    )

    def _rules_without_baseline(self) -> Iterator[str]:
        baselines = self._baselines.values()
        for rule in self._rules:
            if not any(baseline.total(rule.metric_id) for baseline in baselines):
                had = sorted({key for baseline in baselines for key in baseline.totals})
                yield (
                    f"{self._place('compare_fail')}: no load test has {rule.metric_id} in"
                    f" {self._name!r}; they have {_listed(had)}{''.join(map(_left_out, baselines))}"
                )


_MOST_LISTED = 20


def _listed(ids: Sequence[str]) -> str:
    more = len(ids) - _MOST_LISTED
    return ", ".join(ids[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def _left_out(baseline: Results) -> str:
    if baseline.names_kept >= baseline.names_seen:
        return ""
    return (
        f"; of {baseline.name} it keeps {baseline.names_kept} of {baseline.names_seen:,} names of"
        " requests, the most frequent"
    )
