"""No secret of a request gets into anything that is shown or kept."""

import pytest

from tests.plugin.conftest import RunPytest, Service

SUITE = """
    import json, urllib.request, pytest

    URL = {url!r}
    WRONG = [
        "http://ann:SECRET@" + URL[7:],
        "http://ann:p@SECRET@" + URL[7:],
        "http://ann:SECRET@shop.test:99999/",
        "http://ann:SECRET@shop test/",
        "http://ann:SE/CRET@shop.test/",
        "ftp://ann:SECRET@shop.test/",
        URL + "/x?access%5Ftoken=SECRET&next=%2Fy%3Fsig%3DSECRET#code=SECRET",
    ]

    @pytest.mark.scenario(vus=1, iterations=7)
    async def test_urls(vu):
        response = await vu.http.get(WRONG[vu.iteration])
        print(response, response.request, repr(response.url), response.request.headers)
        vu.check(response, {{"is a page": lambda r: r.status_code == 299}})
        assert response.status_code == 299

    @pytest.mark.scenario(vus=1, iterations=1)
    async def test_header_with_a_line_end(vu):
        await vu.http.get(URL, headers={{"Authorization": "Bearer SECRET" + chr(10)}})

    @pytest.mark.scenario(vus=1, iterations=1)
    async def test_exception_with_a_url(vu):
        headers = {{"X-Api-Key": "SECRET"}}
        raise ValueError(f"{{URL}}/?token=SECRET&page=2 {{headers}} failed")

    @pytest.mark.scenario(vus=1, iterations=1)
    async def test_name_of_the_users_own(vu):
        await vu.http.get(URL + "/?tenant=SECRET", headers={{"X-Shop": "SECRET"}})
        assert False

    def test_api(k6):
        for path in ("/v1/failures", "/v1/metrics", "/v1/tests"):
            with urllib.request.urlopen(k6.address + path) as reply:
                assert "SEC" + "RET" not in reply.read().decode()
"""


@pytest.mark.parametrize("style", ["long", "short", "native"])
def test_secrets_are_in_no_report(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, style: str
):
    # The source of the suite holds its secrets; what is shown of it is masked as well.
    pytester.makepyfile(SUITE.format(url=service.url))

    result = run_pytest(
        "-rA",
        "-l",
        f"--tb={style}",
        "--k6-http-debug=all",
        "--k6-mask=tenant",
        "--k6-mask=X-Shop",
        "--junitxml=junit.xml",
        "--k6-summary-export={name}.json",
        address="127.0.0.1:0",
    )

    text = str(result.stdout) + str(result.stderr)
    assert "page=2" in text
    assert "http://****:****@127.0.0.1" in text
    assert "SECRET" not in text
    files = [*pytester.path.glob("*.xml"), *pytester.path.glob("*.json")]
    assert len(files) > 1
    assert not [path.name for path in files if "SECRET" in path.read_text()]


def test_the_tags_of_a_request_hold_no_token(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario(iterations=2, vus=1)
        async def test_browse(vu):
            await vu.http.get("{service.url}/a?page=2&token=%d" % vu.iteration)

        def test_tags(k6):
            url = "{service.url}/a?page=2&token=****"
            assert k6.metrics["http_reqs{{url:%s}}" % url].count == 2
    """)

    result = run_pytest()

    result.assert_outcomes(passed=2)


def test_bodies_are_left_out_on_demand(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.scenario(base_url="{service.url}")
        async def test_browse(vu):
            await vu.http.get("/")
            assert False
    """)

    shown = run_pytest("--k6-http-debug=all")
    hidden = run_pytest("--k6-http-debug=all", "--k6-hide-bodies")

    assert "] Welcome" in str(shown.stdout)
    assert "Welcome" not in str(hidden.stdout)
    hidden.stdout.fnmatch_lines(["*(7 bytes)"])
