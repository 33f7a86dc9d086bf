"""These load tests bring a plan of their own, with stages and rates.

`--k6-vus` has no place in such a plan, and would be refused. A session that sets
it (`pytest examples --k6-vus=50`) leaves them out, and says so: «deselected».
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--k6-vus") is None:
        return
    ours = [item for item in items if HERE in item.path.parents]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
