"""A debugger in a load test: one VU, and the frame that failed."""

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
