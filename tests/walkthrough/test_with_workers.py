"""k6's own commands, and curl, against a load test on two workers."""

import re

import pytest

from tests.walkthrough.session import a_session, wait_until
from tests.walkthrough.test_with_k6 import k6, message, names, words

__all__ = ["k6"]

pytestmark = [pytest.mark.sockets, pytest.mark.k6_binary, pytest.mark.slow]


@pytest.fixture(scope="module")
def session(page, tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    arguments = ("--k6-workers=2", "--k6-paused", "--k6-linger")
    with a_session(folder, page, *arguments) as session:
        # Three processes start one after the other.
        wait_until(lambda: session.status()["status"] == 4, session.printed, patience=90)
        yield session


def workers(session):
    answer = session.curl("GET", "/v1/workers")
    return [each["attributes"] for each in answer.document["data"]]


def test_all_commands_of_k6_steer_all_workers(session, k6):
    assert words(k6(session, "status"))["vus-max"] == "3"
    assert [each["state"] for each in workers(session)] == ["ready", "ready"]
    assert words(k6(session, "resume"))["paused"] == "false"
    session.wait_for(status=7, vus=3)
    session.wait_for_requests()
    assert {"http_reqs", "checks", "iterations", "group_duration"} <= names(k6(session, "stats"))
    assert sorted(each["vus"] for each in workers(session)) == [1, 2]

    assert words(k6(session, "scale", "--vus", "4", "--max", "6"))["vus-max"] == "6"
    session.wait_for(vus=4, vus_max=6)
    assert words(k6(session, "pause"))["paused"] == "true"
    assert message(k6(session, "pause")) == "Pause error: test execution was already paused"
    session.wait_for(vus=0, status=7)
    assert words(k6(session, "resume"))["paused"] == "false"
    session.wait_for_requests()

    told = workers(session)
    assert [re.sub(r"\d+", "N", each["place"]) for each in told] == ["process N", "process N"]
    assert {each["state"] for each in told} == {"running"}
    assert all(each["memory"] > 10_000_000 and each["cpu"] > 0 for each in told)
    assert all(abs(each["clock-offset"]) < 1 and each["last-heard"] < 20 for each in told)

    session.change(stopped=True)
    session.wait_for(running=False)
    wait_until(
        lambda: [each["state"] for each in workers(session)] == ["finished"] * 2, session.printed
    )
    assert (session.traces("setups"), session.traces("teardowns")) == ("x", "abc ")
