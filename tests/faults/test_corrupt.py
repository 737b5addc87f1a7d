"""The damaged files are what their names say, and what the library says of them is known."""

from __future__ import annotations

from collections import Counter

import pytest
import rasterio

from benchmarks.faults.corrupt import CODECS, Case, cases, good_values, make, write_good
from benchmarks.faults.survey import SAID, SAME, SILENT, look

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

QUIET = {
    "one bit flipped in plain tiles",
    "two tiles exchanged",
    "a tile without a place",
    "fewer bits",
    "another codec",
    "another predictor",
    "another no-data number",
    "the scene processed anew",
}
"""What no reader can notice but by a checksum."""


def one_of_each():
    found = {}
    for case in cases():
        found.setdefault((case.kind, case.codec), case)
    return [case for (_, codec), case in found.items() if codec in ("deflate", "none")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    for codec in CODECS:
        write_good(folder / f"good-{codec}.tif", codec)
    return folder


def test_there_are_200_and_each_has_a_name():
    found = cases()
    assert len(found) == 200
    assert len({case.name for case in found}) == 200
    assert min(Counter(case.codec for case in found).values()) >= 20


def test_they_are_the_same_each_time_and_others_with_another_seed(folder):
    differing = 0
    for case in cases():
        first = make(folder, case).read_bytes()
        assert make(folder, case).read_bytes() == first
        differing += make(folder, case, seed=1).read_bytes() != first
        assert first != (folder / f"good-{case.codec}.tif").read_bytes()
    assert differing > 80


@pytest.mark.parametrize("codec", CODECS)
def test_the_good_files_are_good(folder, codec):
    with rasterio.open(folder / f"good-{codec}.tif") as file:
        assert (file.read(1) == good_values()).all()
        assert file.block_shapes == [(128, 128)]


@pytest.mark.parametrize("case", one_of_each(), ids=lambda case: f"{case.kind}, {case.codec}")
def test_nothing_is_silent_where_a_checksum_is_compared(folder, case: Case):
    verified = look(case, folder, "checksum")
    assert verified.outcome == SAID
    assert "of the file is not what its item says" in verified.message or (
        "cannot be opened" in verified.message
    )
    today = look(case, folder, "none")
    assert today.recorded
    if case.kind in QUIET:
        assert today.outcome == SILENT
    elif case.codec == "deflate" and "packed" in case.kind:
        assert today.outcome == SAID
    elif today.outcome == SAME:
        assert case.kind in (
            "one bit flipped in the directory",
            "no known photometry",
            "bytes after the end",
            "a tile of another length",
        )
