"""Load tests on the workers of a Dask cluster: shipped there, and told what became of them."""

import io
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_k6api.distributed import pack_suite
from pytest_k6api.model import OptionError
from tests.distributed.clusters import PATIENCE, running_cluster

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    with running_cluster() as address:
        yield address


def test_a_suite_is_packed_without_what_git_ignores(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("secret.txt\n")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_shop.py").write_text("def test_it(): ...\n")
    (tmp_path / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run.sh").chmod(0o755)

    with tarfile.open(fileobj=io.BytesIO(pack_suite(tmp_path)), mode="r:gz") as archive:
        members = {member.name: member.mode & 0o111 for member in archive}
        content = archive.extractfile("tests/test_shop.py")
        assert content is not None
        assert content.read() == b"def test_it(): ...\n"

    assert members == {".gitignore": 0, "run.sh": 0o111, "tests/test_shop.py": 0}


def test_a_folder_that_git_does_not_know_is_not_shipped(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--k6-ship sends what git tracks"):
        pack_suite(tmp_path)


SUITE = """
    import os

    import pytest
    from pytest_k6api import Trend

    step = Trend("step")
    started = []

    @pytest.fixture(scope="session")
    def greeting():
        started.append(os.getpid())
        return "hello"

    @pytest.mark.scenario(
        vus=4, iterations=40, thresholds={"iterations": ["count==40"], "step": ["max==4"], "checks": ["rate==1"]}
    )
    async def test_shared(vu, greeting):
        step.add(vu.id)
        with vu.group("inside"):
            vu.check(greeting, {"came": lambda text: text == "hello"})

    def test_the_controller_has_all(k6):
        assert k6.metrics["iterations"].count == 40
        assert len(started) == 1
"""


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, text in alone.items():
            patch.setenv(name, text)
        return pytester.runpytest_subprocess(
            "-p", "k6api", "-p", "no:cacheprovider", "--k6-address=", *options, timeout=PATIENCE
        )


@pytest.mark.slow
def test_a_shipped_load_test_runs_on_the_workers_of_a_cluster(
    pytester: pytest.Pytester, scheduler: str
) -> None:
    subprocess.run(["git", "init", "-q", pytester.path], check=True)
    pytester.makepyfile(SUITE)

    result = run(pytester, f"--k6-workers={scheduler}", "--k6-ship")

    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_worker_of_a_cluster_that_dies_ends_the_load_test(
    pytester: pytest.Pytester, scheduler: str
) -> None:
    pytester.makepyfile(f"""
        import os, signal
        import pytest

        @pytest.mark.scenario(vus=2, duration="60s")
        async def test_long(vu):
            await vu.sleep(0.01)
            if vu.id == 1 and vu.iteration == 100:
                os.kill(os.getpid(), {int(signal.SIGKILL)})
    """)
    began = time.monotonic()

    result = run(pytester, f"--k6-workers={scheduler}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*worker ? (process * on *) was lost at *: killed by SIGKILL*"])
    assert time.monotonic() - began < 55


@pytest.mark.slow
def test_the_share_of_a_process_or_a_machine_that_is_lost_goes_on_where_there_is_one_left(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(f"""
        import os, signal
        import pytest

        def scenario(lose):
            @pytest.mark.scenario(vus=4, iterations=80, thresholds={{"iterations": ["count==80"]}})
            async def test(vu):
                await vu.sleep(0.05)
                if vu.id == 2 and vu.iteration == 5 and not os.path.exists(lose.__name__):
                    open(lose.__name__, "w").close()
                    os.kill(lose(), {int(signal.SIGKILL)})

            return test

        test_process = scenario(os.getpid)
        test_machine = scenario(os.getppid)
    """)

    with running_cluster() as scheduler:  # its own: one of its workers ends
        result = run(pytester, f"--k6-workers={scheduler}", "--k6-worker-loss=replan")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            "*! worker 2 (process *) was lost at * s: killed by SIGKILL; *, when worker 3 (process *",
            "*! worker 3 (process *) was lost at * s: the cluster's worker is gone: *, when worker 4 (*",
        ]
    )


def test_shipping_needs_a_cluster(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)

    result = run(pytester, "--k6-ship")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--k6-ship sends the suite to the machines of a cluster*"])
