"""Two event tables side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cbmcube.markers import empty_events, fuse
from cbmcube.markers.combining._sides import Side, joined_names, moments, nanoseconds, sides, unite
from cbmcube.markers.events._intervals import OPEN
from tests.markers.tables import table


def test_a_side_knows_who_looked():
    said = {"P1": ("NOT_VALID", "GAP"), "P2": ("NOT_EXECUTED", "NO_INPUT")}
    a = table([("P0", 0, 10)], parcels=("P0", "P1", "P2", "P3"), rest=said)
    side = Side.of(a, pd.Index(["P3", "P2", "P1", "P0", "P4"]))
    assert side.gravity[0] == side.gravity[3] == 0
    assert side.gravity[2] < side.gravity[1] < side.gravity[4]
    assert side.has_events().tolist() == [False, False, False, True, False]
    assert side.sources == [["S2"]] * 4 + [[]]
    assert side.n_obs.tolist() == [20, 20, 20, 20, 0]
    np.testing.assert_array_equal(side.longest, [10, 10, 10, 10, np.nan])
    assert side.events["parts"].tolist() == [[a["event_id"][0]]]
    assert Side.of(a, pd.Index(["P4"])).events.empty


def test_moments_and_integers_are_the_same():
    texts = ["2024-05-01T10:11:12.123456789", "1969-01-01T00:00:00.000000000"]
    dates = pd.Series(np.array(texts, "datetime64[ns]"))
    stamps = nanoseconds(dates)
    assert moments(stamps).tolist() == dates.to_numpy().tolist()
    assert np.isnat(moments(np.array([OPEN])))[0]
    assert pd.Timestamp(OPEN).year == 2116


def test_names_are_joined():
    empty = empty_events()
    a, b = table([("P0", 0, 1)]), table([("P0", 0, 1)], marker="hull")
    _, one, two = sides(a, b)
    both = joined_names(one, two)
    assert both["marker"] == "hull+mowing"
    assert both["marker_version"] == "1"
    assert both == joined_names(two, one)
    _, one, none = sides(a, empty)
    assert joined_names(one, none) == {"marker": "mowing", "marker_version": "1",
                                       "params_id": "of mowing"}  # fmt: skip
    assert joined_names(one, none, "how")["params_id"] != "of mowing"
    assert joined_names(*sides(empty, empty)[1:]) == {}


def test_lists_are_united_in_order():
    assert unite(["b", "a"], ["c", "a"], []) == ["b", "a", "c"]


def test_a_gap_is_that_of_a_table_that_could_look():
    """Where radar can test nothing, that it was there every six days says nothing."""
    parcels = ("P0", "P1")
    said = {"P0": ("NOT_VALID", "NO_REFERENCE"), "P1": ("OK", None)}
    seen, tested = table([], parcels=parcels), table([], parcels=parcels, rest=said, source="S1:15")
    seen["max_gap_days"], tested["max_gap_days"] = np.float32(25), np.float32(6)
    fused = fuse(seen, tested.assign(marker="mowing_coherence")).set_index("parcel")
    assert fused["max_gap_days"].to_dict() == {"P0": 25.0, "P1": 6.0}
