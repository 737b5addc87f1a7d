"""A country is made whole, the same each time, and found again."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from cbmcube.demo import Country, make_country, open_country
from cbmcube.exceptions import OptionError


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_size_and_seed_give_the_same_bytes(country, tmp_path):
    again = make_country(tmp_path / "again", size="tiny")
    assert digests(again.folder) == digests(country.folder)


def test_another_seed_gives_another_country_and_replaces_the_old_files(country, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "truth.json").write_text(
        json.dumps({"complete": False, "recipe": {"size": "tiny", "seed": 0, "version": 1}})
    )
    (folder / "CARD-2A" / "left over").mkdir(parents=True)
    assert open_country(folder) is None  # not complete
    seen = []
    other = make_country(
        folder, size="tiny", seed=7, progress=lambda done, total, _: seen.append((done, total))
    )
    assert other.seed == 7
    assert not (folder / "CARD-2A" / "left over").exists()
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}
    ours, theirs = digests(country.folder), digests(folder)
    assert ours["parcels.gpkg"] != theirs["parcels.gpkg"]
    assert ours["season.json"] != theirs["season.json"]


def test_open_country_finds_what_was_made(country):
    found = open_country(country.folder)
    assert found == country
    assert open_country(country.folder, size="tiny", seed=0) == country


@pytest.mark.parametrize("wanted", [{"size": "medium"}, {"seed": 1}])
def test_open_country_refuses_another_recipe(country, wanted):
    assert open_country(country.folder, **wanted) is None


def test_open_country_refuses_another_version(country, tmp_path):
    record = json.loads((country.folder / "truth.json").read_text())
    record["recipe"]["version"] += 1
    (tmp_path / "truth.json").write_text(json.dumps(record))
    assert open_country(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"recipe": 1}', '{"complete": true, "recipe": {"size": "tiny"}}']
)
def test_open_country_refuses_a_damaged_record(tmp_path, text):
    (tmp_path / "truth.json").write_text(text)
    assert open_country(tmp_path) is None


def test_open_country_of_nothing(tmp_path):
    assert open_country(tmp_path / "nothing") is None


def test_files_of_another_kind_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(OptionError, match=r"thesis\.txt"):
        make_country(tmp_path, size="tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="folder"):
        make_country(tmp_path / "file", size="tiny")


@pytest.mark.parametrize(("size", "seed"), [("huge", 0), ("tiny", -1)])
def test_options_are_checked_before_anything_is_written(tmp_path, size, seed):
    with pytest.raises(OptionError):
        make_country(tmp_path / "new", size=size, seed=seed)
    assert not (tmp_path / "new").exists()


def test_a_tiny_country_is_small(country):
    size = sum(path.stat().st_size for path in country.folder.rglob("*") if path.is_file())
    assert country.n_bytes == size < 15e6
    assert 50 <= country.n_parcels <= 80


def test_repr_says_what_and_where(country):
    text = repr(country)
    assert text.startswith("<Country 'tiny', seed 0: ")
    assert f"{country.n_parcels} parcels, {country.n_items} items" in text
    assert str(country.folder) in text


def test_events_name_parcels_of_the_season(country: Country):
    events = pd.read_csv(country.events, parse_dates=["date"])
    assert list(events.columns) == ["field_id", "event", "date"]
    start, end = (date.fromisoformat(day) for day in country.period.split("/"))
    assert events["date"].dt.date.between(start, end).all()
    assert set(events["event"]) == {"mowing", "ploughing", "sowing"}  # harvest comes later
    assert events.groupby("field_id")["date"].is_monotonic_increasing.all()
