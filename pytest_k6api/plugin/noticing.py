"""Whether something in a test file may be a load test, told without importing what load tests need."""

import pytest

from pytest_k6api.plugin.stashes import CAPTURED

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


def concerns_us(item: pytest.Item) -> bool:
    """Tell whether `item` is a load test, or wants to be one."""
    return CAPTURED in item.stash or is_stray(item)


def is_stray(item: pytest.Item) -> bool:
    """Tell whether `item` is marked as a scenario and was collected by somebody else."""
    # The type first: nearly every item is a plain Function, and a mark is looked for up the tree.
    is_foreign = type(item) is not pytest.Function and CAPTURED not in item.stash
    return is_foreign and item.get_closest_marker("scenario") is not None
