"""Colours and lanes."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube._style import (
    band_colours,
    event_colours,
    house_style,
    orbit_label,
    orbit_styles,
)
from cbmcube.plotting import profile
from cbmcube.plotting.seasons._events import lanes_of
from cbmcube.testing import vector_cube

BANDS = ["NDVI", "VV", "VH", "B02", "B03", "B04", "B08", "B11", "B12", "EVI"]


@given(st.lists(st.sampled_from(BANDS), min_size=1, max_size=7, unique=True))
def test_up_to_seven_bands_have_seven_colours(bands):
    colours = band_colours(bands)
    assert list(colours) == bands
    assert len(set(colours.values())) == len(bands)


def test_a_band_keeps_its_colour_beside_others():
    assert band_colours(["VV"])["VV"] == band_colours(["VH", "VV"])["VV"]


def test_colours_of_events_do_not_depend_on_order():
    assert event_colours(["b", "a", "b"]) == event_colours(["a", "b"])


def test_orbits_have_their_own_styles():
    styles = orbit_styles([(139, "descending"), (15, "ascending"), (15, "ascending")])
    assert list(styles) == [(15, "ascending"), (139, "descending")]
    assert len(set(styles.values())) == 2
    assert orbit_label(139, "descending") == "orbit 139 ↓"
    assert orbit_label(22, "") == "orbit 22"


@given(
    st.lists(st.tuples(st.floats(0, 500), st.floats(1, 90)), max_size=25).map(sorted),
)
def test_labels_of_one_lane_do_not_overlap(labels):
    left, width = np.array(labels).reshape(-1, 2).T
    lanes = lanes_of(left, width)
    for lane in set(lanes):
        inside = [k for k, value in enumerate(lanes) if value == lane]
        ends = left[inside] + width[inside]
        assert (left[inside][1:] >= ends[:-1]).all()


def test_every_day_on_the_axis_names_its_month():
    figure = profile(vector_cube(parcels=2, days=80), "P1", bands="NDVI")
    figure.draw_without_rendering()
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert any(" " in label for label in labels)
    assert all(re.fullmatch(r"(\d\d )?[A-Z][a-z]{2}|\d{4}", label) for label in labels)
    assert figure.axes[-1].xaxis.get_offset_text().get_text() == "2024"


@pytest.mark.parametrize("fails", [False, True])
def test_a_backend_that_is_loaded_inside_stays_interactive(fails):
    """A notebook's backend is: figures that the user makes later must still be shown."""
    mpl = pytest.importorskip("matplotlib")
    before = mpl.is_interactive()
    try:
        mpl.interactive(b=False)
        with suppress(ValueError), house_style():
            mpl.interactive(b=True)
            if fails:
                raise ValueError
        assert mpl.is_interactive()
    finally:
        mpl.interactive(before)
