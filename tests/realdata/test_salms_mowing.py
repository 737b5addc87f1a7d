"""Ten real parcels with 17 field events of 2020: what the markers hit, and what they miss."""

from __future__ import annotations

import pandas as pd
import pytest

from cbmcube.markers import aggregate, check_events, confirm, fuse, mowing, mowing_hull
from cbmcube.series import gap_summary
from tests.realdata import salms

pytestmark = pytest.mark.realdata

SEASON = ("2020-03-01", "2020-11-01")
DAY = pd.Timedelta(days=1)

# Of parcel 5 in July and 7 in October the series shows no loss, of 9 in June a slow one, and that
# of 9 in September lies two weeks before its field day. Parcel 10 is green three days after that of
# May.
LOST = ["5 25 Jul", "7 25 Oct", "9 28 Jun", "9 09 Sep"]
OTHERS = ["5 27 Jun", "7 26 Aug", "8 20 Sep", "9 26 Aug"]  # large losses that nobody noted
SOURCE = {
    "hits": 9,
    "near": {"1 10 Jul": 3, "4 18 Sep": -2, "10 15 May": -3, "10 20 Jul": -2},
    "missed": LOST,
    "extra": OTHERS,
}
# The loss of parcel 1 up to 7 July is undone within five days, so that an earlier one is taken.
GUARDED = {
    "hits": 9,
    "near": {"4 18 Sep": -2, "10 15 May": -3, "10 20 Jul": -2},
    "missed": ["1 10 Jul", *LOST],
    "extra": ["1 17 Jun", *OTHERS],
}
HULL = {
    "hits": 10,
    "near": {"10 15 May": -3},
    "missed": ["1 10 Jul", *LOST, "10 20 Jul"],
    "extra": ["1 17 Jun", "5 27 Jun", "7 26 Aug", "7 30 Sep", "8 20 Sep", "9 26 Aug"],
}


@pytest.fixture(scope="module")
def stats(realdata):
    return salms.cube(realdata, "s2_idx", bands=["NDVI"])


@pytest.fixture(scope="module")
def field(realdata):
    return salms.events(realdata)


def _off(event, date):
    """Return the days from a field day to the interval: 0 inside, negative if it is too late."""
    if date + DAY <= event.start_date:
        return (date + DAY - event.start_date) / DAY - 1
    return max((date - event.end_date) / DAY, 0.0)


def _report(events, field, within=7):
    """Return hits, near misses with days off, misses, and what nobody noted in the field."""
    found = events[events["main_date"].notna() & (events["status"] == "OK")]
    pairs = sorted(
        (abs(_off(event, row.date)), event.Index, row.Index)
        for event in found.itertuples() for row in field.itertuples()
        if event.parcel == row.parcel
    )  # fmt: skip
    taken, hits, near = set(), [], {}
    for off, event, row in pairs:
        if off <= within and not {("e", event), ("f", row)} & taken:
            taken |= {("e", event), ("f", row)}
            name = f"{field['parcel'][row]} {field['date'][row]:%d %b}"
            if off == 0:
                hits.append(name)
            else:
                near[name] = round(_off(found.loc[event], field["date"][row]))
    missed = [
        f"{r.parcel} {r.date:%d %b}" for r in field.itertuples() if ("f", r.Index) not in taken
    ]
    extra = [
        f"{e.parcel} {e.end_date:%d %b}" for e in found.itertuples() if ("e", e.Index) not in taken
    ]
    return {"hits": len(hits), "near": near, "missed": missed, "extra": extra}


def test_each_parcel_has_twenty_observations_and_a_long_gap(stats, field):
    seen = gap_summary(stats, "NDVI", min_share=0.5, window=SEASON)
    assert seen["valid_obs"].between(19, 24).all()
    assert seen["max_gap_days"].between(25, 38).all()
    assert len(field) == 17


def test_pairs(stats, field):
    source = _report(check_events(mowing(stats, "sen4cap", window=SEASON)), field)
    assert source == SOURCE
    guarded = _report(check_events(mowing(stats, window=SEASON)), field)
    assert guarded == GUARDED


def test_hull(stats, field):
    for preset in ("careful", "force"):
        found = _report(check_events(mowing_hull(stats, preset, window=SEASON)), field)
        assert found == HULL


def test_both(stats, field):
    pairs, hull = (find(stats, window=SEASON) for find in (mowing, mowing_hull))
    assert _report(check_events(fuse(pairs, hull)), field) == GUARDED
    sure = _report(check_events(confirm(pairs, hull)), field)
    assert (sure["hits"], sure["near"], sure["extra"]) == (9, {"10 15 May": -3}, GUARDED["extra"])
    all_of_them = _report(check_events(aggregate(pairs, hull)), field)
    assert (all_of_them["hits"], len(all_of_them["extra"])) == (10, 7)
