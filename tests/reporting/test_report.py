"""The page says what pandas finds in the files of the store."""

from __future__ import annotations

import base64
import hashlib
import json
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import cbmcube as cbm
from cbmcube.exceptions import OptionError, UnknownParcelError
from cbmcube.observations.season import plan, read_searches
from cbmcube.reporting import season_report
from cbmcube.testing import vector_cube
from tests.observations.reading.stores import make_store
from tests.reporting.pages import read_page

STATES = ["OK", "PARTIAL", "MASKED", "NO_DATA", "READ_FAILED"]


def looks(table):
    """One row for each acquisition and parcel: the worst state of its bands."""
    order = pd.Series(range(5), index=STATES)
    code = table["state"].astype(str).map(order)
    keys = [table["time"].dt.tz_localize(None).astype("M8[us]"), table["parcel"].astype(str)]
    return code.groupby(keys).max().rename("code").reset_index()


def longest(times, first, last):
    """Days between usable looks, and to both ends of the season."""
    every = np.array([first, *sorted(times), last], dtype="M8[us]")
    return float(np.diff(every).max() / np.timedelta64(1, "D"))


def of_parcel(found, first, last):
    usable = found[found["code"] <= 1]
    return {
        "usable": len(usable),
        **{name: int((found["code"] == k).sum()) for k, name in enumerate(STATES)},
        "longest": longest(usable["time"], first, last),
    }


def test_counts_of_parcels_are_those_of_the_table(holed, page):
    found = looks(holed.table)
    first, last = found["time"].min(), found["time"].max()
    shown = page.tables["parcels-table"].set_index("parcel")
    names = ["OK", "partial", "masked", "no data", "read failed"]
    assert sorted(shown.index) == [f"P{k}" for k in range(8)]
    for name, mine in found.groupby("parcel"):
        expected, row = of_parcel(mine, first, last), shown.loc[name]
        assert row["usable"] == expected["usable"]
        assert [row[n] for n in names] == [expected[n] for n in STATES]
        assert row["longest gap (d)"] == pytest.approx(expected["longest"], abs=1e-3)
        pending = {"P0": 2, "P2": 2, "P5": 2}.get(name, 1)
        assert row["pending"] == pending
        assert row["planned"] == len(mine) + pending
    outside = shown.loc["P4"]
    assert outside[["planned", "usable", *names]].eq(0).all()
    assert pd.isna(outside["longest gap (d)"])
    assert pd.isna(outside["usable (%)"])
    assert shown["usable"].is_monotonic_increasing
    assert "Outside all images, and without looks: 1 parcel." in page.text


def test_counts_do_not_depend_on_where_rows_lie(holed):
    plain, packed = (holed.open(compacted=flag).coverage() for flag in (False, True))
    pd.testing.assert_frame_equal(plain.to_frame(), packed.to_frame())
    pd.testing.assert_frame_equal(plain.passes, packed.passes)
    np.testing.assert_array_equal(plain.monthly, packed.monthly)


def test_counts_do_not_depend_on_pieces(holed, monkeypatch):
    from cbmcube.observations.reading import _coverage

    whole = holed.open().coverage().to_frame()
    monkeypatch.setattr(_coverage, "STREAM_ROWS", 9)
    pd.testing.assert_frame_equal(holed.open().coverage().to_frame(), whole)


def test_months_and_passes_are_those_of_the_table(holed):
    coverage = holed.open().coverage()
    found = looks(holed.table)
    usable = found[found["code"] <= 1]
    month = usable["time"].dt.strftime("%Y-%m")
    expected = pd.crosstab(usable["parcel"], month)
    ids, months = coverage.ids.to_pylist(), [str(m) for m in coverage.months]
    shown = pd.DataFrame(coverage.monthly, index=ids, columns=months)
    for parcel in expected.index:
        for name in expected.columns:
            assert shown.loc[parcel, name] == expected.loc[parcel, name]
    assert shown.to_numpy().sum() == len(usable)
    by_time = pd.crosstab(found["time"], found["code"])
    np.testing.assert_array_equal(
        coverage.passes[STATES].to_numpy(), by_time.reindex(columns=range(5), fill_value=0)
    )


def test_numbers_of_a_real_season_are_those_of_its_parquet(country, tmp_path):
    parcels = cbm.read_parcels(country.parcels, id="field_id", crop="crop").head(22)
    catalog = cbm.open_catalog(country.catalogue)
    store = tmp_path / "s"
    period = "2024-03-20/2024-04-10"
    options = {"bands": ["B04", "SCL"], "period": period, "records_per_unit": 12}
    season = plan(catalog, cbm.CARD_2A, parcels, store=store, **options)
    assert season.run(progress=False).ok
    page = read_page(season_report(cbm.open_observations(store), tmp_path / "page.html"))

    files = sorted((store / "parts").rglob("*.parquet"))
    rows = pd.concat(pq.read_table(f, columns=["parcel", "time", "state"]).to_pandas()
                     for f in files)  # fmt: skip
    rows["time"] = pd.to_datetime(rows["time"], utc=True)
    usable = looks(rows).query("code <= 1").groupby("parcel").size()
    shown = page.tables["parcels-table"].set_index("parcel")
    assert shown["usable"].to_dict() == usable.reindex(shown.index, fill_value=0).to_dict()
    assert shown["crop"].to_dict() == parcels["crop"].astype(str).to_dict()
    middle = parcels.geometry.centroid.to_crs(4326)
    np.testing.assert_allclose(shown["longitude"], middle.x[shown.index], atol=1e-3)

    passes = page.tables["acquisitions-table"]
    times = sorted({f"{t:%Y-%m-%d %H:%M}" for t in rows["time"]})
    assert sorted(passes["time (UTC)"]) == times
    assert passes["usable"].sum() == usable.sum()

    # The twin that the country has on purpose, found again by its own rule: one tile and date.
    found = cbm.search(catalog, cbm.CARD_2A, aoi=parcels, period=period)
    twins = cbm.catalog.report(found).dropped
    assert twins
    assert page.tables["left-out-table"]["item"].tolist() == [one.id for one in twins]

    slow = page.tables["slow-table"]
    lines = [json.loads(t) for f in (store / "runs").rglob("run-*/*.jsonl")
             for t in f.read_text().splitlines()]  # fmt: skip
    seconds = sorted((one["seconds"] for one in lines if "key" in one), reverse=True)
    assert len(seconds) == len(season.units)
    np.testing.assert_allclose(slow["seconds"], seconds[:50], rtol=1e-5)


def test_gaps_are_expected_from_the_searched_period(country, tmp_path):
    parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    catalog = cbm.open_catalog(country.catalogue)
    season = plan(catalog, cbm.CARD_BS, parcels, store=tmp_path / "s", period=country.period)
    season.run(progress=False, part=(1, 2))
    page = read_page(season_report(cbm.open_observations(tmp_path / "s"), tmp_path / "p.html"))
    report = cbm.catalog.report(
        cbm.search(catalog, cbm.CARD_BS, aoi=parcels, period=country.period)
    )
    assert report.gaps
    expected = [f"{gap.time:%Y-%m-%d %H:%M}" for gap in report.gaps]
    assert page.tables["gaps-table"]["expected (UTC)"].tolist() == expected
    left = len(season.left())
    assert left
    assert (page.tables["failed-table"]["status"] == "pending").sum() == left


def test_a_search_is_remembered_once_and_without_secrets(country, tmp_path):
    parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    found = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS, aoi=parcels)
    facts = found.extra_fields["cbmcube:report"]
    reason = "refused https://me:word@host.org/a.tif?sig=abc123"
    facts["dropped"] = [{"id": "other", "reason": reason, "kept": None}]
    for _ in range(2):
        season = plan(found, cbm.CARD_BS, parcels, store=tmp_path / "s")
    (told,) = read_searches(season.store, season.name)
    text = json.dumps(told)
    assert "abc123" not in text
    assert "word" not in text
    assert "host.org/a.tif" in text
    named = plan(list(found), cbm.CARD_BS, parcels, store=tmp_path / "other")
    assert read_searches(named.store, named.name) == []


def test_an_update_remembers_the_searches_before_it(country, tmp_path):
    parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    catalog = cbm.open_catalog(country.catalogue)
    first = plan(catalog, cbm.CARD_BS, parcels, store=tmp_path / "s", period="2024-03")
    later = first.update(catalog, period="2024-04")
    other = plan(catalog, cbm.CARD_BS, parcels, store=tmp_path / "s", period="2024-05")
    starts = [
        [one["period"][:7] for one in read_searches(first.store, season.name)]
        for season in (first, later, other)
    ]
    assert starts == [["2024-03"], ["2024-03", "2024-04"], ["2024-05"]]


def test_failed_reads_and_pending_units_are_listed_with_reasons(page):
    table = page.tables["failed-table"]
    counts = table["status"].value_counts().to_dict()
    assert counts == {"corrupt": 2, "refused": 1, "pending": 3}
    assert set(table["reason"].dropna()) == {"the file is torn", "torn"}
    assert "3units with failed reads" in page.text
    assert "3units not computed" in page.text
    scenes = page.tables["acquisitions-table"]
    assert scenes["failed"].sum() == 3
    assert scenes["pending"].sum() == 3
    assert (scenes["status"] == "failed").sum() == 3


def test_units_that_a_run_gave_up_say_why(country, tmp_path, monkeypatch):
    from cbmcube.exceptions import ReadError
    from cbmcube.observations.season import _work

    parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    season = plan(
        cbm.open_catalog(country.catalogue),
        cbm.CARD_BS,
        parcels,
        store=tmp_path / "s",
        period="2024-03-01/2024-03-10",
    )
    real, wrong = _work.compute_unit, season.units["key"].iloc[0]

    def compute(store, recipe, unit, **options):
        if unit.key == wrong:
            raise ReadError("HTTP response code: 503 for https://me:word@host.org/a.tif?sig=abc123")
        return real(store, recipe, unit, **options)

    monkeypatch.setattr(_work, "compute_unit", compute)
    season.run(progress=False, tries=1)
    path = season_report(cbm.open_observations(tmp_path / "s"), tmp_path / "p.html")
    (row,) = read_page(path).tables["failed-table"].to_dict("records")
    assert row["status"] == "failed"
    assert "503 for https://host.org/a.tif" in row["reason"]
    assert "abc123" not in path.read_text()
    assert "word@" not in path.read_text()


HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "$\\frac{1}$ a $ b & c",
    "田んぼ \u202e\u2028 {x}",
    "<!--",
]


def test_hostile_ids_stay_text(tmp_path, write):
    stats = vector_cube("CARD-BS", parcels=HOSTILE, days=30).compute()
    crops = ["<b>bold</b>", "]]>", "-->", "&amp;", "' OR 1", "\x07bell"]
    stats = stats.assign_coords(crop=("parcel", crops))
    store = make_store(tmp_path / "s", stats, [[0, 1, 2], [3, 4, 5]])
    page = write(store, parcels=HOSTILE[1:4:2], title="<script>alert(1)</script>")
    scripts = [a for tag, a in page.tags if tag == "script"]
    data = [a for a in scripts if a.get("type") == "application/json"]
    assert len(scripts) == len(data) + 1
    assert not [t for t, _ in page.tags if t in ("img", "b", "iframe", "object", "link")]
    assert not [n for _, a in page.tags for n in a if n.startswith("on")]
    table = page.tables["parcels-table"]
    assert sorted(table["parcel"]) == sorted(HOSTILE)
    assert sorted(table["crop"]) == sorted(crops)
    assert sum("<img src=x onerror=alert(1)>" in words for words in page.drawings) == 1


def test_nothing_is_fetched_and_only_its_own_script_runs(page):
    ids = {a["id"] for _, a in page.tags if "id" in a}
    for address in page.addresses:
        assert address.startswith(("#", "data:image/png;base64,"))
        assert not address.startswith("#") or address[1:] in ids
    every = [a["id"] for _, a in page.tags if "id" in a]
    assert len(every) == len(ids)
    script = page.source.rpartition("<script>")[2].partition("</script>")[0]
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert f"script-src 'sha256-{mark}'" in policy
    assert "default-src 'none'" in policy
    assert "s3cret" not in page.source


def test_it_can_be_read_without_eyes(page):
    heads = [a for tag, a in page.tags if tag == "th"]
    assert heads
    assert all(a["scope"] in ("row", "col") for a in heads)
    assert all(a.get("role") == "img" and a.get("aria-label") for t, a in page.tags if t == "svg")
    assert [t for t, _ in page.tags].count("h1") == 1
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert sum(tag == "caption" for tag, _ in page.tags) == tables
    assert dict(page.tags)["html"]["lang"] == "en"


def test_rows_are_there_before_any_script_runs(page):
    table = page.tables["parcels-table"]
    shown = page.shown["parcels-table"]
    assert [row[0] for row in shown] == table["parcel"].tolist()[:20]
    place = table.columns.tolist().index("usable")
    assert [row[place] for row in shown] == [f"{n:,}" for n in table["usable"][:20]]


def test_the_worst_covered_are_listed_and_the_others_counted(holed, page, write):
    every = page.tables["parcels-table"]
    page = write(holed.store, worst=3)
    few = page.tables["parcels-table"]
    pd.testing.assert_frame_equal(few, every.head(3), check_dtype=False)
    least = int(few["usable"].max())
    assert f"5 more are left out; each has {least} or more." in page.text


def test_best_typical_and_worst_parcels_are_drawn(holed, page, write):
    usable = page.tables["parcels-table"].set_index("parcel")["usable"].drop("P4")
    drawn = [words for words in page.drawings if words.startswith("Season of parcel")]
    best = next(words for words in drawn if "best covered" in words).split()[3].strip(",")
    worst = next(words for words in drawn if "worst covered" in words).split()[3].strip(",")
    assert usable[best] == usable.max()
    assert usable[worst] == usable.min()
    chosen = write(holed.store, parcels=["P6"])
    assert sum(words.startswith("Season of parcel P6") for words in chosen.drawings) == 1


def test_where_the_numbers_come_from(holed, page):
    obs = holed.open()
    plan_ = json.loads(obs.store.get_blob("plans", obs.snapshot.plan))
    names = sorted(one["items"] for one in plan_["acquisitions"])
    words = [
        obs.snapshot.root,
        obs.snapshot.plan,
        hashlib.sha256("\n".join(names).encode()).hexdigest(),
        obs.store.recipe_hash,
        obs.store.url,
        f"cbmcube {cbm.__version__}",
        "exact",
    ]
    assert all(word in page.text for word in words)


def test_equal_stores_give_equal_pages(holed, write, tmp_path):
    write(holed.store)
    first = (tmp_path / "page.html").read_bytes()
    write(holed.store)
    assert (tmp_path / "page.html").read_bytes() == first


@pytest.mark.parametrize("parcels", [["P0"], [17]], ids=["text", "number"])
def test_one_parcel_and_one_date(tmp_path, write, parcels):
    stats = vector_cube("CARD-BS", parcels=parcels, days=6).compute().isel(time=[0])
    store = make_store(tmp_path / "s", stats, [[0]])
    page = write(store)
    (row,) = page.tables["parcels-table"].to_dict("records")
    assert row["parcel"] == parcels[0]
    assert (row["planned"], row["usable"], row["longest gap (d)"]) == (1, 1, 0)
    assert sum(words.startswith("Season of") for words in page.drawings) == 1


@pytest.mark.parametrize("hole", ["nodata", "refused", "empty"])
def test_a_season_that_saw_nothing(tmp_path, write, hole):
    stats = vector_cube("CARD-BS", parcels=3, days=12).compute()
    holes = {(t, 0): hole for t in range(stats.sizes["time"])}
    page = write(make_store(tmp_path / "s", stats, [[0, 1, 2]], holes))
    assert page.tables["parcels-table"]["usable"].eq(0).all()


def test_nothing_is_computed_yet(tmp_path, write):
    stats = vector_cube("CARD-BS", parcels=3, days=12).compute()
    holes = {(t, 0): "pending" for t in range(stats.sizes["time"])}
    page = write(make_store(tmp_path / "s", stats, [[0, 1, 2]], holes))
    table = page.tables["parcels-table"]
    assert table["pending"].eq(stats.sizes["time"]).all()
    assert table["usable"].eq(0).all()
    assert "No parcel has numbers." in page.text


def test_a_plan_without_acquisitions_and_one_without_parcels_in_reach(tmp_path, write):
    stats = vector_cube("CARD-BS", parcels=2, days=12).compute()
    nothing = write(make_store(tmp_path / "s", stats.isel(time=[]), [[0, 1]]))
    assert "The plan has no acquisition." in nothing.text
    outside = write(make_store(tmp_path / "t", stats, []))
    assert outside.tables["parcels-table"]["planned"].eq(0).all()


def test_wrong_arguments_say_what_is_right(holed, tmp_path, monkeypatch):
    obs = holed.open()
    with pytest.raises(OptionError, match="open_observations"):
        season_report(holed.store, tmp_path / "p.html")
    with pytest.raises(OptionError, match="count rows"):
        season_report(obs, tmp_path / "p.html", worst=0)
    with pytest.raises(UnknownParcelError):
        season_report(obs, tmp_path / "p.html", parcels="nowhere")
    with pytest.raises(OptionError, match="few profiles"):
        season_report(obs, tmp_path / "p.html", parcels=[f"P{k}" for k in range(13)])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"cbmcube\[plot\]"):
        season_report(obs, tmp_path / "p.html")
    assert not (tmp_path / "p.html").exists()
