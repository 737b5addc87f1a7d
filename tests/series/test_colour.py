"""Classes of colours against a plain loop over all samples, and against scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.series import COLOURS, ColourRule, Outlier, colour_class, dropped_colours, outliers
from cbmcube.series._colour import to_bytes

LOW, HIGH = (1200, 800, 150), (5700, 4100, 2800)


def cube(reflectance):
    """Make a cube of B08, B11 and B04 from means (time, parcel, 3)."""
    values = np.asarray(reflectance, dtype="float32")
    times, parcels = values.shape[:2]
    start = np.datetime64("2024-03-01T10:00", "ns")
    return xr.Dataset(
        {
            name: (("time", "parcel", "statistic"), values[..., k, None])
            for k, name in enumerate(("B08", "B11", "B04"))
        },
        coords={
            "time": start + np.arange(times) * np.timedelta64(5, "D"),
            "parcel": range(parcels),
            "statistic": ["mean"],
        },
    )


def back(bytes_):
    """Return the reflectance in the middle of what becomes these bytes."""
    low, high = np.array(LOW), np.array(HIGH)
    return (low + (np.asarray(bytes_) + 0.5) * (high - low) / 255) / 10_000


def table(colours, labels):
    return pd.DataFrame(np.asarray(colours), columns=["B08", "B11", "B04"]).assign(
        **{"class": labels}
    )


def plain(colour, colours, labels, neighbours):
    """Sort all samples by distance, then by class; count votes."""
    far = [sum((a - b) ** 2 for a, b in zip(colour, one, strict=True)) for one in colours]
    near = sorted(zip(far, labels, strict=True))[:neighbours]
    votes = Counter(label for _, label in near)
    return min(votes, key=lambda label: (-votes[label], label))


small = st.integers(0, 5)
"""Few bytes, so that samples are often equally far."""
colours = st.lists(st.tuples(small, small, small), min_size=5, max_size=12)


@settings(max_examples=60)
@given(colours, st.lists(st.sampled_from("abc"), min_size=12, max_size=12), colours, st.randoms())
def test_any_colour_gets_the_class_of_the_plain_loop_whatever_the_order(known, labels, asked, dice):
    labels = labels[: len(known)]
    pairs = list(zip(known, labels, strict=True))
    dice.shuffle(pairs)
    stats = cube(back([asked]))
    found = colour_class(stats, table(*zip(*pairs, strict=True)))
    names = np.array(found.attrs["flag_meanings"].split())[found.values[0]]
    assert names.tolist() == [plain(one, known, labels, 5) for one in asked]


def test_classes_are_those_of_the_classifier_that_the_source_uses():
    """Where no two samples are equally far, which its ties would decide by their order."""
    sklearn = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(4)
    known, labels = rng.integers(0, 256, (1000, 3)), rng.integers(1, 9, 1000)
    asked = rng.integers(0, 256, (20, 50, 3))
    far = np.sort(((asked[:, :, None] - known) ** 2).sum(axis=-1), axis=-1)
    clear = far[..., 4] < far[..., 5]
    theirs = sklearn.KNeighborsClassifier(5).fit(known, labels).predict(asked.reshape(-1, 3))
    found = colour_class(cube(back(asked)), table(known, labels))
    assert found.attrs["flag_meanings"].split() == list(COLOURS)
    assert clear.mean() > 0.9
    np.testing.assert_array_equal((found.values + 1)[clear], theirs.reshape(20, 50)[clear])


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1200, 800, 150), (0, 0, 0)),
        ((5700, 4100, 2800), (255, 255, 255)),
        ((100, 0, 0), (0, 0, 0)),
        ((9000, 9000, 9000), (255, 255, 255)),
        ((3450, 2450, 1475), (127, 127, 127)),
        ((1217.6, 812.9, 160.3), (0, 0, 0)),
        ((1217.7, 813.0, 160.4), (1, 1, 1)),
    ],
)
def test_bytes_are_those_of_the_published_ranges(numbers, expected):
    """Cut off, at steps of 17.647, 12.941 and 10.392."""
    stored = np.float32(numbers) / np.float32(10_000)
    assert to_bytes(stored, ColourRule()).tolist() == list(expected)


def test_every_number_of_a_file_becomes_the_byte_that_whole_numbers_give():
    """Reflectance in float32 loses nothing that a byte shows."""
    numbers = np.arange(10_001)
    stored = np.repeat((numbers / 10_000).astype("float32")[:, None], 3, axis=1)
    found = to_bytes(stored, ColourRule())
    for k in range(3):
        exact = [
            min(max(255 * (n - LOW[k]) // (HIGH[k] - LOW[k]), 0), 255) for n in numbers.tolist()
        ]
        assert found[:, k].tolist() == exact


def test_no_number_is_no_class():
    known = table([(0, 0, 0)] * 5, ["cloudy"] * 5)
    values = back(np.zeros((2, 3, 3)))
    values[0, 1, 2] = np.nan
    assert colour_class(cube(values), known).values.tolist() == [[0, -1, 0], [0, 0, 0]]


def test_dropped_classes_are_flagged_as_outliers():
    known = table(
        [(250, 200, 250), (90, 70, 90), (200, 90, 20)], ["cloudy", "shady", "vegetated (O)"]
    )
    rule = ColourRule(neighbours=1)
    asked = np.array([[200, 91, 22], [249, 199, 251], [201, 90, 20], [91, 70, 92]])[:, None]
    stats = cube(back(asked))
    classes = colour_class(stats, known, rule)
    assert classes.attrs["flag_meanings"] == "cloudy shady vegetated_O"
    flags = outliers(stats, "B08", colours=dropped_colours(classes, rule))
    assert (flags.values[:, 0] & Outlier.COLOUR > 0).tolist() == [False, True, False, True]
    plain_flags = outliers(stats, "B08")
    np.testing.assert_array_equal(flags & ~np.uint8(Outlier.COLOUR), plain_flags)
    assert not dropped_colours(classes, ColourRule(dropped=("hazy",))).any()


def test_lazy_and_blocks_give_the_same(nothing_computes, monkeypatch):
    rng = np.random.default_rng(0)
    known = table(rng.integers(0, 256, (60, 3)), rng.choice([*"abcd"], 60))
    stats = cube(rng.uniform(0, 0.6, (9, 10, 3)))
    whole = colour_class(stats, known)
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 27)
    xr.testing.assert_identical(colour_class(stats, known), whole)
    with nothing_computes:
        lazy = colour_class(stats.chunk({"time": 1}), known)
        flags = outliers(stats.chunk({"time": 1}), "B08", colours=dropped_colours(lazy))
    assert len(lazy.chunks[1]) > 1
    xr.testing.assert_identical(lazy.compute(), whole)
    expected = outliers(stats, "B08", colours=dropped_colours(whole))
    xr.testing.assert_identical(flags.compute(), expected)


def test_what_a_day_did_not_know_changes_nothing():
    rng = np.random.default_rng(0)
    known = table(rng.integers(0, 256, (60, 3)), rng.choice([*"abcd"], 60))
    stats = cube(rng.uniform(0, 0.6, (9, 4, 3)))
    cut = colour_class(stats.isel(time=slice(0, 5)), known)
    changed = stats.copy(deep=True)
    changed["B08"][5:] = 0.3
    for some in (stats, changed):
        xr.testing.assert_identical(colour_class(some, known, as_of="2024-03-23"), cut)


def test_what_cannot_be_meant_is_refused():
    stats = cube(np.zeros((1, 1, 3)))
    good = table([(0, 0, 0)] * 5, ["a"] * 5)
    with pytest.raises(OptionError, match="lacks columns"):
        colour_class(stats, good.rename(columns={"B08": "red"}))
    with pytest.raises(OptionError, match="too few samples"):
        colour_class(stats, good.iloc[:4])
    with pytest.raises(OptionError, match="without a class"):
        colour_class(stats, good.assign(**{"class": ["a", "b", None, "a", "b"]}))
    with pytest.raises(OptionError, match="bytes"):
        colour_class(stats, good.assign(B04=256))
    with pytest.raises(UnknownBandError, match="B11"):
        colour_class(stats.drop_vars("B11"), good)
    with pytest.raises(OptionError, match="range"):
        ColourRule(low=(0, 0, 9000), high=(1, 1, 1))
    with pytest.raises(OptionError, match="vote"):
        ColourRule(neighbours=0)


def test_equal_rules_have_equal_ids():
    assert ColourRule().params_id == ColourRule(neighbours=5).params_id
    assert ColourRule().params_id != ColourRule(neighbours=3).params_id
