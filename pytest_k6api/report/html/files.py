"""Reports as files: HTML with the results inside, JSON, and what a baseline reads of both.

In HTML the results are JSON, compressed by gzip and written in base 64: an hour with 50
names has less than a megabyte, and nothing in it can be taken for markup.
"""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from typing import Any

from pytest_k6api.page import make_page
from pytest_k6api.report.files.results_file import Results, ResultsFormatError, read_results
from pytest_k6api.report.html.document import REPORT_FORMAT, REPORT_VERSION
from pytest_k6api.report.html.precision import STAGES, count_numbers, cut

Document = dict[str, Any]  # JSON; the documentation says what it looks like

LARGEST = 900_000
"""Characters that the results of an HTML report may have before they lose digits."""

_RESULTS = re.compile(r'<script type="application/gzip" id="results">([^<]*)</script>')
_MOST_JSON = 1 << 30  # bytes: what claims to have more is no report


def html_report(report: Document, title: str) -> str:
    """Return the report as one file of HTML.

    Args:
        report: The document of the session.
        title: Its heading, as text.
    """
    packed = ""
    for precision in STAGES:
        load_tests = [cut(load_test, precision) for load_test in report["load_tests"]]
        if precision is not STAGES[-1] and sum(map(count_numbers, load_tests)) > LARGEST:
            continue  # a number takes a character at the least: spare the time of packing them
        packed = pack({**report, "load_tests": load_tests})
        if len(packed) <= LARGEST:
            break
    body = (
        '<main><p class="session">The report needs a browser that runs its script.</p></main>'
        f'\n<script type="application/gzip" id="results">{packed}</script>'
    )
    return make_page("report.js", title=title, heading=title, body=body).html


def pack(document: Document) -> str:
    """Return `document` as compressed JSON in base 64."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    data = gzip.compress(text.encode("utf-8", "surrogatepass"), mtime=0)
    return base64.b64encode(data).decode()


def json_report(report: Document) -> str:
    """Return the report as one document of JSON."""
    return json.dumps(report, ensure_ascii=False, separators=(",", ":"))


def read_report(text: str) -> Mapping[str, Results]:
    """Return the results in a report, HTML or JSON, by the node ids of their load tests.

    Raises:
        ResultsFormatError: It is something else, of another version, or damaged.
    """
    document = _document_of(text)
    if not isinstance(document, dict) or document.get("format") != REPORT_FORMAT:
        raise ResultsFormatError("it is no report of load tests")
    if document.get("version") != REPORT_VERSION:
        raise ResultsFormatError(
            f"it has version {document.get('version')!r} of the format, and version {REPORT_VERSION} is"
            " what can be read here"
        )
    load_tests = document.get("load_tests")
    if not isinstance(load_tests, list):
        raise ResultsFormatError("it is damaged: it has no list of load tests")
    results = [read_results(load_test) for load_test in load_tests]
    return {each.name: each for each in results}


def _document_of(text: str) -> object:
    found = _RESULTS.search(text)
    try:
        if found is None:
            return json.loads(text)
        with gzip.open(_bytes_of(found[1])) as file:
            data = file.read(_MOST_JSON)
        return json.loads(data)
    except (ValueError, OSError, EOFError, RecursionError) as error:
        raise ResultsFormatError(f"it is damaged: {type(error).__name__}: {error}") from None


def _bytes_of(text: str) -> Any:
    from io import BytesIO

    return BytesIO(base64.b64decode(text, validate=True))
