"""A debugger in a load test: one VU, and the frame that failed, or the first line."""

import pytest

from tests.plugin.conftest import RunPytest


def test_pdb_stops_one_vu_where_it_failed(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile(
        test_load="""
        import pytest

        @pytest.mark.scenario(vus=50, duration="1h")
        async def test_browse(vu):
            cart = ["a", "book"]
            assert not cart
        """,
        debugger="""
        class Debugger:
            def __init__(self, *args, **kwargs): pass
            def set_trace(self, *args): pass
            def reset(self): pass
            quitting = False
            def interaction(self, frame, raised):
                traceback = getattr(raised, "__traceback__", raised)
                while traceback.tb_next:
                    traceback = traceback.tb_next
                print("STOPPED WITH", traceback.tb_frame.f_locals["cart"])
        """,
    )
    monkeypatch.syspath_prepend(pytester.path)

    result = run_pytest("--pdb", "--pdbcls=debugger:Debugger")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["STOPPED WITH [[]'a', 'book'[]]", "*iterations*: 1 *"])


DEBUGGER = """
    import bdb

    class Tracer(bdb.Bdb):
        def __init__(self, *args, **kwargs):
            super().__init__()

        def user_line(self, frame):
            print("STOPPED AT", frame.f_code.co_name, frame.f_lineno)
            self.set_continue()
"""


def test_trace_stops_at_the_first_line_of_each_scenario(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch
):
    pytester.makepyfile(
        test_load="""
        import pytest

        @pytest.mark.scenario(vus=50, duration="1h")
        async def test_async(vu):
            first = 1
            await vu.sleep(0.01)
            print("WENT ON")

        @pytest.mark.scenario(vus=50, duration="1h")
        def test_sync(vu):
            first = 1

        def test_ordinary():
            first = 1
        """,
        tracer=DEBUGGER,
    )
    monkeypatch.syspath_prepend(pytester.path)

    result = run_pytest("--trace", "--pdbcls=tracer:Tracer", "-s")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*STOPPED AT test_async 5",
            "*WENT ON",
            "*STOPPED AT test_sync 11",
            "*STOPPED AT test_ordinary 14",
        ]
    )


@pytest.mark.parametrize(("flags", "shown"), [((), 0), (("-l",), 1)])
def test_local_variables_are_shown_when_pytest_shows_them(
    pytester: pytest.Pytester, run_pytest: RunPytest, flags: tuple[str, ...], shown: int
):
    pytester.makepyfile("""
        import pytest

        def look(cart):
            inside = "seen"
            assert not cart

        @pytest.mark.scenario
        async def test_browse(vu):
            look(["a", "book"])
    """)

    result = run_pytest(*flags)

    result.assert_outcomes(failed=1)
    assert result.stdout.str().count("inside     = 'seen'") == shown
