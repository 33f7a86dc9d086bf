"""The table of settings: command-line options, ini keys and environment variables.

Imported in every session, so it imports no more of this package than what a setting is.
"""

import pytest

from pytest_k6api.plugin.settings.setting import Setting

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="vus",
        metavar="N",
        option="vus",
        about="Virtual users of every scenario that takes vus.",
    ),
    Setting(
        name="duration",
        metavar="TIME",
        option="duration",
        about="Time for which iterations start, such as 30s or 1m30s.",
    ),
    Setting(
        name="iterations",
        metavar="N",
        option="iterations",
        about="Iterations, shared among the VUs or per VU as the scenario says.",
    ),
    Setting(
        name="stage",
        metavar="TIME:TARGET",
        option="stages",
        repeated=True,
        k6_variable="K6_STAGES",
        is_common_word=True,
        about="A stage of a ramp, such as 30s:20; may be repeated.",
    ),
    Setting(
        name="rate",
        metavar="N",
        option="rate",
        is_common_word=True,
        about="Iterations per time unit of constant-arrival-rate scenarios.",
    ),
    Setting(
        name="max_vus",
        metavar="N",
        option="max_vus",
        about="Most VUs, of arrival rates and externally controlled scenarios.",
    ),
    Setting(
        name="min_iteration_duration",
        metavar="TIME",
        option="min_iteration_duration",
        about="Shorter iterations are followed by a pause up to this.",
    ),
    Setting(
        name="setup_timeout",
        metavar="TIME",
        option="setup_timeout",
        about="Time limit of setup.",
    ),
    Setting(
        name="teardown_timeout",
        metavar="TIME",
        option="teardown_timeout",
        about="Time limit of teardown.",
    ),
    Setting(
        name="base_url",
        metavar="URL",
        option="base_url",
        about="Base of relative URLs.",
    ),
    Setting(
        name="http_version",
        metavar="auto|1.1|2|2-prior-knowledge|3",
        option="http_versions",
        is_common_word=True,
        about="Versions of HTTP that connections may speak: HTTP/2 where the server chooses it"
        " (auto, the default; needs the extra http2), HTTP/1.1 alone, HTTP/2 alone over TLS,"
        " HTTP/2 everywhere, or HTTP/3 alone (needs the extra http3).",
    ),
    Setting(
        name="tag",
        metavar="NAME=VALUE",
        option="tags",
        repeated=True,
        k6_variable="K6_TAGS",
        is_common_word=True,
        about="A tag on every sample; may be repeated.",
    ),
    Setting(
        name="env",
        metavar="NAME=VALUE",
        option="env",
        repeated=True,
        is_common_word=True,
        about="A value for vu.env; may be repeated.",
    ),
    Setting(
        name="seed",
        metavar="N",
        default="0",
        kind="number",
        is_common_word=True,
        about="The seed of vu.random (default 0).",
    ),
    Setting(name="smoke", about="Run every scenario once, with one VU."),
    Setting(
        name="address",
        metavar="HOST:PORT",
        is_meant_when_empty=True,
        about="Address of the control API (default localhost:6565; port 0 picks a free one; empty"
        " switches the API off).",
    ),
    Setting(
        name="token",
        metavar="TOKEN",
        about="Bearer token of the control API; required beyond loopback.",
    ),
    Setting(name="paused", about="Start paused: wait for a resume through the control API."),
    Setting(name="linger", about="Keep the control API up after the last test, until Ctrl-C."),
    Setting(name="no_setup", about="Do not run setup functions."),
    Setting(name="no_teardown", about="Do not run teardown functions."),
    Setting(name="no_thresholds", about="Do not evaluate thresholds."),
    Setting(
        name="thresholds",
        metavar="METRIC:EXPRESSION",
        option="thresholds",
        repeated=True,
        is_common_word=True,
        about="A threshold of every load test that has samples of its metric, such as"
        " http_req_failed:rate<0.01; may be repeated.",
    ),
    Setting(
        name="checks",
        metavar="fail|record",
        option="checks",
        is_common_word=True,
        about="Whether a failed check fails its load test (default) or is only counted.",
    ),
    Setting(
        name="requests",
        metavar="fail|record",
        option="requests",
        is_common_word=True,
        about="Whether a failed request that nothing allows fails its load test (default) or is"
        " only counted.",
    ),
    Setting(
        name="fail_fast",
        option="fail_fast",
        is_common_word=True,
        about="End a load test at its first failed iteration, check or request.",
    ),
    Setting(
        name="trend_memory",
        metavar="SIZE",
        default="40MB",
        kind="size",
        about="Memory for the different values of all trends of a load test, such as 500MB"
        " (default 40MB); beyond it the largest trends keep fewer digits.",
    ),
    Setting(
        name="progress",
        metavar="TIME",
        default="30s",
        kind="duration",
        about="Interval of progress lines where no live view can be drawn, such as in CI (default"
        " 30s; 0 for none).",
    ),
    Setting(
        name="summary",
        metavar="full|compact|off",
        choices=("full", "compact", "off"),
        synonyms={"legacy": "full", "disabled": "off"},
        k6_variable="K6_SUMMARY_MODE",
        is_common_word=True,
        about="The summary at the end: all of it (default), a line for each load test (default"
        " with -q), or nothing.",
    ),
    Setting(
        name="summary_export",
        metavar="FILE",
        about="Write k6's summary as JSON; {name} in the path stands for each load test.",
    ),
    Setting(
        name="report",
        metavar="FILE",
        repeated=True,
        is_common_word=True,
        about="Write a report of the session: FILE.html with charts, FILE.json or FILE.md; may be"
        " repeated.",
    ),
    Setting(
        name="out",
        metavar="NAME[=TARGET]",
        repeated=True,
        about="Send every sample to an output: json, csv, prometheus-rw, opentelemetry, influxdb,"
        " statsd or one of a plugin; {name} in the target stands for each load test; may be"
        " repeated.",
    ),
    Setting(
        name="metadata",
        about="Tell outputs to lines (json, csv, influxdb) the number of the virtual user and of its"
        " iteration with each sample, as metadata vu and iter.",
    ),
    Setting(
        name="trace",
        metavar="RATE",
        about="Give every request a trace of its own (W3C traceparent), of which this share, from 0"
        " to 1, has the flag sampled; the trace_id stands in failures and outputs.",
    ),
    Setting(
        name="save",
        metavar="NAME",
        about="Keep the results of every load test under this name, for --k6-compare.",
    ),
    Setting(
        name="compare",
        metavar="NAME",
        about="Compare every load test with the results that were saved under this name, or with"
        " those in a report (FILE.html or FILE.json).",
    ),
    Setting(
        name="compare_fail",
        metavar="METRIC:NUMBER:LIMIT",
        repeated=True,
        about="Fail a load test whose number is that much worse than in --k6-compare, such as"
        " http_req_duration:p(95):10%; may be repeated.",
    ),
    Setting(
        name="results_dir",
        metavar="FOLDER",
        default=".k6api",
        about="Folder of --k6-save (default .k6api under pytest's root folder).",
    ),
    Setting(
        name="workers",
        metavar="N|auto|SCHEDULER",
        about="Worker processes that share every load test, auto for as many as there are cores,"
        " less one, or the scheduler of a Dask cluster, such as tcp://scheduler:8786 (default: no"
        " worker, the load runs in pytest's own process).",
    ),
    Setting(
        name="worker_loss",
        metavar="fail|replan",
        choices=("fail", "replan"),
        default="fail",
        about="What the loss of a worker means: the load test ends and fails (the default), or another"
        " worker goes on with its share, and the verdict warns of the gap.",
    ),
    Setting(
        name="ship",
        about="Send the files of the root folder that git tracks to the machines of --k6-workers.",
    ),
    Setting(
        name="execution_segment",
        metavar="A:B",
        about="Share of the load that this instance runs, such as 0:1/2.",
    ),
    Setting(
        name="execution_segment_sequence",
        metavar="A,B,...",
        about="Shares of all instances, such as 0,1/2,1.",
    ),
    Setting(
        name="ca_file",
        metavar="FILE",
        about="Certificate authorities for TLS (PEM), instead of the system's.",
    ),
    Setting(name="insecure_skip_tls_verify", about="Do not verify the certificates of servers."),
    Setting(
        name="client_cert",
        metavar="FILE",
        about="Certificate of the clients (PEM), for servers that ask for one; the key is in the"
        " same file or in --k6-client-key.",
    ),
    Setting(
        name="client_key",
        metavar="FILE",
        about="Key of --k6-client-cert (PEM).",
    ),
    Setting(
        name="proxy",
        metavar="URL",
        is_meant_when_empty=True,
        is_common_word=True,
        about="Proxy of all requests, http://host:port, https://host:port or socks5://host:port"
        " (default: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY of the environment; empty for none);"
        " NO_PROXY names exceptions.",
    ),
    Setting(
        name="hosts",
        metavar="NAME=ADDRESS",
        repeated=True,
        about="Address of a server instead of DNS's: NAME=IP, NAME=IP:PORT or NAME=unix:/path;"
        " NAME may have a port or begin with *.; may be repeated.",
    ),
    Setting(
        name="dns",
        metavar="RULES",
        about="How answers of DNS are used (default ttl=5m,select=random,policy=preferIPv4).",
    ),
    Setting(
        name="local_ips",
        metavar="ADDRESSES",
        about="Addresses of this machine that virtual users connect from in turn, such as"
        " 10.0.0.1-10.0.0.9,10.0.1.0/28.",
    ),
    Setting(
        name="http_debug",
        metavar="failed|all",
        choices=("failed", "all"),
        synonyms={"full": "all", "headers": "all", "true": "all"},
        about="Print requests and responses: the failed ones, or all.",
    ),
    Setting(
        name="tls_version",
        metavar="VERSION",
        about="Version of TLS that connections may speak, such as tls1.3, or the least and the"
        " greatest, such as tls1.2-tls1.3 (default: what OpenSSL has).",
    ),
    Setting(
        name="tls_cipher_suites",
        metavar="NAME",
        repeated=True,
        about="A cipher suite of TLS 1.2 and below that may be used, by its standard name, such as"
        " TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; may be repeated (default: what OpenSSL has).",
    ),
    Setting(
        name="discard_response_bodies",
        option="discard_response_bodies",
        about="Read the bodies of responses without keeping them, unless a request says otherwise.",
    ),
    Setting(
        name="no_connection_reuse",
        option="no_connection_reuse",
        about="Open a connection for each request.",
    ),
    Setting(
        name="no_vu_connection_reuse",
        option="no_vu_connection_reuse",
        about="Close the connections of a VU at the end of each iteration.",
    ),
    Setting(
        name="mask",
        metavar="NAME",
        repeated=True,
        about="Mask the values of headers and parameters of this name too, wherever requests are"
        " shown; * matches any text; may be repeated.",
    ),
    Setting(
        name="hide_bodies",
        about="Show requests and responses without bodies.",
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Add every setting to pytest's command line and ini file."""
    group = parser.getgroup("k6", "load tests")
    for setting in SETTINGS:
        about = f"{setting.about} [ini: {setting.ini}, environment: {setting.variable}]"
        about = about.replace("%", "%%")  # argparse fills texts in
        if not setting.metavar:
            group.addoption(setting.flag, action="store_true", default=None, help=about)
        else:
            group.addoption(
                setting.flag,
                action="append" if setting.repeated else "store",
                metavar=setting.metavar,
                default=None,
                help=about,
            )
        if setting.repeated:
            parser.addini(setting.ini, setting.about, type="linelist", default=None)
        else:
            parser.addini(setting.ini, setting.about, type="string", default=None)
