"""Load tests on worker processes: what users of ``--k6-workers`` see."""

import json
import os
from collections import Counter

import pytest

from tests.plugin.conftest import RunPytest, Service


def notes(pytester: pytest.Pytester) -> list[dict[str, object]]:
    """Return what processes of the suite have noted, each line one note."""
    path = pytester.path / "notes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


NOTE = """
    import json, os, pytest

    def note(**facts):
        with open("notes.jsonl", "a") as file:
            file.write(json.dumps({"process": os.getpid(), **facts}) + "\\n")
"""


@pytest.mark.slow
def test_a_load_test_on_two_workers_is_one_load_test(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(
        NOTE
        + """
    from pytest_k6api import Trend, feeder, vu_fixture

    size = Trend("size")
    rows = feeder([{"number": number} for number in range(8)])

    class Server:
        url = "/here"

    @pytest.fixture(scope="session")
    def server():
        note(server=True)
        return Server()

    @pytest.fixture
    def url(server):
        return server.url

    @pytest.fixture
    def pool():
        note(pool=True)
        yield object()
        note(pool=False)

    @vu_fixture
    async def basket(vu, url):
        return {"owner": vu.id, "url": url}

    def seed():
        note(setup=True)
        return {"token": 7}

    def clear(setup_data):
        note(teardown=setup_data["token"])

    @pytest.mark.scenario(
        vus=4, iterations=8, executor="shared-iterations", setup=seed, teardown=clear,
        worker_fixtures=["pool"],
    )
    async def test_buy(vu, url, basket, pool, setup_data, tmp_path):
        note(vu=vu.id, row=next(rows)["number"], token=setup_data["token"], to=str(tmp_path))
        assert basket == {"owner": vu.id, "url": "/here"}
        with vu.group("buy"):
            response = await vu.http.get(url)
            vu.check(response, {"is 200": lambda found: found.status_code == 200})
        size.add(vu.id)

    def test_results(k6):
        assert k6.last.outcome == "passed"
        assert k6.last.metrics["http_reqs"].count == 8
        assert k6.last.metrics["size"].samples == 8
        assert k6.last.groups["::buy"].checks[0].passes == 8

    @pytest.mark.scenario(vus=3, iterations=2, executor="per-vu-iterations")
    async def test_fails(vu):
        response = await vu.http.get("/status/503")
        assert vu.id == 1, f"not the first but {vu.id}"
    """
    )

    result = run_pytest("--k6-workers=2")

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: 4 of 6 iterations raised an exception (and 1 more)",
            "  ✗ 6 of 6 requests failed: 6x 503 GET http*/status/503",
            "4x iteration failed (66.66% of iterations): AssertionError: not the first but ?",
            "        assert vu.id == 1, *",
            "6x request failed (100.00% of requests of that name): 503 GET http*/status/503",
            "        Welcome",
        ]
    )
    noted = notes(pytester)
    of_vus = [each for each in noted if "vu" in each]
    assert sorted(each["row"] for each in of_vus) == list(range(8))  # type: ignore[type-var]
    assert {each["vu"] for each in of_vus} == {1, 2, 3, 4}
    assert {each["token"] for each in of_vus} == {7}
    assert len({each["process"] for each in of_vus}) == 2
    assert len({each["to"] for each in of_vus}) == 1
    assert sorted(service.paths) == ["/here"] * 8 + ["/status/503"] * 6
    mine = os.getpid()
    once = [each for each in noted if not {"vu", "pool"} & each.keys()]
    assert once == [
        {"process": mine, "server": True},
        {"process": mine, "setup": True},
        {"process": mine, "teardown": 7},
    ]
    # Once in the controller, which sets up what a load test asks for, and on each worker.
    pools = Counter((each["process"], each["pool"]) for each in noted if "pool" in each)
    assert len(pools) == 6
    assert set(pools.values()) == {1}


REFUSED = [
    (
        ["--k6-workers=0"],
        "--k6-workers takes a number of processes from 1 to 1,000, auto, or the scheduler of a Dask cluster, such as tcp://scheduler:8786; got '0'",
    ),
    (
        ["--k6-workers=" + "9" * 5000],
        "--k6-workers takes a number of processes from 1 to 1,000, auto, or the scheduler of a Dask cluster, such as tcp://scheduler:8786; got '"
        + "9" * 5000
        + "'",
    ),
    (
        ["--k6-workers=many"],
        "--k6-workers takes a number of processes from 1 to 1,000, auto, or the scheduler of a Dask cluster, such as tcp://scheduler:8786; got 'many'",
    ),
    (
        ["--k6-workers=2", "--k6-worker-loss=go-on"],
        "command line: --k6-worker-loss: takes fail or replan, got 'go-on'",
    ),
    (
        ["--k6-workers=2", "--pdb"],
        "--k6-workers runs virtual users in other processes, where --pdb has no terminal; leave one"
        " of them out",
    ),
    (
        ["--k6-workers=2", "--k6-execution-segment=0:1/2"],
        "--k6-workers cuts the load by itself, and --k6-execution-segment cuts it for instances that"
        " know nothing of each other; leave one of them out",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_workers_cannot_do_is_refused_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, arguments: list[str], message: str
):
    pytester.makepyfile("import pytest\n@pytest.mark.scenario\nasync def test_it(vu): ...")

    result = run_pytest(*arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])


def test_one_worker_is_this_process(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(f"""
        import os, pytest

        @pytest.mark.scenario
        async def test_it(vu):
            assert os.getpid() == {os.getpid()}
    """)

    run_pytest("--k6-workers=1").assert_outcomes(passed=1)


WORKERS_NOTED = """
    import os, pathlib, time

    NOTED = pathlib.Path(__file__).with_name("workers.txt")

    def pytest_configure(config):
        if hasattr(config, "workerinput"):
            with NOTED.open("a") as file:
                file.write(f"{os.getpid()}\\n")

    def noted():
        return NOTED.read_text().split() if NOTED.exists() else []

    def pytest_collection_finish(session):
        if not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
            until = time.monotonic() + 30
            while len(noted()) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            print("while collecting:", len(noted()))
"""


@pytest.mark.slow
def test_workers_start_while_their_controller_collects(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeconftest(WORKERS_NOTED)
    pytester.makepyfile("import pytest\n@pytest.mark.scenario\nasync def test_it(vu): ...")

    result = run_pytest("--k6-workers=2", "-s")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*while collecting: 2"])


@pytest.mark.slow
def test_workers_leave_a_session_whose_load_tests_are_not_selected(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makeconftest(WORKERS_NOTED)
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_it(vu): ...

        def test_ordinary(): ...
    """)

    result = run_pytest("--k6-workers=2", "-s", "-k", "ordinary")

    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*while collecting: 2"])
    for process in (pytester.path / "workers.txt").read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


def test_a_list_of_tests_starts_no_worker(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makeconftest(WORKERS_NOTED)
    pytester.makepyfile("import pytest\n@pytest.mark.scenario\nasync def test_it(vu): ...")

    run_pytest("--k6-workers=2", "--collect-only")

    assert not (pytester.path / "workers.txt").exists()


@pytest.mark.slow
def test_a_value_that_is_more_than_data_is_refused_with_advice(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def pool():
            return object()

        @pytest.mark.scenario
        async def test_it(vu, pool): ...
    """)

    result = run_pytest("--k6-workers=2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "test_it asks for the fixture pool, whose value (object) is more than data and cannot be"
            " sent to the workers of --k6-workers; ask for what it takes of it, such as a URL, in a"
            " fixture that returns that, or have each worker set it up with"
            " @pytest.mark.scenario(worker_fixtures=?'pool'?)"
        ]
    )


def test_a_worker_fixture_that_does_not_exist_is_refused(
    pytester: pytest.Pytester, run_pytest: RunPytest
) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def pool():
            return {}

        @pytest.mark.scenario(worker_fixtures=["pol"])
        async def test_it(vu, pool): ...
    """)

    result = run_pytest("--k6-workers=2")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["worker_fixtures names 'pol', which is no fixture; did you mean pool?"]
    )


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_load_test_and_the_next_one_has_a_new_one(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile("""
        import os, pytest, signal

        @pytest.mark.scenario(vus=2, duration="1h")
        async def test_dies(vu):
            await vu.sleep(0.2)
            if vu.id == 2 and vu.iteration:
                os.kill(os.getpid(), signal.SIGKILL)

        @pytest.mark.scenario(vus=2, iterations=2)
        async def test_next(vu): ...
    """)

    result = run_pytest("--k6-workers=2")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "load test failed: worker 2 (process *) was lost at ?.? s: killed by SIGKILL; what it"
            " measured until ?.0 s counts",
            "*::test_next: passed, *",
        ]
    )


@pytest.mark.slow
def test_a_share_goes_on_when_its_worker_is_lost(pytester: pytest.Pytester, run_pytest: RunPytest):
    pytester.makepyfile(
        NOTE
        + """
    import signal
    from pytest_k6api import feeder

    rows = feeder(range(200))

    @pytest.mark.scenario(vus=4, iterations=60, executor="shared-iterations")
    async def test_dies_once(vu, request):
        note(worker=request.config.workerinput["workerid"], vu=vu.id, row=next(rows))
        await vu.sleep(0.05)
        if vu.id == 2 and vu.iteration == 5 and not os.path.exists("killed"):
            open("killed", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    def test_results(k6):
        assert k6.last.outcome == "passed"
        assert k6.last.metrics["iterations"].count == 60

    @pytest.mark.scenario(vus=2, iterations=2)
    async def test_next(vu, request):
        note(worker=request.config.workerinput["workerid"], vu=-vu.id, row=next(rows))
    """
    )

    result = run_pytest(
        "--k6-workers=2", "--k6-worker-loss=replan", "--k6-report=r.json", "--junitxml=junit.xml"
    )

    result.assert_outcomes(passed=3)
    first, _ = json.loads((pytester.path / "r.json").read_text())["load_tests"]
    lost, successor = first["workers"][1:]
    assert (lost["number"], lost["lost"]) == (2, "killed by SIGKILL")
    assert lost["kept_until"] <= lost["lost_at"] <= successor["began_at"]
    assert (successor["number"], successor["share"], successor["follows"]) == (3, 2, 2)
    assert "lost_workers" in (pytester.path / "junit.xml").read_text()
    result.stdout.fnmatch_lines(
        [
            "k6: worker 2 (process *) was lost at *",
            "k6: worker 3 (process *) goes on for worker 2*",
            "  ! worker 2 (process *) was lost at *: killed by SIGKILL; nothing of its share counts from"
            " * s to * s, when worker 3 (process *) went on with it",
        ]
    )
    noted = {(each["worker"], each["vu"]) for each in notes(pytester)}
    assert noted == {
        *(("k6w1", vu) for vu in (1, 3, -1)),
        *(("k6w2", vu) for vu in (2, 4)),
        *(("k6w3", vu) for vu in (2, 4, -2)),
    }
    rows = [each["row"] for each in notes(pytester)]
    assert len(set(rows)) == len(rows) >= 62


@pytest.mark.slow
@pytest.mark.parametrize(
    ("conftest", "told"),
    [
        (
            "def pytest_collection_modifyitems(items):\n    items[:] = items[: 2 * (os.getpid() == {mine})]",
            ", worker 2 (process *): it has collected other load tests than the controller; collection must not depend on"
            " time, chance or the process",
        ),
        (
            "def pytest_configure(config):\n"
            "    config.option.k6_base_url = f'http://127.0.0.1:{{os.getpid() % 10_000 + 1}}'",
            ", worker 2 (process *): it has planned the load tests with another base_url than the controller; options must"
            " not depend on time, chance or the process; a server that the suite starts itself begins in a session fixture,"
            " whose address the fixture k6_base_url returns",
        ),
        (
            "def pytest_sessionstart():\n    assert os.getpid() == {mine}, 'not here'",
            ", worker 2 (process *): its pytest session failed: AssertionError: not here",
        ),
    ],
)
def test_a_worker_that_cannot_run_a_load_test_says_so_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, conftest: str, told: str
):
    pytester.makeconftest("import os\n\n" + conftest.format(mine=os.getpid()))
    pytester.makepyfile("""
        import pytest

        @pytest.mark.scenario
        async def test_first(vu): ...

        @pytest.mark.scenario
        async def test_second(vu): ...
    """)

    result = run_pytest("--k6-workers=2", "-k", "first")

    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [f"load test interrupted: stopped early: worker 1 (process *){told}*"]
    )


@pytest.mark.slow
def test_what_is_left_of_a_load_test_that_was_refused_does_not_disturb_the_next(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(f"""
        import os, pytest

        @pytest.fixture
        def pool(request):
            worker = getattr(request.config, "workerinput", {{}}).get("workerid")
            assert worker != "k6w1", "no pool here"
            return worker

        @pytest.mark.scenario(vus=2, worker_fixtures=["pool"])
        async def test_refused(vu, pool): ...

        @pytest.mark.scenario(vus=2, iterations=6, executor="shared-iterations")
        async def test_next(vu):
            assert os.getpid() != {os.getpid()}
    """)

    result = run_pytest("--k6-workers=2")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "load test interrupted: stopped early: worker 1 (process *): setup failed: AssertionError: no pool here",
            "1x setup failed: AssertionError: no pool here",
            "    test_*.py:6, on worker 1; first at 0.0 s, last at 0.0 s",
            "    E       AssertionError: no pool here",
            "*::test_next: passed, *",
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--k6-workers=2",)], ids=["alone", "two workers"])
def test_warnings_are_summed_up_once_and_properties_are_in_the_junit_xml(
    pytester: pytest.Pytester, run_pytest: RunPytest, options: tuple[str, ...]
):
    pytester.makepyfile(
        """
        import warnings
        import pytest

        class OldWay(DeprecationWarning):
            def __init__(self, old, new):
                super().__init__(f"{old} is old, use {new}")

        @pytest.mark.filterwarnings("default")
        @pytest.mark.scenario(vus=4, iterations=20, executor="per-vu-iterations")
        async def test_it(vu, record_property, caplog, capsys, recwarn):
            if vu.iteration == 0:
                record_property("seen", vu.id)
                print("printed by", vu.id)
                assert f"printed by {vu.id}" in capsys.readouterr().out

        @pytest.mark.filterwarnings("default")
        @pytest.mark.scenario(vus=4, iterations=20, executor="per-vu-iterations")
        async def test_warns(vu):
            warnings.warn(OldWay("this", "that"))
            warnings.warn(f"of {vu.id % 2}", ResourceWarning)

        @pytest.mark.scenario(vus=2)
        async def test_strict(vu):
            warnings.warn("this is an error")
        """
    )

    result = run_pytest("--junitxml=junit.xml", "-o", "junit_family=xunit1", *options)

    result.assert_outcomes(passed=2, failed=1, warnings=3)
    output = result.stdout.str()
    assert output.count(".py:19: OldWay: this is old, use that\n") == 1
    for number in (0, 1):
        assert output.count(f": ResourceWarning: of {number}\n") == 1
    assert "iteration failed (100.00% of iterations): UserWarning: this is an error" in output
    noted = (pytester.path / "junit.xml").read_text()
    assert [noted.count(f'<property name="seen" value="{each}"') for each in range(6)] == [
        *(0, 1, 1, 1, 1, 0)
    ]
