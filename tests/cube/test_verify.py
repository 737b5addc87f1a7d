"""Files that are not what their items promise are found before a pixel of them is used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import rasterio

import cbmcube as cbm
from cbmcube.exceptions import OptionError, ReadError


@pytest.fixture
def scene(country, tmp_path):
    """An item of coherence whose file is not packed, with size and checksum of that file."""
    catalogue = cbm.open_catalog(country.catalogue)
    item = cbm.search(catalogue, cbm.CARD_COH6, period="2024-03")[0].clone()
    path = tmp_path / "plain.tif"
    with rasterio.open(item.assets["VV"].href) as source:
        profile = source.profile | {"driver": "GTiff", "compress": None, "tiled": False}
        for name in ("interleave", "blockxsize", "blockysize"):
            profile.pop(name, None)
        with rasterio.open(path, "w", **profile) as target:
            target.write(source.read())
    item.assets["VV"].href = str(path)
    data = path.read_bytes()
    fields = {"file:size": len(data), "file:checksum": "1220" + hashlib.sha256(data).hexdigest()}
    item.assets["VV"].extra_fields |= fields
    return item, path


def read(item, verify):
    return cbm.load([item], cbm.CARD_COH6, bands="VV", verify=verify).compute()


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0b0000_0100
    path.write_bytes(data)


@pytest.mark.parametrize("verify", ["none", "size", "checksum"])
def test_a_sound_file_gives_the_same_numbers(scene, verify):
    item, _ = scene
    assert read(item, verify).equals(read(item, "none"))


def test_a_flipped_bit_is_found_by_its_checksum_and_by_nothing_else(scene):
    item, path = scene
    sound = read(item, "none")
    flip_a_bit(path)
    assert not read(item, "size").equals(sound)
    with pytest.raises(ReadError, match="checksum"):
        read(item, "checksum")


def test_another_size_is_found(scene):
    item, path = scene
    with Path(path).open("ab") as file:
        file.write(b"more")
    read(item, "none")
    with pytest.raises(ReadError, match="size"):
        read(item, "size")


def test_a_season_says_which_files_are_not_what_was_promised(scene, country, tmp_path):
    item, path = scene
    parcels = cbm.read_parcels(country.parcels, id="field_id").head(8)
    flip_a_bit(path)
    season = cbm.plan(
        [item], cbm.CARD_COH6, parcels[parcels.geometry.is_valid], bands="VV",
        store=tmp_path / "store", verify="checksum",
    )  # fmt: skip
    report = season.run(progress=False)
    assert set(report.problems["status"]) == {"corrupt"}
    assert "checksum" in report.problems["reason"].iloc[0]


def test_other_ways_to_verify_are_refused(scene):
    with pytest.raises(OptionError, match="verify"):
        read(scene[0], "twice")
