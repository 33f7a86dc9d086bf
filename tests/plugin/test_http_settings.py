"""What the settings and the environment say about requests: debug output, authorities, ways to servers."""

import re
import subprocess
import sys

import pytest

from tests.plugin.conftest import RunPytest, Service

SUITE = """
    import pytest

    @pytest.mark.scenario(vus=2, iterations=2)
    async def test_async(vu):
        await vu.http.get(f"/{vu.id}")
        await vu.http.get(f"/status/{403 + vu.id}", expected_statuses=None)

    @pytest.mark.scenario
    def test_sync(vu):
        vu.http.get("/3?token=abc")
"""


@pytest.mark.parametrize("arguments", [[], ["-s"], ["-q"], ["-p", "no:terminal"]], ids=str)
def test_each_line_is_printed_with_its_vu(
    pytester: pytest.Pytester, run_pytest: RunPytest, arguments: list[str]
):
    pytester.makepyfile(SUITE)

    result = run_pytest("--k6-http-debug=all", *arguments)

    text = str(result.stdout) + str(result.stderr)
    for line in (
        "[test_async vu 1] > GET http://127.0.0.1:",
        "[test_async vu 1] < 404 Said So after ",
        "[test_async vu 1] Welcome",
        "[test_async vu 2] < 405 Said So after ",
        "[test_sync vu 1] < 200 Said So after ",
        "/3?token=****\n",
    ):
        assert line in text
    assert not re.search(r"\] \[test_", text)


def test_of_failed_requests_only_those_are_printed(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(SUITE)

    text = str(run_pytest("--k6-http-debug=failed").stdout)

    assert "< 404 Said So" in text
    assert "< 200 Said So" not in text


def test_workers_of_xdist_print_to_the_standard_error_stream(
    pytester: pytest.Pytester, service: Service
):
    pytest.importorskip("xdist")
    pytester.makepyfile(SUITE)
    command = [sys.executable, "-m", "pytest", "-p", "k6api", "-p", "xdist", "-n1"]
    command += ["-p", "no:cacheprovider", "--k6-address=", "--k6-http-debug=all"]

    result = subprocess.run(
        [*command, f"--k6-base-url={service.url}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "[test_async vu 1] < 404 Said So after " in result.stderr


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("", "it holds no certificate that can be read"),
        ("no PEM", "it holds no certificate that can be read"),
    ],
)
def test_a_file_of_authorities_that_cannot_be_read_is_refused_before_any_request(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    content: str | None,
    reason: str,
):
    pytester.makepyfile(SUITE)
    if content is not None:
        (pytester.path / "ca.pem").write_text(content)

    result = run_pytest("--k6-ca-file=ca.pem")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: --k6-ca-file: cannot read certificate authorities from 'ca.pem':"
            f" {reason}; give a file with certificates in PEM"
        ]
    )
    assert service.paths == []


PROXIED = """
    import pytest

    @pytest.mark.scenario(vus=2, iterations=4, thresholds={"http_reqs": ["count==4"]})
    async def test_shop(vu):
        await vu.http.get("http://shop.test/cart")
"""


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("place", ["command line", "environment", "ini", "HTTP_PROXY"])
def test_requests_go_through_the_proxy_that_a_setting_names(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
):
    pytester.makepyfile(PROXIED)
    options = [f"--k6-proxy={service.url}"] if place == "command line" else []
    if place == "ini":
        pytester.makeini(f"[pytest]\nk6_proxy = {service.url}\n")
    elif place != "command line":
        monkeypatch.setenv("K6_PROXY" if place == "environment" else place, service.url)

    run_pytest(*options).assert_outcomes(passed=1)

    assert service.paths == ["http://shop.test/cart"] * 4


@pytest.mark.usefixtures("no_proxies")
def test_an_empty_proxy_goes_past_that_of_the_environment(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    pytester.makepyfile(PROXIED)
    address = service.url.removeprefix("http://").rstrip("/")

    run_pytest("--k6-proxy=", f"--k6-hosts=shop.test={address}").assert_outcomes(passed=1)

    assert service.paths == ["/cart"] * 4


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--k6-proxy=ftp://ann:secret@x", "--k6-proxy: cannot read the proxy 'ftp://****@x'*"),
        ("--k6-hosts=shop.test", "--k6-hosts: cannot read 'shop.test'; write NAME=ADDRESS*"),
        ("--k6-hosts=shop.test=x", "--k6-hosts: cannot read the address 'x' of 'shop.test'*"),
        ("--k6-dns=ttl=5", "--k6-dns: *'5'*"),
        ("--k6-local-ips=x", "--k6-local-ips: cannot read 'x'; write an IP address*"),
        ("--k6-client-cert=x.pem", "--k6-client-cert: cannot read the client's certificate*"),
        ("--k6-client-key=x.pem", "--k6-client-key needs --k6-client-cert, whose key it is"),
    ],
)
def test_a_way_that_cannot_be_read_ends_the_session_before_any_load(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, option: str, message: str
):
    pytester.makepyfile(SUITE)

    result = run_pytest(option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert service.paths == []


UNUSABLE = {
    "k6_hosts": ("shop.test", "cannot read 'shop.test'; write NAME=ADDRESS*"),
    "k6_report": ("out.txt", "takes a file that ends in .html, .json or .md, got 'out.txt'"),
    "k6_compare": ("of/main", "takes a name of letters*"),
}


@pytest.mark.parametrize("key", UNUSABLE)
def test_what_cannot_be_used_is_told_with_the_variable_that_has_it(
    pytester: pytest.Pytester, run_pytest: RunPytest, monkeypatch: pytest.MonkeyPatch, key: str
):
    text, message = UNUSABLE[key]
    pytester.makepyfile(SUITE)
    monkeypatch.setenv(key.upper(), text)

    result = run_pytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: environment: {key.upper()}: {message}"])


@pytest.mark.parametrize("key", UNUSABLE)
def test_what_cannot_be_used_is_told_with_the_key_of_the_ini_file(
    pytester: pytest.Pytester, run_pytest: RunPytest, key: str
):
    text, message = UNUSABLE[key]
    pytester.makepyfile(SUITE)
    pytester.makeini(f"[pytest]\n{key} = {text}\n")

    result = run_pytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: ini file: {key}: {message}"])


def test_a_nul_that_no_file_name_can_have_is_told_with_its_key(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nk6_ca_file = a\0b\n")

    result = run_pytest()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: ini file: k6_ca_file: takes text without NUL characters, got 'a\\x00b'"]
    )


HTTP2_SUITE = """
    import pytest

    @pytest.mark.scenario(http_versions="2-prior-knowledge")
    async def test_it(vu):
        response = await vu.http.get("/")
        print(f"<{response.http_version}> {response.error}")
"""


def test_the_marker_chooses_the_version_of_http_and_the_command_line_another(
    pytester: pytest.Pytester, run_pytest: RunPytest
):
    pytest.importorskip("jh2")
    pytester.makepyfile(HTTP2_SUITE)

    by_marker = str(run_pytest().stdout)
    by_command = str(run_pytest("-rP", "--k6-http-version=1.1").stdout)

    assert "http2: frame too large" in by_marker
    assert "<HTTP/1.1> \n" in by_command


def test_a_version_that_is_not_there_is_refused_before_any_request(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service
):
    pytester.makepyfile(HTTP2_SUITE)

    result = run_pytest("--k6-http-version=4")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: command line: --k6-http-version: takes one of auto, 1.1, 2, 2-prior-knowledge,"
            " 3, got '4'"
        ]
    )
    assert service.paths == []


def test_the_extra_of_http3_is_told_when_it_is_missing(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    pytester.makepyfile(HTTP2_SUITE)
    monkeypatch.setattr("pytest_k6api.protocols.http.client.options._has_quic", lambda: False)

    result = run_pytest("--k6-http-version=3")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["http_versions='3' needs the extra `http3`: pip install 'pytest-k6api[[]http3]'"]
    )
    assert service.paths == []


def test_a_missing_extra_is_told_with_its_command(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
):
    pytester.makepyfile(HTTP2_SUITE)
    monkeypatch.setattr("pytest_k6api.protocols.http.client.options._has_decoder", lambda: False)

    result = run_pytest()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "http_versions='2-prior-knowledge' needs the extra `http2`:"
            " pip install 'pytest-k6api[[]http2]'"
        ]
    )
    assert service.paths == []


CONNECTIONS = """
    import pytest

    @pytest.mark.scenario(vus=1, iterations=3, {option})
    async def test_it(vu):
        for _ in range(2):
            response = await vu.http.get("/")
            print(f"<{{response.timings.connecting > 0}}> {{response.content}}")
"""


@pytest.mark.parametrize(
    ("option", "arguments", "lines"),
    [
        ("", [], ["<True> b'Welcome'", *["<False> b'Welcome'"] * 5]),
        ("no_connection_reuse=True", [], ["<True> b'Welcome'"] * 6),
        ("", ["--k6-no-connection-reuse"], ["<True> b'Welcome'"] * 6),
        ("no_vu_connection_reuse=True", [], ["<True> b'Welcome'", "<False> b'Welcome'"] * 3),
        ("", ["--k6-no-vu-connection-reuse"], ["<True> b'Welcome'", "<False> b'Welcome'"] * 3),
        ("discard_response_bodies=True", [], ["<True> b''", *["<False> b''"] * 5]),
        ("", ["--k6-discard-response-bodies"], ["<True> b''", *["<False> b''"] * 5]),
    ],
)
def test_connections_and_bodies_are_kept_as_long_as_was_asked_for(
    pytester: pytest.Pytester,
    run_pytest: RunPytest,
    option: str,
    arguments: list[str],
    lines: list[str],
):
    pytester.makepyfile(CONNECTIONS.format(option=option))

    result = run_pytest("-rP", *arguments)

    result.assert_outcomes(passed=1)
    assert re.findall(r"<\w+> b'.*'", str(result.stdout)) == lines


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        (
            "--k6-tls-version=1.2",
            "--k6-tls-version: cannot read '1.2'; write one of tls1.0, tls1.1, tls1.2, tls1.3, or the"
            " least and the greatest version, such as tls1.2-tls1.3",
        ),
        (
            "--k6-tls-cipher-suites=TLS_AES_128_GCM_SHA256",
            "--k6-tls-cipher-suites: cannot use the cipher suite 'TLS_AES_128_GCM_SHA256'; write one of"
            " TLS 1.2 or below that OpenSSL has, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (those of"
            " TLS 1.3 are always on)",
        ),
    ],
)
def test_rules_of_tls_that_cannot_be_read_are_refused_before_any_request(
    pytester: pytest.Pytester, run_pytest: RunPytest, service: Service, argument: str, error: str
):
    pytester.makepyfile(SUITE)

    result = run_pytest(argument)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {error}"])
    assert service.paths == []
