"""Grafana k6's own variables in the environment: what they say here, and which say nothing.

Source: k6 v1.1.0, ``lib/options.go``, ``internal/cmd/*.go`` and the packages of
its outputs, each field's ``envconfig``.
"""

from collections.abc import Iterable, Iterator, Mapping

from pytest_k6api.plugin.settings.table import Setting

_UNREAD = """
    BATCH BATCH_PER_HOST BLACKLIST_IPS BLOCK_HOSTNAMES COMPATIBILITY_MODE CONFIG
    CONSOLE_OUTPUT DISCARD_RESPONSE_BODIES DNS HOSTS INCLUDE_SYSTEM_ENV_VARS LOCAL_IPS
    LOG_FORMAT LOG_OUTPUT MAX_REDIRECTS METRIC_SAMPLES_BUFFER_SIZE NO_CONNECTION_REUSE
    NO_COOKIES_RESET NO_SUMMARY NO_VU_CONNECTION_REUSE OUT RPS SUMMARY_TIME_UNIT
    SUMMARY_TREND_STATS SYSTEM_TAGS THROW TLSAUTH TLS_CIPHER_SUITES TLS_VERSION TRACES_OUTPUT
    TYPE USER_AGENT
"""
_NAMES = frozenset(f"K6_{name}" for name in _UNREAD.split())
_FAMILIES = (
    *("K6_BROWSER_", "K6_CLOUD_", "K6_CSV_", "K6_INFLUXDB_", "K6_JSON_", "K6_KAFKA_", "K6_OTEL_"),
    *("K6_PROMETHEUS_RW_", "K6_STATSD_", "K6_WEB_DASHBOARD"),
)


def k6_pairs(text: str, setting: Setting) -> str:
    """Return the `text` of k6's variable for `setting` as the setting's own is written."""
    if setting.option != "tags":
        return text
    # K6_TAGS has kind:smoke,team:web.
    return ",".join(pair.replace(":", "=", 1) for pair in text.split(","))


def unread_variables(environment: Mapping[str, str], settings: Iterable[Setting]) -> Iterator[str]:
    """Yield one sentence about the variables that k6 reads and nothing here does, if any are set."""
    read = {name for setting in settings for name in (setting.variable, setting.k6_variable)}
    unread = sorted(
        name
        for name, text in environment.items()
        if text and name not in read and (name in _NAMES or name.startswith(_FAMILIES))
    )
    if unread:
        are = "is a variable" if len(unread) == 1 else "are variables"
        yield f"{', '.join(unread)} in the environment {are} of k6 that nothing here reads"
