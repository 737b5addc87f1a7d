"""What the calendar of scenes draws, read back from the figure."""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.dates import date2num

from cbmcube.catalog import report
from cbmcube.exceptions import OptionError
from cbmcube.plotting import scene_calendar
from tests.plotting.made_scenes import FIRST, scene, search

START = date2num(FIRST)


def marks(axis, label):
    """Return (days since the first of March, row) of the marks with this label."""
    found = [one for one in axis.collections if one.get_label() == label]
    points = np.concatenate([one.get_offsets() for one in found] or [np.empty((0, 2))])
    return sorted((round(float(x - START), 3), round(float(y), 2)) for x, y in points)


def rows(axis):
    return [text.get_text() for text in axis.get_yticklabels()]


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_each_tile_of_each_acquisition_has_a_mark():
    items = [scene(0), scene(10), scene(20), scene(3, orbit=65), scene(13, orbit=65)]
    items += [scene(0, tile="33UXP"), scene(5, tile="33UXP", platform="sentinel-2b")]
    (axis,) = scene_calendar(search(items)).axes
    assert rows(axis) == ["R022 ↓  33UWP", "R022 ↓  33UXP", "R065 ↓  33UWP"]
    assert marks(axis, "S2A") == [(0, 0), (0, 1), (3, 2), (10, 0), (13, 2), (20, 0)]
    assert marks(axis, "S2B") == [(5, 1)]
    colours = {
        one.get_label(): tuple(one.get_facecolor()[0])
        for one in axis.collections
        if one.get_label() in ("S2A", "S2B")
    }
    assert len(set(colours.values())) == 2


def test_an_acquisition_without_this_tile_leaves_a_tick():
    items = [scene(0), scene(0, tile="33UXP"), scene(10)]
    (axis,) = scene_calendar(items).axes
    assert marks(axis, "other tiles only") == [(10, 1)]
    assert "other tiles only" in legend(axis)


def test_gaps_are_hollow_on_every_row_of_their_track():
    items = [scene(0), scene(20), scene(0, tile="33UXP"), scene(3, orbit=65)]
    (axis,) = scene_calendar(items).axes
    assert marks(axis, "expected, not found") == [(10, 0), (10, 1)]
    (gaps,) = [one for one in axis.collections if one.get_label() == "expected, not found"]
    np.testing.assert_array_equal(gaps.get_facecolor()[0], [1, 1, 1, 1])
    assert "1 expected and not found" in axis.get_title(loc="left")


def test_twins_are_crosses_above_what_stays_and_all_reasons_are_counted():
    dropped = [("old", "reprocessed twin", "new"), ("a", "outside", None), ("b", "outside", None)]
    items = search([scene(0, name="new"), scene(10)], dropped=dropped)
    (axis,) = scene_calendar(items).axes
    [(day, row)] = marks(axis, "twin left out")
    assert day == 0
    assert -0.5 < row < 0
    assert "outside (2), reprocessed twin (1)" in axis.get_xlabel()


@pytest.mark.parametrize(("number", "rows"), [(150, "orbit"), (300, "tile"), (3, "orbit")])
def test_marks_of_a_row_do_not_cover_each_other(number, rows):
    figure = scene_calendar([scene(2 * day) for day in range(number)], rows=rows)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    [found] = [one for one in axis.collections if one.get_label() == "S2A"]
    apart = np.diff(np.sort(axis.transData.transform(found.get_offsets())[:, 0])).min()
    wide = np.sqrt(found.get_sizes().max()) * figure.dpi / 72
    assert wide <= apart
    assert wide > 2


def test_many_tiles_become_one_row_for_each_orbit():
    items = [
        scene(day, orbit=orbit, tile=f"33U{chr(65 + k // 20)}{chr(65 + k % 20)}")
        for orbit in (22, 65)
        for day in (orbit % 10, orbit % 10 + 10)
        for k in range(31 if day < 10 else 5)
    ]
    (axis,) = scene_calendar(items).axes
    assert rows(axis) == ["R022 ↓", "R065 ↓"]
    (found,) = [one for one in axis.collections if one.get_label() == "S2A"]
    sizes = dict(zip(map(tuple, found.get_offsets()), found.get_sizes(), strict=True))
    assert len(sizes) == 4
    assert sorted(set(sizes.values())) == pytest.approx([8 + 60 * 5 / 31, 68])
    (axis,) = scene_calendar(items, rows="tile").axes
    assert len(rows(axis)) == 62


@pytest.mark.parametrize("tiles", [1, 60])
def test_labels_of_rows_do_not_overlap(tiles):
    items = [scene(d, tile=f"33U{chr(65 + k // 20)}{chr(65 + k % 20)}")
             for d in (0, 20) for k in range(tiles)]  # fmt: skip
    figure = scene_calendar(items)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    boxes = [text.get_window_extent() for text in axis.get_yticklabels()]
    for upper, lower in pairwise(boxes):
        assert not upper.overlaps(lower)
    width, height = figure.get_size_inches() * figure.dpi
    for box in (*boxes, axis.get_legend().get_window_extent(), axis.title.get_window_extent()):
        assert box.x0 >= 0
        assert box.y1 <= height
        assert box.x1 <= width


def test_a_single_date_is_not_drawn_over_years():
    (axis,) = scene_calendar([scene(0)]).axes
    low, high = axis.get_xlim()
    assert high - low == pytest.approx(14)
    assert low < START < high
    assert axis.get_title(loc="left") == "1 item in 1 acquisition  ·  2024-03-01"


def test_nothing_found_says_so_and_why():
    figure = scene_calendar(search([], dropped=[("a", "outside", None)]))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["no scene was found"]
    assert "outside (1)" in axis.get_xlabel()


def test_axes_of_the_caller_and_a_report_serve():
    figure, axis = plt.subplots()
    assert scene_calendar(report(search([scene(0)])), axis=axis) is figure
    assert marks(axis, "S2A") == [(0, 0)]
    plt.close(figure)


def test_wrong_rows_are_refused():
    with pytest.raises(OptionError, match="rows are orbits or tiles"):
        scene_calendar([scene(0)], rows="day")
