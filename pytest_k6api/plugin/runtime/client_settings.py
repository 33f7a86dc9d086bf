"""The settings of HTTP clients, read before any load is sent."""

import os
from dataclasses import replace
from functools import partial
from typing import Literal

import pytest

from pytest_k6api.model import OptionError, Secrets, Tracer, read_trace_rate
from pytest_k6api.plugin.hooks.stash_keys import PLAN
from pytest_k6api.plugin.runtime.vu_output import print_exchange
from pytest_k6api.plugin.settings.sources import Settings
from pytest_k6api.protocols.http import (
    ClientCertificate,
    ClientOptions,
    DnsRules,
    HostTable,
    LocalAddresses,
    Proxies,
    TlsRules,
    make_context,
    read_cipher_suites,
    read_dns,
    read_tls_version,
)


def client_options(settings: Settings) -> ClientOptions:
    """Return what `settings` say about the HTTP clients of all load tests.

    Raises:
        OptionError: One of them cannot be used; the message names it.
    """
    secrets = Secrets(settings.entries("mask"), hides_bodies=settings.switch("hide_bodies"))
    return ClientOptions(
        verify=_authorities(settings) or not settings.switch("insecure_skip_tls_verify"),
        certificate=_certificate(settings),
        tls=_tls(settings),
        proxies=_proxies(settings, secrets),
        hosts=_hosts(settings),
        dns=_dns(settings),
        local_addresses=_local_addresses(settings),
        http_debug=_http_debug(settings),
        secrets=secrets,
        tracer=_tracer(settings),
    )


def client_of(item: pytest.Item, client: ClientOptions, base_url: str) -> ClientOptions:
    """Return `client` as the load test of `item` has it, in whichever process it runs."""
    options = item.stash[PLAN].options
    return replace(
        client,
        base_url=base_url,
        http_versions=options.http_versions,
        discard_response_bodies=options.discard_response_bodies,
        no_connection_reuse=options.no_connection_reuse,
        no_vu_connection_reuse=options.no_vu_connection_reuse,
        show_exchange=partial(print_exchange, item.config),
    )


def _authorities(settings: Settings) -> str:
    """Return the file of certificate authorities, after a trial read."""
    path = settings.text("ca_file")
    if path:
        with settings.blamed("ca_file"):
            make_context(path)
    return path


def _certificate(settings: Settings) -> ClientCertificate | None:
    """Return the client's certificate, after a trial read."""
    cert_file, key_file = settings.text("client_cert"), settings.text("client_key")
    if not cert_file:
        if key_file:
            raise OptionError("--k6-client-key needs --k6-client-cert, whose key it is")
        return None
    certificate = ClientCertificate(cert_file, key_file)
    with settings.blamed("client_cert"):
        make_context(verify=False, certificate=certificate)
    return certificate


def _tls(settings: Settings) -> TlsRules:
    with settings.blamed("tls_version"):
        versions = read_tls_version(settings.text("tls_version"))
    with settings.blamed("tls_cipher_suites"):
        return TlsRules(versions, read_cipher_suites(settings.entries("tls_cipher_suites")))


def _proxies(settings: Settings, secrets: Secrets) -> Proxies:
    url = settings.text("proxy") if settings.was_given("proxy") else None
    if url is None:
        return Proxies(None, os.environ, secrets)
    with settings.blamed("proxy"):
        return Proxies(url, os.environ, secrets)


def _hosts(settings: Settings) -> HostTable:
    with settings.blamed("hosts"):
        entries: dict[str, str] = {}
        for text in settings.entries("hosts"):
            name, equals, address = text.partition("=")
            if not equals:
                raise OptionError(
                    f"cannot read {text!r}; write NAME=ADDRESS, such as shop.test=127.0.0.1:8443"
                )
            entries[name] = address
        return HostTable(entries)


def _dns(settings: Settings) -> DnsRules:
    with settings.blamed("dns"):
        return read_dns(settings.text("dns"))


def _local_addresses(settings: Settings) -> LocalAddresses:
    with settings.blamed("local_ips"):
        return LocalAddresses(settings.text("local_ips"))


def _tracer(settings: Settings) -> Tracer | None:
    with settings.blamed("trace"):
        return read_trace_rate(settings.text("trace"))


def _http_debug(settings: Settings) -> Literal["", "failed", "all"]:
    # The text is one of the setting's choices; this tells the type checker.
    match settings.text("http_debug"):
        case "failed":
            return "failed"
        case "all":
            return "all"
    return ""
