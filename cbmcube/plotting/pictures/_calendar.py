"""The calendar of a parcel: a picture of every acquisition, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import xarray as xr
from odc.geo.crs import CRS
from odc.geo.geom import Geometry

from cbmcube._canvas import as_written, new_figure, require_matplotlib
from cbmcube._style import house_style
from cbmcube.exceptions import OptionError
from cbmcube.plotting.pictures._chips import layers_of, read_chips
from cbmcube.plotting.pictures._contact import Page, draw_page
from cbmcube.plotting.pictures._ground import Outline, grids_of, read_outline
from cbmcube.plotting.pictures._picture import caption, channels, choose_picture, limits_of, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def calendar(
    cube: xr.Dataset | xr.DataTree,
    parcel: gpd.GeoDataFrame | gpd.GeoSeries | Geometry,
    *,
    bands: str | Sequence[str] | None = None,
    stretch: tuple[float, float] | None = None,
    margin: float | None = None,
    columns: int = 8,
    empty: bool = True,
) -> Figure:
    """Draw a chip of every acquisition of one parcel, in order of time, with its outline.

    All chips show the same square of ground, north up, in colours with the same limits, so
    that they can be compared by eye. Below each stand date, platform and orbit, and with a
    scene classification (SCL) the share of the parcel under cloud, cloud shadow or cirrus, also
    as a bar. Pixels without data are hatched. Load the cube without a mask to see clouds.

    Parameters
    ----------
    cube
        What `load` or `load_native` returned: bands on (time, y, x), or a tree of several
        grids. Of these, the CRS that covers most of the parcel is taken, and each band from
        its finest grid. On Dask arrays only the window is read, in one computation.
    parcel
        One row of the parcels, ``parcels.loc[["F0001"]]``, or a geometry with a CRS.
    bands
        One band, or three for red, green and blue; ``["VV", "VH"]`` for radar: VV, VH and
        their ratio in dB. By default the first of true colour (B04, B03, B02), false
        colour (B08, B04, B03 or like it), radar, and the first band. ``"SCL"`` shows its
        classes in their official colours.
    stretch
        Values at the dark and the bright end of the colours. By default fixed ones: reflectance
        0 to 0.25 in visible bands and 0 to 0.5 in the near infrared, and dB of farmland for
        radar. A single band goes from its 2nd to its 98th percentile. The figure states them.
    margin
        Metres around the parcel; by default a third of its longer side, at least 30.
    columns
        Chips in a row. Default 8.
    empty
        Whether acquisitions that have no data in the parcel, such as those of other orbits,
        have a chip. Without, they are counted in the title.

    Returns
    -------
    matplotlib.figure.Figure
        A figure 10 inches wide; all chips lie on its one axes, whose units are inches.

    Raises
    ------
    MissingCRSError
        If the parcel or the cube has no CRS.
    NoOverlapError
        If the parcel lies outside the cube.
    UnknownBandError
        If the cube does not hold a band.
    OptionError
        If there is not one parcel, no pixel cube or no acquisition, or an option makes no sense.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.plotting import calendar
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id", crop="crop")
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A, period="2024-04")
    >>> cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B02", "B03", "B04", "SCL"])
    >>> figure = calendar(cubes, parcels.loc[["F0002"]])
    >>> len(figure.axes[0].images) == len(cubes["EPSG32632_10m"].time)
    True
    """
    require_matplotlib("calendars")
    _check(margin, columns)
    outline = read_outline(parcel)
    grids = grids_of(cube, outline)
    layers = layers_of(grids)
    known = {name: band for name, band in layers.items() if name != "observed"}
    picture = choose_picture(known, bands, stretch, str(grids[0].attrs.get("product", "")))
    crs = CRS(grids[0].odc.crs)
    shape = outline.to(crs)
    metres = _metres(crs, shape)
    chips = read_chips(layers, picture.bands, shape, margin=margin, metres=metres)
    chosen = np.ones(len(chips.dates), dtype=bool) if empty else chips.dates["seen"].to_numpy() > 0
    shown = channels(picture, chips.values)
    limits = limits_of(picture, shown)
    page = Page(
        images=paint(picture, shown, limits)[chosen],
        dates=chips.dates[chosen],
        shape=shape,
        bounds=chips.bounds,
        metres=metres,
        title=_headline(outline),
        caption=f"{caption(picture, limits)}  ·  {_counted(chosen)}",
        picture=picture,
        limits=limits,
    )
    with house_style():
        most = min(columns, max(1, len(page.images)))
        figure = draw_page(page, columns=most, make=new_figure)
        as_written(figure)
    return figure


def _check(margin: float | None, columns: int) -> None:
    if margin is not None and not margin >= 0:
        raise OptionError(
            "the margin is metres around the parcel",
            given=repr(margin),
            allowed="0 or more",
            hint="leave it out for a third of the parcel's longer side",
        )
    if columns < 1:
        raise OptionError(
            "a row has at least one chip", given=f"columns={columns}", hint="8 fit well"
        )


def _metres(crs: CRS, shape: Any) -> float:
    """Return the metres in a unit of the CRS; of degrees, on the parcel's parallel."""
    if crs.geographic:
        return float(111_320 * np.cos(np.radians(shape.centroid.y)))
    return float(crs.proj.axis_info[0].unit_conversion_factor)


def _headline(outline: Outline) -> str:
    about = outline.about
    parts = [f"Parcel {about['parcel']}"] if "parcel" in about else ["Parcel"]
    if str(about.get("crop", "")) not in ("", "nan", "None", "<NA>"):
        parts.append(str(about["crop"]))
    area = about.get("area_m2")
    if isinstance(area, float):
        parts.append(f"{area / 10_000:.2f} ha")
    return "  ·  ".join(parts)


def _counted(chosen: np.ndarray) -> str:
    number, left = int(chosen.sum()), int((~chosen).sum())
    text = f"{number} acquisition{'s' if number != 1 else ''}"
    return f"{text}, {left} without data left out" if left else text
