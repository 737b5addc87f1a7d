"""Secrets are recognised, and what is no secret is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.scripting import redact, secret_values
from cbmcube.scripting._secrets import is_secret_name, looks_secret


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
        "Bearer abcdefghijkl",
        "basic dXNlcjpwYXNz",
        "ghp_0123456789abcdefghij",
        "-----BEGIN PRIVATE KEY-----",
        "https://me:pw@host/a",
        "tls://me:pw@host:8786",
        "https://host/a?X-Amz-Credential=abc",
        "https://host/a?b=1&api_key=abc",
        "postgresql://me@host/db?password=abc",
    ],
)
def test_what_looks_like_a_secret(text):
    assert looks_secret(text)
    assert looks_secret(f"a comment with {text} in it")


@pytest.mark.parametrize(
    "text",
    [
        "https://stac.eodc.eu/api/v1",
        "postgresql://reader@db.example.org:5432/lpis",
        "s3://bucket/season-2024",
        "sat:relative_orbit = 22 AND eo:cloud_cover < 60",
        "registry.example.org/cbmcube:1@sha256:0123456789abcdef",
        "https://host/search?collection=a&limit=5",
        "CDSE_TOKEN",
        "bearer tokens are named, never written",
        "tcp://scheduler:8786",
        "a/path/with key/and token/in it.gpkg",
    ],
)
def test_what_does_not(text):
    assert not looks_secret(text)


def test_names_of_secrets():
    hidden = ("AWS_SECRET_ACCESS_KEY", "token", "X-Api-Key", "Authorization", "db.password", "sig")
    plain = ("worker_cores", "image", "keyboard", "monkey", "tokens_per_day_x", "design")
    assert all(map(is_secret_name, hidden))
    assert not any(map(is_secret_name, plain))


def test_addresses_lose_user_and_query():
    text = "reading https://me:pw@h.org:8/a.tif?sig=1&x=2#f and s3://b/p?k=v failed"
    assert redact(text) == "reading https://h.org:8/a.tif and s3://b/p failed"


def test_values_of_variables_are_hidden_the_longest_first(monkeypatch):
    monkeypatch.setenv("MINE", "swordfish")
    monkeypatch.setenv("MY_TOKEN", "swordfish-and-more")
    monkeypatch.setenv("NO", "ok")
    values = secret_values(["MINE", "NO", "ABSENT"])
    assert {"swordfish", "swordfish-and-more"} <= set(values)
    assert "ok" not in values
    assert redact("swordfish-and-more, swordfish, ok", values) == "***, ***, ok"


@given(st.text(), st.lists(st.text(min_size=4), max_size=3))
def test_nothing_hidden_is_left(text, secrets):
    """Only a secret that the mark itself holds could remain."""
    found = redact(text, secrets)
    assert not any(one in found for one in secrets if not set(one) & {"*"})
    assert not looks_secret(found) or "?" in found or "&" in found or ";" in found
