"""Whether something in a test file may be a load test, told without importing what load tests need."""

import pytest

_NAMES = ("scenario", "load_test")


def may_be_load_test(collector: pytest.Module | pytest.Class, found: object) -> bool:
    """Return False if `found` surely is none, as almost everything in almost every suite."""
    if not callable(found):
        return False
    marks = getattr(found, "pytestmark", None)
    if marks is not None:
        marks = marks if isinstance(marks, list) else [marks]
        if any(getattr(mark, "name", "") in _NAMES for mark in marks):
            return True
    return collector.get_closest_marker("scenario") is not None
