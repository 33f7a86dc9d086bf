"""Calls of gRPC have the samples that k6's have, under the same tags."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.oracle.programs import run_k6, run_plugin
from tests.protocols.grpc.greeting import running_greeter

for name in ("jh2", "grpc_tools", "grpc_reflection"):
    pytest.importorskip(name)

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.k6_binary,
]

OURS = {"error", "scenario"}  # a tag that k6 lacks, and one whose value is another
GRPC = {
    "grpc_req_duration",
    "grpc_streams",
    "grpc_streams_msgs_sent",
    "grpc_streams_msgs_received",
}


def samples(file: Path) -> Counter[tuple[str, frozenset[tuple[str, str]]]]:
    """Return how often each metric of gRPC was written with each set of tags."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return Counter(
        (
            line["metric"],
            frozenset(tag for tag in line["data"]["tags"].items() if tag[0] not in OURS),
        )
        for line in lines
        if line["type"] == "Point"
        and line["metric"] in GRPC
        and line["data"]["tags"].get("service") == "shop.Greeter"  # not the reflection
    )


def test_calls_and_streams_are_counted_and_tagged_as_k6s(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "k6.json", tmp_path / "plugin.json"
    with running_greeter(tmp_path) as target:
        told = {"TARGET": target}
        run_k6("greeter", tmp_path, told, "--out", f"json={theirs}")
        outcome = run_plugin("greeter", tmp_path, told, f"--k6-out=json={ours}")

    assert samples(ours) == samples(theirs)
    assert sum(samples(ours).values()) == 45
    assert outcome.metric("grpc_req_failed")["value"] == 0.5
