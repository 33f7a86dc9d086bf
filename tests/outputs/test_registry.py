"""Outputs are found by name."""

import pytest

from pytest_k6api.outputs import OutputError, find_factory, registry


@pytest.mark.parametrize("name", ["json", "csv", "influxdb", "statsd"])
def test_outputs_of_this_package_need_nothing_else(name):
    assert callable(find_factory(name))


def test_a_name_that_is_nearly_one_is_told_with_that_one():
    with pytest.raises(OutputError) as caught:
        find_factory("jsno")

    assert str(caught.value) == "there is no output 'jsno'; did you mean json?"


def test_a_name_that_is_none_is_told_with_all_there_are():
    with pytest.raises(OutputError) as caught:
        find_factory("kafka")

    assert str(caught.value) == (
        "there is no output 'kafka'; there are csv, experimental-opentelemetry,"
        " experimental-prometheus-rw, influxdb, json, opentelemetry, prometheus-rw, statsd"
    )


def test_an_output_that_only_k6_has_is_told_with_the_reason():
    with pytest.raises(OutputError) as caught:
        find_factory("cloud")

    assert str(caught.value).startswith(
        "there is no output 'cloud'; k6's own service takes results of k6 alone; there are csv,"
    )


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("prometheus-rw", "prometheus"),
        ("experimental-prometheus-rw", "prometheus"),
        ("opentelemetry", "otel"),
    ],
)
def test_a_missing_extra_is_told_with_the_command_that_installs_it(monkeypatch, name, extra):
    def find_nothing(module):
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(registry, "find_spec", find_nothing)

    with pytest.raises(OutputError) as caught:
        find_factory(name)

    assert str(caught.value).startswith(f"{name}: needs ")
    assert str(caught.value).endswith(
        f"; install what is missing with pip install 'pytest-k6api[{extra}]'"
    )
