"""Checksums are read as the multiformats table spells them; anything else is no checksum."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.cube.reading._multihash import Digest, parse_checksum

DATA = b"some pixels"

# https://github.com/multiformats/multicodec/blob/master/table.csv; lengths in bytes follow.
PREFIXES = {
    "1114": hashlib.sha1,
    "1220": hashlib.sha256,
    "1340": hashlib.sha512,
    "1440": hashlib.sha3_512,
    "1530": hashlib.sha3_384,
    "1620": hashlib.sha3_256,
    "171c": hashlib.sha3_224,
    "2030": hashlib.sha384,
    "d50110": hashlib.md5,
    "a0e40220": lambda data: hashlib.blake2b(data, digest_size=32),
    "c0e40240": lambda data: hashlib.blake2b(data, digest_size=64),
    "e0e40220": lambda data: hashlib.blake2s(data, digest_size=32),
    "d0e40210": lambda data: hashlib.blake2s(data, digest_size=16),
}


@pytest.mark.parametrize(("prefix", "make"), PREFIXES.items(), ids=PREFIXES)
def test_multihashes(prefix, make):
    expected = make(DATA).digest()
    found = parse_checksum(prefix + expected.hex().upper())
    assert found.value == expected
    digest = found.new()
    digest.update(DATA)
    assert digest.digest() == expected


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256", "sha512"])
def test_bare_digests(name):
    text = hashlib.new(name, DATA).hexdigest()
    assert parse_checksum(text) == Digest(name, bytes.fromhex(text))


def test_the_example_of_the_file_extension():
    """https://github.com/stac-extensions/file: 0x90e402 is blake2b of 16 bytes."""
    text = "90e40210163700a8a6501eccd00b6d3b44ddaed0"
    assert parse_checksum(text).name == "blake2b"
    assert len(parse_checksum(text).value) == 16


@pytest.mark.parametrize(
    "text",
    [
        "",
        "an etag",
        '"d41d8cd98f00b204e9800998ecf8427e-3"',
        "122",
        "1220" + 31 * "ab",
        "1220" + 33 * "ab",
        "1110" + 16 * "ab",
        "00" + "04" + 4 * "ab",
        "ff" * 20 + "ff",
        "1200",
        "80" * 12,
        "e1e40221" + 33 * "ab",
    ],
)
def test_other_forms(text):
    assert parse_checksum(text) is None


@given(st.text() | st.binary().map(bytes.hex))
def test_nothing_breaks_it(text):
    found = parse_checksum(text)
    assert found is None or found.new().digest_size == len(found.value)
