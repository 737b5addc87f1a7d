"""What a map of parcels shows, read back from its paths."""

from __future__ import annotations

import geopandas as gpd
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shapely
from matplotlib.colors import to_rgba

import cbmcube as cbm
from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.plotting import choropleth
from cbmcube.testing import vector_cube

CRS = "EPSG:32632"


def squares(values, *, column="NDVI_mean", side=100.0, crs=CRS):
    """Parcels in a row, 200 m apart."""
    left = 500_000 + 200.0 * np.arange(len(values))
    shapes = shapely.box(left, 5_900_000, left + side, 5_900_000 + side)
    return gpd.GeoDataFrame({column: values}, geometry=shapes, crs=CRS).to_crs(crs)


def colour_at(figure, x, y):
    """Colour of the topmost path that holds a point."""
    for collection in reversed(figure.axes[0].collections):
        colours = collection.get_facecolors()
        for number, path in enumerate(collection.get_paths()):
            if path.contains_point((x, y)):
                return tuple(colours[number % len(colours)])
    return None


def labels(figure):
    legend = figure.axes[0].get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_each_number_has_its_colour_of_the_map():
    values = np.linspace(0, 1, 11)
    figure = choropleth(squares(values), "NDVI_mean", limits=(0.0, 1.0))
    for k, value in enumerate(values):
        found = colour_at(figure, 500_050 + 200 * k, 5_900_050)
        np.testing.assert_allclose(found, mpl.colormaps["viridis"](float(value)), atol=1e-9)
    assert figure.axes[1].get_ylabel() == "NDVI mean (-)"
    assert figure.axes[1].get_ylim() == (0, 1)


def test_limits_are_percentiles_and_ends_are_told():
    values = np.append(np.linspace(0, 1, 99), 50.0)
    figure = choropleth(squares(values, column="area_m2"), "area_m2")
    np.testing.assert_allclose(figure.axes[1].get_ylim(), np.percentile(values, [2, 98]))
    assert figure.axes[1].get_ylabel() == "area (m²)"
    top = colour_at(figure, 500_050 + 200 * 99, 5_900_050)
    np.testing.assert_allclose(top, mpl.colormaps["viridis"](1.0))


def test_missing_parcels_are_grey_hatched_and_counted():
    figure = choropleth(squares([0.1, np.nan, 0.9, np.nan, np.inf]), "NDVI_mean")
    hatched = [c for c in figure.axes[0].collections if c.get_hatch()]
    assert len(hatched) == 1
    assert colour_at(figure, 500_250, 5_900_050) == to_rgba("#EDEDED")
    assert labels(figure) == ["no value: 3 parcels"]


def test_categories_are_counted_the_most_frequent_first():
    values = ["b", "a", "b", None, "c", "b", "a"]
    figure = choropleth(squares(values, column="crop"), "crop")
    assert labels(figure) == ["b: 3 parcels", "a: 2 parcels", "c: 1 parcel", "no value: 1 parcel"]
    colours = {v: colour_at(figure, 500_050 + 200 * k, 5_900_050) for k, v in enumerate(values)}
    assert len({*colours.values()}) == 4
    handles = figure.axes[0].get_legend().legend_handles
    assert handles[0].get_facecolor() == colours["b"]
    assert figure.axes[0].get_legend().get_title().get_text() == "crop"


def test_many_categories_share_a_grey_and_own_colours_win():
    values = [str(k) for k in range(12)] + ["0"]
    assert labels(choropleth(squares(values, column="k"), "k"))[-1] == "5 others: 5 parcels"
    figure = choropleth(squares([True, False, True], column="m"), "m", colours={True: "#00ff00"})
    assert colour_at(figure, 500_050, 5_900_050) == to_rgba("#00ff00")
    assert labels(figure) == ["True: 2 parcels", "False: 1 parcel"]
    status = pd.Categorical(["OK", None], categories=["OK", "NOT_VALID"])
    assert labels(choropleth(squares(status, column="s"), "s")) == [
        "OK: 1 parcel",
        "no value: 1 parcel",
    ]


def test_holes_stay_open_and_overlaps_stay_filled():
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    twice = [shapely.box(200, 0, 300, 100), shapely.box(250, 0, 350, 100).reverse()]
    parts = shapely.MultiPolygon([shapely.box(400, 0, 450, 50), shapely.box(460, 0, 500, 50)])
    shapes = [ring, *twice, parts, None, shapely.Polygon()]
    table = gpd.GeoDataFrame({"x": [1.0] * 6}, geometry=shapes, crs=CRS)
    figure = choropleth(table, "x", limits=(0, 2))
    figure.draw_without_rendering()
    image = _picture(figure)
    axis = figure.axes[0]
    for x, y, inside in [
        (20, 50, True),
        (50, 50, False),
        (275, 50, True),
        (425, 25, True),
        (455, 25, False),
        (480, 25, True),
    ]:
        column, row = axis.transData.transform((x, y))
        pixel = image[image.shape[0] - 1 - int(row), int(column), :3]
        assert (pixel < 250).any() == inside, (x, y)
    assert labels(figure) == ["not drawn, no geometry: 2 parcels"]


def _picture(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_axes_are_in_metres_or_kilometres():
    figure = choropleth(squares([0.1, 0.2]), "NDVI_mean")
    assert figure.axes[0].get_xlabel() == "easting (m), EPSG:32632"
    figure.draw_without_rendering()
    ticks = [t.get_text() for t in figure.axes[0].get_xticklabels()]
    assert all(len(text) == 7 for text in ticks)  # 500,050: whole metres
    far = choropleth(squares(np.arange(60) / 60), "NDVI_mean").axes[0]
    assert far.get_xlabel() == "easting (km), EPSG:32632"
    assert far.xaxis.get_major_formatter()(504_000, 0) == "504"
    assert far.get_aspect() == 1


def test_degrees_are_projected():
    degrees = squares([0.1, 0.2], crs="EPSG:4326")
    before = degrees.copy()
    figure = choropleth(degrees, "NDVI_mean")
    assert figure.axes[0].get_xlabel() == "easting (m), EPSG:32632"
    assert colour_at(figure, 500_050, 5_900_050) is not None
    pd.testing.assert_frame_equal(degrees, before)


def test_a_date_of_a_vector_cube():
    fields = cbm.to_geodataframe(vector_cube(parcels=9).isel(time=4))
    figure = choropleth(fields, "NDVI_mean", title="a day")
    assert figure.axes[0].get_title(loc="left") == "a day"
    missing = int(fields["NDVI_mean"].isna().sum())
    assert labels(figure) == ([f"no value: {missing} parcels"] if missing else [])


@pytest.mark.parametrize("values", [[], [np.nan], [0.5]])
def test_few_or_no_parcels_are_drawn(values):
    figure = choropleth(squares(np.array(values, dtype=float)), "NDVI_mean")
    figure.draw_without_rendering()
    assert labels(figure) == {0: ["no parcels"]}.get(
        len(values), ["no value: 1 parcel"] if np.isnan(values).any() else []
    )


def test_own_axes_are_drawn_on_and_settings_stay():
    before = dict(plt.rcParams)
    figure, axis = plt.subplots()
    assert choropleth(squares([0.1, 0.2]), "NDVI_mean", axis=axis) is figure
    assert axis.collections
    plt.close(figure)
    choropleth(squares([0.1, 0.2]), "NDVI_mean")
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


def test_wrong_tables_say_what_is_missing():
    table = squares([0.1, 0.2])
    with pytest.raises(OptionError, match="NDVI_mean"):
        choropleth(table, "EVI_mean")
    with pytest.raises(OptionError, match="to_geodataframe"):
        choropleth(pd.DataFrame({"x": [1]}), "x")
    with pytest.raises(OptionError, match="1 to 0"):
        choropleth(table, "NDVI_mean", limits=(1, 0))
    with pytest.raises(MissingCRSError):
        choropleth(table.set_crs(None, allow_override=True), "NDVI_mean")
