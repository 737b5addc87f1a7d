"""A season in units gives the numbers of one call, whatever is done to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from distributed import WorkerPlugin

import cbmcube as cbm
from benchmarks.season.synthetic import synthetic_rows
from cbmcube.exceptions import (
    MemoryLimitError,
    NoOverlapError,
    OptionError,
    StoreExistsError,
)
from cbmcube.observations.season import (
    Plan,
    Prices,
    Progress,
    _groups,
    _make,
    _work,
    open_plan,
    status,
)
from cbmcube.observations.season._blobs import windows_from_json
from cbmcube.observations.season._groups import block_side, pixel_bytes
from cbmcube.observations.season._run import _part
from tests.observations.season.conftest import PERIOD


def stored_rows(season: Plan) -> pd.DataFrame:
    """Return all rows of the latest snapshot, by acquisition, parcel and band."""
    parts = season.store.snapshot().parts["part"].to_pylist()
    frames = [
        season.store.read_part(name).to_pandas(types_mapper=pd.ArrowDtype) for name in parts if name
    ]
    return pd.concat(frames).set_index(["acquisition", "parcel", "band"]).sort_index()


BANDS = {"CARD-BS": None, "CARD-2A": ["B04", "B11", "SCL"], "CARD-COH6": ["VV"]}


@pytest.mark.parametrize("product", [cbm.CARD_BS, cbm.CARD_2A, cbm.CARD_COH6], ids=str)
def test_rows_are_those_of_reduce_parcels_bit_for_bit(make_plan, country, fields, product):
    bands = BANDS[product.name]
    season = make_plan(product=product, bands=bands)
    assert season.run(progress=False).ok

    catalogue = cbm.open_catalog(country.catalogue)
    items = cbm.search(catalogue, product, aoi=fields, period=PERIOD)
    cubes = cbm.mask(cbm.load_native(items, product, bands=bands), product)
    whole = cbm.to_observations(cbm.reduce_parcels(cubes, fields))
    whole = whole.set_index(["acquisition", "parcel", "band"]).sort_index()

    stored = stored_rows(season)
    assert len(stored) == season.records
    pd.testing.assert_frame_equal(stored, whole.loc[stored.index], check_exact=True)
    # A row is left out only where the acquisition does not meet the parcel's group.
    assert set(whole.drop(stored.index)["state"]) <= {"NO_DATA"}


@pytest.mark.slow
def test_size_of_units_and_who_computes_them_change_nothing(make_plan):
    small = make_plan("small", records_per_unit=8, bands=["VV"])
    large = make_plan("large", records_per_unit=100_000, bands=["VV"])
    assert len(small.units) > 2 * len(large.units)
    small.run(progress=False)
    with cbm.local_cluster(workers=2, dashboard=False) as client:
        assert large.run(client, progress=False).ok
    pd.testing.assert_frame_equal(stored_rows(small), stored_rows(large), check_exact=True)

    one, other = make_plan("one", bands=["VV"]), make_plan("other", bands=["VV"])
    for number in (3, 1, 2):
        one.run(progress=False, part=(number, 3))
    other.run(progress=False)
    assert one.store.snapshot().root == other.store.snapshot().root


@pytest.mark.slow
def test_rows_that_the_bench_makes_up_are_stored_like_real_ones(make_plan, monkeypatch):
    real, made_up = make_plan("real"), make_plan("made up")
    assert real.run(progress=False).ok
    monkeypatch.setattr(_work, "compute_unit", synthetic_rows)
    assert made_up.run(progress=False).ok
    ours, theirs = stored_rows(made_up), stored_rows(real)
    assert ours.index.equals(theirs.index)
    assert ours.dtypes.to_dict() == theirs.dtypes.to_dict()


def test_few_parcels_are_read_in_small_blocks_with_the_same_numbers(make_plan, monkeypatch):
    season = make_plan(bands=["VV"], records_per_unit=1_000)
    unit = season.tasks(season.left())[0]
    whole = _work.compute_unit(season.store, season.recipe, unit)
    windows, parcels = _work._group(season.store, unit.group)
    assert block_side(windows, len(parcels)) == max(next(iter(windows.values())).shape)
    monkeypatch.setattr(_groups, "SMALL_BLOCK", 16)
    assert block_side(windows, len(parcels)) == 16
    assert _work.compute_unit(season.store, season.recipe, unit).equals(whole)


def test_windows_take_less_than_they_may(make_plan, monkeypatch):
    budget = 150_000
    monkeypatch.setattr(_make, "WINDOW_BYTES", budget)
    season = make_plan(records_per_unit=1_000_000)
    sizes = [
        max(box.shape[0] * box.shape[1] for box in windows_from_json(group).values())
        for group in season.facts["groups"]
    ]
    assert len(sizes) > 2
    # Windows are a pixel wider than parcels on each side.
    assert max(sizes) * pixel_bytes(season.recipe) < 1.2 * budget


def test_parts_of_a_run_are_disjoint_and_whole(make_plan):
    units = make_plan(records_per_unit=6).units
    for parts in (1, 2, 7, len(units)):
        keys = [key for n in range(parts) for key in _part(units, units, (n + 1, parts))["key"]]
        assert sorted(keys) == sorted(units["key"])


def test_planning_reads_no_image(make_plan, own_country):
    for image in own_country.rglob("*.tif"):
        image.write_bytes(b"not an image")
    season = make_plan(source=cbm.open_catalog(own_country / "season.json"))
    assert len(season.units)
    assert "records" in repr(season)
    assert "<table>" in season._repr_html_()


RUN = """
import sys
from cbmcube.observations.season import open_plan
open_plan(sys.argv[1]).run(progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["part.temp", "commit.begin", "commit.linked"])
def test_a_run_that_is_killed_is_finished_by_the_next_one(make_plan, place):
    undisturbed = make_plan("undisturbed")
    undisturbed.run(progress=False)
    season = make_plan("killed")
    for nth in (2, 3):  # each run gets a little further
        killed = subprocess.run(
            [sys.executable, "-c", RUN, season.store.url],
            env=os.environ | {"CBMCUBE_FAILPOINT": f"{place}:kill:{nth}"},
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
    left = len(season.left())
    assert 0 < left < len(season.units)

    report = open_plan(season.store.url).run(progress=False)
    assert report.ok
    assert report.done == left
    assert season.store.snapshot().root == undisturbed.store.snapshot().root


def test_two_runs_at_once_make_one_store(make_plan):
    undisturbed = make_plan("undisturbed")
    undisturbed.run(progress=False)
    season = make_plan()
    reports = []
    threads = [
        threading.Thread(target=lambda: reports.append(season.run(progress=False)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(report.ok for report in reports)
    assert season.store.snapshot().root == undisturbed.store.snapshot().root


def test_a_run_stops_when_asked_and_goes_on_later(make_plan):
    season = make_plan()
    seen: list[Progress] = []
    report = season.run(progress=seen.append, stop=lambda: len(season.store.committed()) >= 3)
    assert report.stopped
    assert not report.ok
    assert report.left == len(season.left()) > 0
    assert status(season.store).done == len(season.units) - report.left
    assert [state.done for state in seen] == sorted(state.done for state in seen)
    assert [state.over for state in seen] == [False] * (len(seen) - 1) + [True]
    assert json.dumps([state.to_dict() for state in seen])
    report = season.run(progress=False)
    assert report.ok
    assert report.left == 0
    assert season.run(progress=False).done == 0


def test_a_damaged_image_is_a_status_and_heals_on_request(make_plan, own_country):
    catalogue = own_country / "season.json"
    season = make_plan(source=cbm.open_catalog(catalogue))
    item = season.items()[0]
    image = Path(item.assets["VV"].href)
    sound = image.read_bytes()
    image.write_bytes(sound[: len(sound) // 3])

    report = season.run(progress=False)
    assert report.ok
    assert set(report.problems["status"]) == {"corrupt"}
    assert report.problems["reason"].str.contains(item.id).all()
    corrupt = len(report.problems)
    rows = stored_rows(season)
    failed = rows[rows["state"] == "READ_FAILED"]
    assert len(failed)
    assert set(failed.index.get_level_values("band")) == {"VV"}
    assert failed["items"].str.contains(item.id).all()

    image.write_bytes(sound)
    assert season.run(progress=False).done == 0  # what is committed stays
    healed = season.update(season.items(), again=["corrupt"])
    report = healed.run(progress=False)
    assert report.done == corrupt
    assert (stored_rows(healed)["state"] != "READ_FAILED").all()
    undisturbed = make_plan("undisturbed", source=cbm.open_catalog(catalogue))
    undisturbed.run(progress=False)
    pd.testing.assert_frame_equal(stored_rows(healed), stored_rows(undisturbed), check_exact=True)


def test_new_acquisitions_append_and_changed_items_replace(make_plan, scenes):
    days = sorted({item.datetime.date() for item in scenes})
    early = [item for item in scenes if item.datetime.date() < days[-1]]
    whole = make_plan("whole", source=scenes)
    whole.run(progress=False)

    season = make_plan(source=early)
    season.run(progress=False)
    first = season.store.snapshot()
    later = season.update(scenes)
    assert set(season.units["key"]) < set(later.units["key"])
    assert later.run(progress=False).done == len(later.units) - len(season.units)
    assert later.store.snapshot().root == whole.store.snapshot().root
    assert open_plan(season.store.url).name == later.name
    assert season.store.snapshot(first.number).root == first.root

    changed = [item.clone() for item in scenes]
    changed[0].properties["updated"] = "2030-01-01T00:00:00Z"
    newest = later.update(changed)
    new = set(newest.units["key"]) - set(later.units["key"])
    assert 0 < len(new) < len(later.units)
    assert len(newest.units) == len(later.units)
    newest.run(progress=False)
    pd.testing.assert_frame_equal(stored_rows(newest), stored_rows(whole), check_exact=True)
    assert newest.store.snapshot().root != whole.store.snapshot().root


def test_a_store_keeps_no_signature(make_plan, scenes):
    remote = [item.clone() for item in scenes]
    for item in remote:
        for asset in item.assets.values():
            asset.href = f"https://example.org/{item.id}.tif?sig=CANARY&X-Amz-Signature=CANARY"
    season = make_plan(source=remote)
    home = Path(season.store.url)
    assert not [p for p in home.rglob("*") if p.is_file() and b"CANARY" in p.read_bytes()]
    signed = make_plan("other", source=scenes)
    assert set(signed.units["key"]) == set(season.units["key"])  # addresses name no unit


def test_estimates_say_what_a_run_takes(make_plan):
    season = make_plan()
    told = season.expect(probe=1, prices=Prices(core_hour=36_000.0))
    assert told.units == len(season.units)
    assert told.records == season.records
    assert told.seconds is not None
    assert told.cost == pytest.approx(told.seconds * 10.0)
    assert "for each thread" in repr(told)
    assert not season.store.committed()
    assert season.expect(probe=0).seconds is None


def test_a_plan_too_large_for_the_workers_is_refused_with_what_fits(make_plan):
    season = make_plan()
    with (
        cbm.local_cluster(workers=1, memory_limit="440MiB", dashboard=False) as client,
        pytest.raises(MemoryLimitError, match="records_per_unit"),
    ):
        season.run(client, progress=False)
    assert not season.store.committed()


def test_another_recipe_needs_another_store(make_plan):
    make_plan()
    with pytest.raises(StoreExistsError):
        make_plan(statistics=["count", "mean"])
    with pytest.raises(StoreExistsError):
        make_plan(pixels="centre")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"records_per_unit": 1}, "records_per_unit"),
        ({"statistics": [max]}, "names"),
        ({"product": cbm.CARD_2A, "bands": ["SCL"]}, "class bands alone"),
    ],
)
def test_nonsense_is_refused_before_a_store_is_made(make_plan, tmp_path, changes, message):
    with pytest.raises(OptionError, match=message):
        make_plan(**changes)
    assert not (tmp_path / "store").exists()


def test_parcels_elsewhere_are_refused(make_plan, fields, scenes):
    elsewhere = fields.set_geometry(fields.geometry.translate(2_000_000.0))
    with pytest.raises(NoOverlapError):
        make_plan(parcels=elsewhere, source=scenes)


def test_parcels_without_rows_are_counted(make_plan, fields, scenes):
    far = fields.iloc[:1].set_geometry(fields.geometry.iloc[:1].translate(2_000_000.0))
    far.index = ["far"]
    both = gpd.GeoDataFrame(pd.concat([fields, far]), crs=fields.crs)
    season = make_plan(parcels=both, source=scenes)
    empty = int((fields.geometry.is_empty | fields.geometry.isna()).sum())
    assert season.outside == 1 + empty
    assert season.parcels().index.tolist() == both.index.tolist()


def test_bad_arguments_of_a_run(make_plan):
    season = make_plan()
    with pytest.raises(OptionError, match="parts"):
        season.run(part=(0, 2), progress=False)
    with pytest.raises(OptionError, match="tried"):
        season.run(tries=0, progress=False)
    with pytest.raises(OptionError, match="with a catalogue only"):
        season.update(season.items(), period="2018")


@pytest.mark.slow
def test_a_poisonous_unit_never_stops_a_run(make_plan, monkeypatch):
    season = make_plan()
    poison = season.tasks(season.units)[2].key
    real = _work.compute_unit

    def compute(store, recipe, unit, **options):
        if unit.key == poison:
            raise ZeroDivisionError("poison")
        return real(store, recipe, unit, **options)

    monkeypatch.setattr(_work, "compute_unit", compute)
    report = season.run(progress=False)
    assert not report.ok
    assert report.problems[["key", "status"]].values.tolist() == [[poison, "failed"]]
    assert report.left == 1
    assert status(season.store).failed == 1
    assert "poison" in repr(status(season.store))
    monkeypatch.undo()
    assert season.run(progress=False).ok


@pytest.mark.slow
def test_a_unit_that_ends_its_workers_never_stops_a_run(make_plan):
    season = make_plan()
    units = season.tasks(season.units)
    with cbm.local_cluster(workers=2, dashboard=False) as client:
        client.register_plugin(Poison(units[1].key))
        report = season.run(client, progress=False)
    assert report.problems["key"].tolist() == [units[1].key]
    assert "ended its worker" in report.problems["reason"].iloc[0]
    assert report.left == 1


class Poison(WorkerPlugin):
    """Lets a unit end every worker that begins it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def setup(self, worker: object) -> None:  # noqa: ARG002  # what distributed calls
        real, poison = _work.compute_unit, self.key

        def compute(store, recipe, unit, **options):
            if unit.key == poison:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(store, recipe, unit, **options)

        _work.compute_unit = compute
