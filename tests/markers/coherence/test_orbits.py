"""Event tables of several orbits become one, against a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cbmcube.markers import check_events, make_events
from cbmcube.markers.coherence._orbits import join_orbits

START = pd.Timestamp("2024-05-01")


def _table(rng, source):
    rows = []
    for parcel in ("A", "B", "C", "D", "E"):
        days = sorted(rng.choice(np.arange(0, 200, 30), rng.integers(0, 4), replace=False))
        reason = [None, "GAP", "TOO_FEW_OBS"][rng.integers(3)]
        common = {"parcel": parcel, "marker": "m", "sources": [source], "n_events": len(days)}
        common |= {"n_obs_window": rng.integers(1, 9), "max_gap_days": float(rng.integers(6, 50))}
        if not days:
            status = "OK" if reason is None else "NOT_VALID"
            rows.append(common | {"reason": reason, "status": status})
        for day in days:
            at = START + pd.Timedelta(days=int(day + rng.integers(0, 9)))
            flat = rng.random() < 0.2
            end = at + pd.Timedelta(days=6)
            dates = {"start_date": at, "main_date": at, "end_date": end}
            said = {"status": "NOT_VALID", "reason": "FLAT_REFERENCE"} if flat else {"status": "OK"}
            rows.append(common | dates | said | {"p_value": rng.random(), "score": rng.random()})
    frame = pd.DataFrame(rows)
    frame["reason"] = frame["reason"].where(frame["reason"].notna(), None)
    columns = {name: frame[name].to_numpy() for name in frame}
    for name in ("start_date", "main_date", "end_date"):
        columns[name] = pd.to_datetime(frame.get(name, pd.NaT)).to_numpy()
    return make_events(columns)


def _plain(tables, min_days):
    """Return (parcel, end, sources) of events, and (parcel, reason) of parcels without."""
    events, others = [], []
    rows = pd.concat(tables)
    every = sorted({source for sources in rows["sources"] for source in sources})
    for parcel, mine in rows.groupby("parcel"):
        seen = mine[mine["main_date"].notna()]
        seen = seen.assign(bad=(seen["status"] != "OK")).sort_values(["bad", "p_value"])
        kept = []
        for _, row in seen.iterrows():
            near = [k for k in kept if abs(k[1] - row["end_date"]).days < min_days]
            if near:
                near[0][2].update(row["sources"])
            else:
                kept.append((parcel, row["end_date"], {*row["sources"]}))
        events += [(parcel, end, sorted(names)) for parcel, end, names in kept]
        if not kept:
            best = [reason for reason in ("GAP", "TOO_FEW_OBS") if (mine["reason"] == reason).any()]
            others.append((parcel, None if mine["reason"].isna().any() else best[0], every))
    return sorted(events), sorted(others)


def test_a_plain_loop_gives_the_same():
    rng = np.random.default_rng(0)
    for _ in range(8):
        tables = [_table(rng, source) for source in ("S1:15", "S1:88", "S1:139")]
        joined = check_events(join_orbits(tables, min_days=28))
        events, others = _plain(tables, 28)
        seen = joined[joined["main_date"].notna()]
        rest = joined[joined["main_date"].isna()]
        ours = [*zip(seen["parcel"], seen["end_date"], seen["sources"], strict=True)]
        assert sorted(ours) == events
        reasons = rest["reason"].astype(object).where(rest["reason"].notna(), None)
        assert [*zip(rest["parcel"], reasons, rest["sources"], strict=True)] == others
        for parcel, mine in joined.groupby("parcel"):
            rows = [table[table["parcel"] == parcel].iloc[0] for table in tables]
            assert (mine["n_obs_window"] == sum(row["n_obs_window"] for row in rows)).all()
            assert (mine["max_gap_days"] == min(row["max_gap_days"] for row in rows)).all()


def test_one_table_stays_as_it_is():
    table = _table(np.random.default_rng(1), "S1:15")
    pd.testing.assert_frame_equal(join_orbits([table], min_days=28), table)
