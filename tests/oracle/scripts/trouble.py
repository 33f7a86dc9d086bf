"""The same as trouble.js, line for line."""

import json
import os
from pathlib import Path

import pytest

CLOSED, SILENT = os.environ["CLOSED_URL"], os.environ["SILENT_URL"]


@pytest.mark.scenario(executor="per-vu-iterations", vus=1, iterations=2)
async def test_trouble(vu):
    with vu.group("nobody is there"):
        refused = await vu.http.get(f"{CLOSED}/refused")
        vu.check(refused, {"has a code": lambda r: r.status_code == 0 and r.error_code == 1212})
    with vu.group("nobody answers"):
        late = await vu.http.get(f"{SILENT}/late", timeout=0.1)
        vu.check(late, {"has a code": lambda r: r.status_code == 0 and r.error_code == 1050})
    await vu.http.get("/missing")
    await vu.http.get("/broken", expected_statuses={500})
    await vu.http.get("/moved", follow_redirects=False)


def test_tell_how_many_samples(k6):
    asked = Path(os.environ["ASKED"])
    counts = {
        key: k6.metrics[key].samples if key in k6.metrics else 0
        for key in json.loads(asked.read_text())
    }
    Path(os.environ["ANSWERS"]).write_text(json.dumps(counts))
