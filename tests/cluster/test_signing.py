from __future__ import annotations

import logging

import pytest

from cbmcube.cluster import signed, worker_environment
from cbmcube.exceptions import AccessError, OptionError

CANARY = "c4n4ry-5161"


def add_signature(href):
    return f"{href}?sig={CANARY}"


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://h/a.tif", f"https://h/a.tif?sig={CANARY}"),
        ("HTTP://h/a.tif", f"HTTP://h/a.tif?sig={CANARY}"),
        ("s3://b/a.tif", f"s3://b/a.tif?sig={CANARY}"),
        ("/vsis3/b/a.tif", f"/vsis3/b/a.tif?sig={CANARY}"),
        ("/data/a.tif", "/data/a.tif"),
        ("/vsizip/{/data/a.zip}/in/a.tif", "/vsizip/{/data/a.zip}/in/a.tif"),
        (
            "/vsizip/{/vsicurl/https://h/a.zip}/in/a.tif",
            f"/vsizip/{{/vsicurl/https://h/a.zip?sig={CANARY}}}/in/a.tif",
        ),
        (
            "/vsizip/{/vsis3/b/a.zip}/a.tif",
            f"/vsizip/{{/vsis3/b/a.zip?sig={CANARY}}}/a.tif",
        ),
    ],
)
def test_remote_addresses_are_signed_also_within_archives(href, expected):
    assert signed(href) == href
    with worker_environment(signer=add_signature):
        assert signed(href) == expected
    assert signed(href) == href


def test_the_last_signer_signs_and_the_one_below_returns():
    with worker_environment(signer=lambda _: "https://outer"):
        inner = worker_environment(signer=lambda _: "https://inner")
        without = worker_environment(env={"A": "b"})
        with inner, without:
            assert signed("https://h/a") == "https://inner"
        assert signed("https://h/a") == "https://outer"


def fail(href):
    raise KeyError(f"{href} {CANARY}")


@pytest.mark.parametrize(
    ("signer", "why"), [(fail, "raised KeyError"), (lambda _: 5, "int"), (lambda _: "", "str")]
)
def test_a_signer_that_fails_is_told_of_without_what_it_said(signer, why, caplog):
    caplog.set_level(logging.DEBUG)
    with worker_environment(signer=signer), pytest.raises(AccessError, match=why) as caught:
        signed(f"https://h/a.tif?old={CANARY}")
    assert "https://h/a.tif" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None
    assert CANARY not in caplog.text


def test_a_signer_is_a_function():
    with pytest.raises(OptionError, match="signer must be a function"):
        worker_environment(signer="https://sign.example.org").__enter__()
