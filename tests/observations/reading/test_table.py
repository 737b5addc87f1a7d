"""Whatever is selected is what pandas selects from the whole table, compacted or not."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube._states import STATES
from cbmcube.exceptions import (
    OptionError,
    StoreCorruptError,
    StoreNotFoundError,
    UnknownBandError,
    UnknownParcelError,
)
from cbmcube.observations.reading import _assemble, _parts, open_observations
from cbmcube.observations.store import compact
from cbmcube.testing import vector_cube
from cbmcube.warnings import UnfinishedSeasonWarning
from tests.observations.reading.conftest import GROUPS, unfinished
from tests.observations.reading.stores import expected_table, make_store, publish

BANDS = ("B04", "B08", "NDVI")
COLUMNS = ("parcel", "time", "acquisition", "items", "band", "state", "count", "mean", "n_total",
           "platform", "relative_orbit", "SCL_4", "observed")  # fmt: skip


def days(first, last):
    return f"2024-03-{first:02d}/2024-04-{last:02d}"


@st.composite
def requests(draw):
    some = {}
    if draw(st.booleans()):
        some["parcels"] = draw(st.lists(st.sampled_from([f"P{n}" for n in range(8)]), min_size=1))
    if draw(st.booleans()):
        some["period"] = days(draw(st.integers(1, 31)), draw(st.integers(1, 9)))
    if draw(st.booleans()):
        some["acquisitions"] = draw(st.sets(st.integers(0, 15), min_size=1, max_size=5))
    if draw(st.booleans()):
        some["bands"] = draw(st.lists(st.sampled_from(BANDS), min_size=1, unique=True))
    if draw(st.booleans()):
        some["states"] = draw(st.lists(st.sampled_from(STATES), min_size=1, unique=True))
    if draw(st.booleans()):
        some["columns"] = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True))
    return some


def by_pandas(table, asked):
    kept = np.ones(len(table), dtype=bool)
    for argument, column in (("parcels", "parcel"), ("acquisitions", "acquisition"),
                             ("bands", "band"), ("states", "state")):  # fmt: skip
        if argument in asked:
            kept &= table[column].isin(asked[argument]).to_numpy(bool)
    if "period" in asked:
        first, last = asked["period"].split("/")
        end = pd.Timestamp(last, tz="UTC") + pd.Timedelta(days=1)
        time = table["time"].astype("datetime64[us, UTC]")
        kept &= ((time >= pd.Timestamp(first, tz="UTC")) & (time < end)).to_numpy(bool)
    found = table[kept].reset_index(drop=True)
    return found[asked["columns"]] if "columns" in asked else found


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("case", ["whole", "holed"])
@given(asked=requests())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_selection_is_the_filter_of_the_whole_table(request, case, compacted, asked):
    found = request.getfixturevalue(case)
    if "acquisitions" in asked:
        names = [str(name) for name in found.stats.acquisition.values]
        asked = asked | {"acquisitions": [names[n % len(names)] for n in asked["acquisitions"]]}
    with unfinished():
        got = found.open(compacted=compacted).table(**asked)
    pd.testing.assert_frame_equal(got, by_pandas(found.table, asked))


@given(data=st.data())
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_store_gives_the_table_of_its_cube(tmp_path_factory, data):
    """Any number of groups in any order, any holes, any rows of a row group."""
    size = data.draw(st.integers(1, 7))
    order = data.draw(st.permutations(range(size)))
    cuts = sorted(data.draw(st.sets(st.integers(1, size), max_size=3)))
    groups = [g for g in np.split(np.array(order), cuts) if len(g)]
    stats = vector_cube("CARD-BS", parcels=size, days=12).compute()
    holes = data.draw(
        st.dictionaries(
            st.tuples(st.integers(0, stats.sizes["time"] - 1), st.integers(0, len(groups) - 1)),
            st.sampled_from(["corrupt", "refused", "nodata", "empty", "pending", "beyond"]),
            max_size=stats.sizes["time"] * len(groups) - 1,
        )
    )
    store = make_store(
        tmp_path_factory.mktemp("any") / "s", stats, groups, holes, listed=data.draw(st.booleans())
    )
    expected = expected_table(stats, groups, holes)
    for _ in range(2):
        with unfinished():
            observations = open_observations(store)
            pd.testing.assert_frame_equal(_told(observations.table()), _told(expected))
        assert len(observations) == len(expected)
        if len(set(observations.snapshot.parts["file"].to_pylist()) - {None}) > 1:
            compact(store, acquisitions=3)


def _told(table):
    """Without items and platforms of units that have no rows: only their plan may know."""
    table = table.copy()
    table.loc[table["state"].isin(["READ_FAILED"]), "items"] = None
    table.loc[(table["state"] == "NO_DATA"), "items"] = None
    return table


@pytest.mark.parametrize("listed", [True, False])
def test_what_the_plan_does_not_list_is_read_from_parts(tmp_path, listed):
    stats = vector_cube("CARD-COH6", parcels=8, days=20).compute()
    store = make_store(tmp_path / "s", stats, GROUPS, listed=listed)
    pd.testing.assert_frame_equal(open_observations(store).table(), expected_table(stats, GROUPS))


@pytest.mark.parametrize("run", [1, 1000])
@pytest.mark.parametrize("rows", [0, 1, 50])
def test_facts_of_units_are_spread_over_rows_in_runs_or_one_by_one(monkeypatch, run, rows):
    monkeypatch.setattr(_assemble, "_RUN", run)
    values = pa.array(["a", None, "b", "a"])
    number = np.repeat([3, 0, 1, 2, 1], 10)[:rows]
    spread = _assemble._spread(values, number)
    assert spread.to_pylist() == [values[int(n)].as_py() for n in number]
    assert spread.type == pa.string()


def test_facts_that_nobody_knows_are_null(tmp_path):
    stats = vector_cube("CARD-BS", parcels=3, days=12).compute()
    stats["relative_orbit"][1] = -1
    stats["platform"] = ("time", ["", *stats.platform.values[1:].tolist()])
    store = make_store(tmp_path / "s", stats, [[0, 1, 2]])
    table = open_observations(store).table()
    pd.testing.assert_frame_equal(table, expected_table(stats, [[0, 1, 2]]))
    assert table["platform"].isna().sum() == table["relative_orbit"].isna().sum() == 6
    cube = open_observations(store).cube()
    assert cube.relative_orbit.values.tolist() == stats.relative_orbit.values.tolist()
    assert cube.platform.values.tolist() == stats.platform.values.tolist()


def test_both_ends_of_a_period_belong_to_it(whole):
    times = pd.to_datetime(whole.stats.time.values, utc=True)
    table = whole.open().table("P1", (times[2].to_pydatetime(), times[5].to_pydatetime()))
    assert table["acquisition"].unique().tolist() == whole.stats.acquisition.values[2:6].tolist()


def test_whole_numbers_are_ids_too(pairs):
    observations = pairs.open()
    pd.testing.assert_frame_equal(observations.table(), pairs.table)
    one = observations.table(np.int64(103), columns="parcel")
    assert one["parcel"].unique().tolist() == [103]
    assert observations.table(one.set_index("parcel")).shape == observations.table(103).shape
    with pytest.raises(UnknownParcelError, match="'103'"):
        observations.table("103")


def test_geometry_is_joined(whole):
    table = whole.open().table(["P7", "P0"], "2024-03-01/2024-03-10", geometry=True)
    assert isinstance(table, gpd.GeoDataFrame)
    assert table.crs == "EPSG:32632"
    shapes = dict(zip(whole.stats.parcel.values, whole.stats.geometry.values, strict=True))
    assert all(shapes[p].equals(g) for p, g in zip(table["parcel"], table.geometry, strict=True))
    bare = whole.open().table("P7", columns=["mean"], geometry=True)
    assert bare.columns.tolist() == ["mean", "geometry"]


def test_parcels_are_those_that_were_given(whole):
    parcels = whole.open().parcels()
    assert parcels.index.tolist() == whole.stats.parcel.values.tolist()
    assert parcels.geometry.geom_equals(gpd.GeoSeries(whole.stats.geometry.values)
                                        .set_axis(parcels.index).set_crs(32632)).all()  # fmt: skip
    assert parcels["crop"].tolist() == whole.stats.crop.values.tolist()


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"parcels": ["P1", "P9", "X"]}, UnknownParcelError, "2 parcels are not in the store"),
        ({"parcels": [7]}, UnknownParcelError, "text"),
        ({"parcels": ["P1", None]}, UnknownParcelError, "not in the store"),
        ({"bands": "B05"}, UnknownBandError, "B04, B08, NDVI"),
        ({"bands": []}, UnknownBandError, "no band was asked for"),
        ({"states": "CLOUDY"}, OptionError, "OK, PARTIAL, MASKED"),
        ({"columns": ["mean", "p90"]}, OptionError, "'p90'"),
        ({"acquisitions": "S2_x"}, OptionError, "no such acquisition"),
        ({"period": "March"}, OptionError, "period"),
    ],
)
def test_what_the_store_does_not_have_is_named(whole, asked, error, says):
    with pytest.raises(error, match=says):
        whole.open().table(**asked)


def test_an_empty_answer_keeps_its_columns(whole):
    table = whole.open().table(period="2030")
    assert table.empty
    pd.testing.assert_series_equal(table.dtypes, whole.table.dtypes)
    assert whole.open().table(parcels=[]).empty
    assert whole.open().table(parcels="P4").empty  # outside every grid


def test_opening_reads_no_part_and_a_question_few(whole, monkeypatch):
    """One parcel of one date lies in one file; of that, the columns that are asked for."""
    opened = []
    plain = _parts.open_part

    def note(store, name, *rest, **options):
        opened.append(name)
        return plain(store, name, *rest, **options)

    monkeypatch.setattr(_parts, "open_part", note)
    observations = open_observations(whole.store, snapshot=1)
    repr(observations)
    observations._repr_html_()
    observations.missing()
    observations.acquisitions()
    observations.parcels()
    assert not opened
    observations.schema  # noqa: B018  # learnt from one part
    assert len(opened) == 1
    day = str(whole.stats.time.values[3])[:10]
    observations.table("P1", day)
    assert len(opened) == 2
    observations.table("P1", day, columns=["parcel", "time", "band", "acquisition", "items"])
    assert len(opened) == 2  # all of this is in the plan
    observations.cube("P1")
    observations.dataset()
    assert len(opened) == 2
    observations.cube("P1", day).compute(scheduler="synchronous")
    assert len(opened) == 4  # the date, and the pixels of the parcel


def test_only_row_groups_with_the_parcel_are_read(tmp_path, monkeypatch):
    """Row groups of 4096 rows: 5,000 parcels of 2 bands are three."""
    stats = vector_cube("CARD-BS", parcels=5000, days=5).compute()
    store = make_store(tmp_path / "s", stats, [range(5000)])
    read = []
    plain = _parts.pq.ParquetFile.read_row_groups

    def note(file, groups, *rest, **options):
        read.append(list(groups))
        return plain(file, groups, *rest, **options)

    monkeypatch.setattr(_parts.pq.ParquetFile, "read_row_groups", note)
    observations = open_observations(store)
    expected = cbm.to_observations(stats)
    for ids, groups in ((["P0"], [0]), (["P2047", "P2048"], [0, 1]), (["P0", "P4999"], [0, 2])):
        read.clear()
        table = observations.table(ids)
        pd.testing.assert_frame_equal(
            table, expected[expected["parcel"].isin(ids)].reset_index(drop=True)
        )
        assert read[-stats.sizes["time"] :] == [groups] * stats.sizes["time"]


def test_what_is_missing_is_listed_and_warned_of(holed):
    observations = holed.open()
    with pytest.warns(UnfinishedSeasonWarning, match="3; their rows are not in"):
        observations.table()
    with pytest.warns(UnfinishedSeasonWarning, match="1; "):
        observations.table(parcels="P1")
    observations.table(period="2024-03-01/2024-03-05")  # no warning: nothing is missing there
    missing = observations.missing()
    known = {(str(holed.stats.acquisition.values[t]), g): hole for (t, g), hole in
             holed.holes.items() if hole in ("corrupt", "refused", "pending")}  # fmt: skip
    got = dict(zip(zip(missing["acquisition"], missing["group"], strict=True),
                   missing["status"], strict=True))  # fmt: skip
    assert got == known
    failed = missing[missing["status"] != "pending"]
    assert set(failed["reason"]) == {"the file is torn"}
    sizes = {g: len(members) for g, members in enumerate(GROUPS)}
    assert missing["records"].tolist() == [3 * sizes[g] for g in missing["group"]]


def test_acquisitions_tell_how_far_they_are(holed):
    known = holed.open().acquisitions().set_index("acquisition")
    names = [str(name) for name in holed.stats.acquisition.values]
    assert known.index.tolist() == names
    assert known.loc[names[5], ["units", "done", "failed", "rows"]].tolist() == [2, 2, 1, 0]
    assert known.loc[names[6], ["units", "done", "failed", "rows"]].tolist() == [2, 0, 0, 0]
    assert known.loc[names[4], ["units", "done", "failed", "rows"]].tolist() == [1, 1, 0, 9]
    assert known.crs == "EPSG:4326"
    here = known.to_crs(32632).geometry
    inside = gpd.GeoSeries(holed.stats.geometry.values[GROUPS[0]], crs=32632).centroid
    assert all(here.loc[names[4]].contains(point) for point in inside)


@pytest.mark.parametrize("compacted", [False, True])
def test_states_are_counted(holed, compacted):
    with unfinished():
        states = holed.open(compacted=compacted).states()
    assert states.index.tolist() == list(STATES)
    expected = holed.table["state"].value_counts()
    assert {name: count for name, count in states.items() if count} == expected.to_dict()


def test_the_repr_says_what_is_there(holed):
    text = repr(holed.open())
    assert f"{len(holed.table):,}" in text
    for part in ("2024-03-01 to 2024-04-08", "1 corrupt", "3 pending", "7", "CARD-2A"):
        assert part in text
    assert "<table>" in holed.open()._repr_html_()
    assert len(holed.open()) == len(holed.table)


def test_an_old_snapshot_stays_what_it_was(tmp_path):
    stats = vector_cube("CARD-BS", parcels=4, days=12).compute()
    store = make_store(tmp_path / "s", stats, [[0, 1], [2, 3]], {(1, 0): "pending"})
    old = open_observations(store)
    with unfinished():
        before = old.table()
    publish(store, stats, [[0, 1], [2, 3]])
    assert len(open_observations(store)) == len(before) + 4
    with unfinished():
        pd.testing.assert_frame_equal(old.table(), before)
        again = open_observations(store, snapshot=1).table()
    pd.testing.assert_frame_equal(again, before)


def test_a_store_without_rows_still_answers(tmp_path):
    """Every unit failed or saw nothing: rows say so, and pixel counts are not known."""
    stats = vector_cube("CARD-BS", parcels=2, days=12).compute()
    holes = {(t, 0): "refused" if t else "nodata" for t in range(stats.sizes["time"])}
    store = make_store(tmp_path / "s", stats, [[0, 1]], holes)
    table = open_observations(store).table()
    assert set(table["state"]) == {"NO_DATA", "READ_FAILED"}
    assert table["n_total"].isna().all()
    assert len(table) == 2 * 2 * stats.sizes["time"]
    assert table["platform"].notna().all()


def test_damage_is_named_not_guessed(tmp_path):
    stats = vector_cube("CARD-BS", parcels=4, days=4).compute()
    store = make_store(tmp_path / "s", stats, [[0, 1, 2, 3]])
    name = store.snapshot().parts["file"][0].as_py()
    path = tmp_path / "s" / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreCorruptError, match="cannot be read"):
        open_observations(store).table()
    path.unlink()
    with pytest.raises(StoreCorruptError, match="is missing"):
        open_observations(store).table()


def test_nothing_published_is_said(tmp_path):
    with pytest.raises(StoreNotFoundError, match="no store"):
        open_observations(tmp_path)


def test_arrow_types_are_those_of_the_schema(whole):
    arrow = whole.open().to_arrow("P1")
    assert arrow.schema == whole.open().schema
    assert arrow.schema.field("time").type == pa.timestamp("us", tz="UTC")
    pieces = list(whole.open().batches(rows=50))
    assert len(pieces) > 5
    assert max(len(piece) for piece in pieces) <= 50
    got = pd.concat([p.to_pandas(types_mapper=pd.ArrowDtype) for p in pieces])
    keys = ["time", "parcel", "band"]
    pd.testing.assert_frame_equal(
        got.sort_values(keys, ignore_index=True), whole.table.sort_values(keys, ignore_index=True)
    )
