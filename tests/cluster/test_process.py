from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.cluster import GDAL_DEFAULTS, S3Access, request_headers, worker_environment
from cbmcube.cluster._process import Settings, put_on, take_off
from cbmcube.exceptions import OptionError

HALF = "canary"
NAMES = ["CBMCUBE_TEST_A", "CBMCUBE_TEST_B", "CBMCUBE_TEST_C"]


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in [*NAMES, *GDAL_DEFAULTS]:
        monkeypatch.delenv(name, raising=False)


def test_everything_is_as_before_afterwards(monkeypatch):
    monkeypatch.setenv(NAMES[0], "before")
    before = dict(os.environ)
    with worker_environment(env={NAMES[0]: "inside", NAMES[1]: "new"}):
        assert os.environ[NAMES[0]] == "inside"
        assert os.environ[NAMES[1]] == "new"
    assert dict(os.environ) == before


def test_an_error_inside_restores_too():
    before = dict(os.environ)
    with pytest.raises(KeyError), worker_environment(env={NAMES[1]: "new"}):
        raise KeyError
    assert dict(os.environ) == before


@pytest.mark.trap("T33")
def test_defaults_stay_when_an_option_is_added_and_yield_to_the_process(monkeypatch):
    monkeypatch.setenv("GDAL_HTTP_TIMEOUT", "77")
    with worker_environment(env={"GDAL_HTTP_MAX_RETRY": "3"}):
        expected = {**GDAL_DEFAULTS, "GDAL_HTTP_TIMEOUT": "77", "GDAL_HTTP_MAX_RETRY": "3"}
        assert {name: os.environ[name] for name in GDAL_DEFAULTS} == expected
        with worker_environment(env={"GDAL_HTTP_TIMEOUT": "5"}):
            assert os.environ["GDAL_HTTP_TIMEOUT"] == "5"
            assert os.environ["GDAL_HTTP_MAX_RETRY"] == "3"
        assert os.environ["GDAL_HTTP_TIMEOUT"] == "77"


LAYER = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "2", "3"]))


@given(
    st.lists(LAYER, max_size=5), st.dictionaries(st.sampled_from(NAMES), st.just("0")), st.data()
)
def test_layers_come_off_in_any_order(layers, start, data):
    """At every moment the variables are those of a plain merge of what is on."""
    order = data.draw(st.permutations(range(len(layers))))
    with pytest.MonkeyPatch.context() as patch:
        for name, text in start.items():
            patch.setenv(name, text)
        on = {}
        for number, env in enumerate(layers):
            put_on(str(number), Settings(env=env))
            on[number] = env
        for number in order:
            expected = dict(start)
            for key in sorted(on):
                expected |= on[key]
            assert {name: os.environ.get(name) for name in NAMES} == {
                name: expected.get(name) for name in NAMES
            }
            take_off(str(number))
            del on[number]
        assert {name: os.environ[name] for name in NAMES if name in os.environ} == start


def test_workers_that_share_a_process_share_a_layer():
    settings = Settings(env={NAMES[0]: "x"})
    put_on("shared", settings)
    put_on("shared", settings)
    take_off("shared")
    assert os.environ[NAMES[0]] == "x"
    take_off("shared")
    assert NAMES[0] not in os.environ
    take_off("shared")  # once too often is no fault


def test_keys_do_not_enter_the_environment():
    before = dict(os.environ)
    with worker_environment(
        s3=S3Access(key="K-canary", secret=HALF), bearer={"data.example.org": "B-canary"}
    ):
        new = {name: text for name, text in os.environ.items() if before.get(name) != text}
        assert new == dict(GDAL_DEFAULTS)


def test_headers_are_for_one_host():
    with worker_environment(bearer={"data.example.org": "one", "http://127.0.0.1:80": "two"}):
        with worker_environment(bearer={"data.example.org": "three"}):
            found = request_headers("https://data.example.org/a.tif")
            assert found == {"Authorization": "Bearer three"}
        assert request_headers("https://data.example.org/a") == {"Authorization": "Bearer one"}
        assert request_headers("http://127.0.0.1:80/a") == {"Authorization": "Bearer two"}
        for other in ("http://data.example.org/a", "https://data.example.org.evil.net/a", "/a"):
            assert request_headers(other) == {}


def test_values_must_be_text_and_none_is_told():
    with pytest.raises(OptionError, match="TOKEN") as caught:
        worker_environment(env={"TOKEN": 123456}).__enter__()
    assert "123456" not in str(caught.value)


def test_the_repr_has_names_only():
    settings = Settings.of(
        defaults={},
        env={"A": "canary"},
        s3=S3Access(key="canary", secret=HALF, bucket="b"),
        bearer={"data.example.org": "canary"},
        signer=str,
    )
    assert repr(settings) == (
        "Settings(env=['A'], "
        "places=['/vsicurl/https://data.example.org/', '/vsis3/b/'], signer=yes)"
    )
