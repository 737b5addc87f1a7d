"""What a profile draws, read back from the figure."""

from __future__ import annotations

import builtins
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from matplotlib.dates import date2num

from cbmcube.exceptions import OptionError, UnknownBandError, UnknownParcelError
from cbmcube.markers import ThresholdRule, threshold_runs
from cbmcube.plotting import profile
from cbmcube.series import composite
from cbmcube.testing import vector_cube

EVENTS = [("mowing", "2024-05-25"), ("ploughing", "2024-05-29"), ("harvest", "2024-09-20")]


@pytest.fixture(scope="module")
def optical():
    return vector_cube("CARD-2A", parcels=8)


@pytest.fixture(scope="module")
def backscatter():
    return vector_cube("CARD-BS", parcels=8)


@pytest.fixture(scope="module")
def coherence():
    return vector_cube("CARD-COH6", parcels=8)


def _lines(axis, *, hollow=False):
    """Return lines in data coordinates, filled or hollow."""
    lines = [line for line in axis.lines if line.get_transform() == axis.transData]
    return [
        line
        for line in lines
        if len(line.get_xdata()) and (line.get_markerfacecolor() == "white") == hollow
    ]


def _points(line):
    days = date2num(np.asarray(line.get_xdata(), dtype="datetime64[ns]"))
    return np.stack([days, np.asarray(line.get_ydata(), dtype=float)], axis=1)


def _expected(stats, band, parcel, chosen):
    values = stats[band].sel(parcel=parcel, statistic="mean").values[chosen]
    return np.stack([date2num(stats["time"].values[chosen]), values], axis=1)


def _share(stats, band, parcel):
    one = stats.sel(parcel=parcel, band=band)
    return one["n_valid"].values / one["n_total"].values


def _labels(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_the_line_joins_dates_with_half_of_the_pixels(optical):
    (axis,) = profile(optical, "P1").axes
    share = _share(optical, "NDVI", "P1")
    (line,) = _lines(axis)
    np.testing.assert_allclose(_points(line), _expected(optical, "NDVI", "P1", share >= 0.5))


def test_dates_with_fewer_are_hollow_and_apart(optical):
    (axis,) = profile(optical, "P1").axes
    share = _share(optical, "NDVI", "P1")
    (marks,) = _lines(axis, hollow=True)
    assert marks.get_linestyle() == "None"
    few = (share > 0) & (share < 0.5)
    assert few.any()
    np.testing.assert_allclose(_points(marks), _expected(optical, "NDVI", "P1", few))


def test_cloudy_and_unseen_dates_are_different_marks(optical):
    (axis,) = profile(optical, "P2").axes
    ticks = {line.get_marker(): line for line in axis.lines if line not in _lines(axis)}
    one = optical.sel(parcel="P2", band="NDVI")
    empty = one["n_valid"].values == 0
    unseen = one["observed"].values == 0
    for marker, chosen in (("|", empty & ~unseen), ("x", unseen)):
        assert chosen.any()
        days = np.asarray(ticks[marker].get_xdata(), dtype="datetime64[ns]")
        np.testing.assert_array_equal(days, optical["time"].values[chosen])
        assert (ticks[marker].get_ydata() < 0.05).all()
    assert {"cloudy", "not seen"} <= set(_labels(axis))


def test_the_ribbon_is_the_spread(optical):
    (axis,) = profile(optical, "P1").axes
    good = _share(optical, "NDVI", "P1") >= 0.5
    box = axis.collections[0].get_datalim(axis.transData)
    spread = optical["NDVI"].sel(parcel="P1", statistic=["p25", "p75"]).values[good]
    np.testing.assert_allclose([box.y0, box.y1], [spread.min(), spread.max()], rtol=1e-6)
    assert "p25 to p75" in _labels(axis)


def test_the_spread_falls_back_on_the_deviation():
    stats = vector_cube(statistics=["mean", "std"])
    (axis,) = profile(stats, "P0").axes
    good = _share(stats, "NDVI", "P0") >= 0.5
    mean, std = stats["NDVI"].sel(parcel="P0").values[good].T
    box = axis.collections[0].get_datalim(axis.transData)
    np.testing.assert_allclose([box.y0, box.y1], [(mean - std).min(), (mean + std).max()])
    assert "mean ± std" in _labels(axis)
    (axis,) = profile(stats.sel(statistic=["mean"]), "P0").axes
    assert not any("to" in label or "±" in label for label in _labels(axis))


def test_backscatter_is_in_db_with_a_line_for_each_orbit(backscatter):
    (axis,) = profile(backscatter, "P0").axes
    assert axis.get_ylabel() == "γ⁰ backscatter (dB)"
    drawn = {(line.get_color(), line.get_linestyle()): _points(line) for line in _lines(axis)}
    assert len(drawn) == 4
    assert len({colour for colour, _ in drawn}) == 2
    orbits = backscatter["relative_orbit"].values
    first = backscatter["VV"].sel(parcel="P0", statistic="mean").values[orbits == 15]
    found = [
        len(v) == len(first) and np.allclose(v[:, 1], 10 * np.log10(first)) for v in drawn.values()
    ]
    assert sum(found) == 1
    assert {"VV", "VH", "orbit 15 ↑", "orbit 139 ↓"} <= set(_labels(axis))


def test_a_negative_mean_has_no_db():
    stats = vector_cube("CARD-BS", days=30)
    stats["VV"][0, 0, 1] = -0.001
    (axis,) = profile(stats, "P0", bands="VV").axes
    first = date2num(stats["time"].values[0])
    assert all(first not in _points(line)[:, 0] for line in _lines(axis))


def test_coherence_stands_at_the_later_date_with_a_bar_to_the_earlier(coherence):
    (axis,) = profile(coherence, "P0", bands="VV").axes
    one = coherence["VV"].sel(parcel="P0", statistic="mean").values
    (bars,) = axis.collections
    segments = np.array(bars.get_segments())
    np.testing.assert_allclose(segments[:, 1, 0], date2num(coherence["time"].values))
    np.testing.assert_allclose(segments[:, 1, 0] - segments[:, 0, 0], 6)
    np.testing.assert_allclose(segments[:, :, 1], np.stack([one, one], axis=1), rtol=1e-6)
    days = np.concatenate([_points(line)[:, 0] for line in _lines(axis)])
    np.testing.assert_allclose(np.sort(days), date2num(coherence["time"].values))


def test_three_panels_share_one_time_axis(optical, backscatter, coherence):
    figure = profile([optical, backscatter, coherence], "P3")
    assert len(figure.axes) == 3
    assert len({axis.get_xlim() for axis in figure.axes}) == 1
    low, high = figure.axes[0].get_xlim()
    for cube in (optical, backscatter, coherence):
        days = date2num(cube["time"].values)
        assert low < days.min() < days.max() < high
    assert figure.get_figwidth() == 10


def test_the_title_names_parcel_crop_and_area(optical):
    hectares = optical["area_m2"].sel(parcel="P1").item() / 1e4
    assert profile(optical, "P1").get_suptitle() == f"Parcel P1  ·  grassland  ·  {hectares:.2f} ha"
    plain = optical.drop_vars(["crop", "area_m2"])
    assert profile(plain, "P1").get_suptitle() == "Parcel P1"


def test_asked_bands_go_to_the_panels_that_hold_them(optical, backscatter):
    upper, lower = profile([optical, backscatter], "P0", bands=["B04", "B08", "VH"]).axes
    assert len(_lines(upper)) == 2
    assert len(_lines(lower)) == 2  # one band, two orbits
    assert upper.get_ylabel() == "reflectance (-)"
    with pytest.raises(UnknownBandError, match="B99"):
        profile([optical, backscatter], "P0", bands=["B04", "B99"])


def test_panels_of_one_index_have_one_scale(optical, backscatter):
    dim = optical.assign(NDVI=0.3 * optical["NDVI"])
    low, high, other, radar = profile(
        {
            "dim": dim,
            "full": optical,
            "red": optical[[*optical.drop_vars("NDVI")]],
            "S1": backscatter,
        },
        "P1",
    ).axes
    assert low.get_ylim() == high.get_ylim()
    for axis in (low, high):  # all of both is within it
        bottom, top = axis.get_ylim()
        drawn = np.concatenate([line.get_ydata() for line in [*low.lines[:1], *high.lines[:1]]])
        assert bottom < np.nanmin(drawn)
        assert np.nanmax(drawn) < top
    assert len({axis.get_ylim() for axis in (low, other, radar)}) == 3


def test_names_of_a_mapping_are_panel_titles(optical):
    figure = profile({"ours": optical, "theirs": optical}, "P0")
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["ours", "theirs"]


def test_events_are_lines_in_every_panel_with_a_label_each(optical, backscatter):
    strip, *panels = profile([optical, backscatter], "P1", events=EVENTS).axes
    days = date2num(np.array([date for _, date in EVENTS], dtype="datetime64[ns]"))
    for axis in panels:
        vertical = [line.get_xdata() for line in axis.lines if [*line.get_ydata()] == [0, 1]]
        drawn = [date2num(x[0]) for x in vertical if len(x) == 2 and x[0] == x[1]]
        np.testing.assert_allclose(drawn, days)
    names = [text.get_text() for text in strip.texts if text.get_text() != "●"]
    assert sorted(names) == ["harvest", "mowing", "ploughing"]


@pytest.mark.parametrize("number", [1, 6, 15])
def test_labels_of_events_never_overlap(optical, number):
    days = pd.date_range("2024-06-01", periods=number, freq="2D")
    events = [(f"event number {k}", day) for k, day in enumerate(days)]
    figure = profile(optical, "P0", events=[*events, ("at the very end", "2024-09-26")])
    figure.draw_without_rendering()
    texts = [t for axis in figure.axes for t in axis.texts] + [figure.axes[1].title]
    texts += [*figure.axes[1].get_legend().get_texts(), figure.axes[1]._left_title]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    for first, second in combinations(boxes, 2):
        assert not first.padded(-0.5).overlaps(second.padded(-0.5))
    assert all(box.x1 <= figure.bbox.x1 and box.x0 >= 0 for box in boxes)


def test_events_come_from_tables_and_markers(optical):
    table = pd.DataFrame({"parcel": ["P0", "P1"], "event": ["a", "b"], "date": ["2024-05-01"] * 2})
    strip = profile(optical, "P1", events=table).axes[0]
    assert [text.get_text() for text in strip.texts] == ["●", "b"]
    found = threshold_runs(optical, ThresholdRule("NDVI", 0.3, marker="bare", min_days=20))
    strip = profile(optical, "P0", events=found).axes[0]
    assert "bare" in [text.get_text() for text in strip.texts]
    assert len(profile(optical, "P1", events=found[found["main_date"].isna()]).axes) == 1


def test_wrong_events_say_what_is_allowed(optical):
    for wrong in ([1, 2], pd.DataFrame({"day": ["2024-05-01"]}), [("mowing", "soon")]):
        with pytest.raises(OptionError, match="next:"):
            profile(optical, "P0", events=wrong)


def test_own_axes_are_drawn_on(optical, backscatter):
    figure, axes = plt.subplots(2, 1, sharex=True)
    assert profile([optical, backscatter], "P0", axes=axes, events=EVENTS) is figure
    assert all(axis.has_data() for axis in axes)
    assert "harvest" in [text.get_text() for text in axes[0].texts]
    with pytest.raises(OptionError, match="1 axes for 2 vector cubes"):
        profile([optical, backscatter], "P0", axes=axes[:1])
    plt.close(figure)


def test_the_figure_and_settings_are_not_left_behind(optical):
    before = dict(plt.rcParams)
    profile(optical, "P0")
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


def test_an_unknown_parcel_is_named_with_near_ones(optical):
    with pytest.raises(UnknownParcelError) as error:
        profile(optical, "P11")
    assert "'P11'" in str(error.value)
    assert "P0, P1, P2, P3, P4, … (8 parcels)" in str(error.value)
    assert "did you mean P1" in str(error.value)
    with pytest.raises(UnknownParcelError, match="pass 12"):
        profile(vector_cube(parcels=[12, 13], days=30), "12")


def test_nothing_to_draw_is_an_error(optical):
    with pytest.raises(OptionError, match="no vector cube"):
        profile([], "P0")
    with pytest.raises(OptionError, match="no acquisition"):
        profile(optical.isel(time=[]), "P0")


def test_a_parcel_without_any_value_is_still_drawn(optical):
    blind = optical.assign(NDVI=optical["NDVI"] * np.nan, n_valid=0 * optical["n_valid"])
    (axis,) = profile(blind, "P0").axes
    assert _lines(axis) == []
    assert "cloudy" in _labels(axis)


def test_a_lazy_cube_is_computed_once_and_only_its_bands():
    runs, keys = [], []
    with Callback(start=runs.append, pretask=lambda key, *_: keys.append(str(key))):
        profile(vector_cube(lazy=True), "P1")
    assert len(runs) == 1
    lazy = vector_cube(lazy=True)
    other = lazy["B04"].data.name
    assert not any(other in key for key in keys)


def test_composites_can_be_drawn(backscatter):
    (axis,) = profile(composite(backscatter, "10D"), "P0").axes
    assert len(_lines(axis)) == 4


def test_without_matplotlib_the_extra_is_named(optical, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'cbmcube\[plot\]'"):
        profile(optical, "P0")


def test_the_pixels_of_a_saved_figure_are_not_blank(optical, tmp_path):
    path = tmp_path / "profile.png"
    profile(optical, "P0", events=EVENTS).savefig(path)
    image = plt.imread(path)
    assert image.shape[1] == 1000
    assert 0.02 < (image[..., :3].min(axis=-1) < 0.9).mean() < 0.5


def test_dollar_signs_are_shown_as_they_are():
    """An id such as ``$1 \\bad$`` would be an error of mathematics."""
    stats = vector_cube(parcels=2)
    odd = r"$1 \bad$"
    renamed = stats.assign_coords(parcel=[odd, "P1"])
    figure = profile(renamed, odd, events=[(odd, "2024-05-25")])
    figure.canvas.draw()
    assert odd in figure.get_suptitle()
