"""The published signals of ten real parcels in 2020 as vector cubes, and the events on them."""

from __future__ import annotations

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr
import xvec

PARCELS = list(range(1, 11))
CLEAR = ("4", "5", "6")
"""Scene classes of a valid pixel: vegetation, bare soil and water."""
KINDS = {
    "s2": {"B04": "B04", "B08": "B08"},
    "s2_idx": {"NDVI": "NDVI", "GARI": "GARI", "BSI": "BSI"},
    "s1_bs": {"s1_bs_rAD": "VV_rAD", "s1_bs_VH_rAD": "VH_rAD"},
    "s1_coh6": {"s1_coh6_VV": "VV", "s1_coh6_VH": "VH", "s1_coh6": "mean_VV_VH"},
    "s1_bsidx": {"RVI": "RVI"},
}
"""Bands in the files, and how they are called here; rAD is a ratio of ascending to descending."""
STATISTICS = {
    "count": "count", "mean": "MEAN", "std": "STD.DEV", "min": "MIN", "max": "MAX",
    "p25": "P25", "p50": "P50", "p75": "P75",
}  # fmt: skip
"""Statistics here, and columns in the files; their standard deviation is that of a sample."""

_PRODUCT = {"s1_coh6": "CARD-COH6", "s1_bs": "CARD-BS", "s1_bsidx": "CARD-BS"}
_CRS = "EPSG:3035"


def read(realdata, kind):
    """Return the rows of one kind of all parcels: `parcel`, `time`, and the published columns."""
    folder = realdata / "jrc-salms" / "tsdir"
    tables = [pd.read_csv(folder / f"{n}_{kind}_ts.csv").assign(parcel=n) for n in PARCELS]
    table = pd.concat(tables, ignore_index=True)
    form = {"s1_bs": "%Y%m%dT%H%M%S", "s1_coh6": "%Y%m%dT%H%M%S"}.get(kind)
    table["time"] = pd.to_datetime(table["date"], format=form).astype("datetime64[ns]")
    return table.rename(columns=lambda name: name.replace("hist.", "SCL_"))


def cube(realdata, kind, *, clear=True, bands=None):
    """Return the vector cube of one kind, (time, parcel, statistic), for ten parcels.

    Parameters
    ----------
    realdata
        The folder that the fixture of this name gives.
    kind
        A key of `KINDS`. Radar has one number for each week, from several orbits, so that neither
        the relative orbit nor the direction is known.
    clear
        Of Sentinel-2: whether `n_valid` and `count` are the pixels of scene classes 4, 5 and 6,
        and an acquisition without such a pixel has no numbers. The other numbers are those of the
        file in any case, which are taken from all pixels: ask for a share of clear ones.
    bands
        Some of the values of `KINDS[kind]`; all by default.
    """
    names = {ours: theirs for theirs, ours in KINDS[kind].items() if bands is None or ours in bands}
    table = read(realdata, kind)
    times = pd.DatetimeIndex(np.sort(table["time"].unique()))
    rows = table.set_index(["band", "time", "parcel"])
    index = pd.MultiIndex.from_product([times, PARCELS], names=["time", "parcel"])
    planes = {ours: rows.loc[theirs].reindex(index) for ours, theirs in names.items()}
    shape = (len(times), len(PARCELS))
    first = planes[next(iter(planes))]
    seen = first["count"].notna().to_numpy().reshape(shape)
    total = first["count"].fillna(0).to_numpy().reshape(shape)
    optical = kind.startswith("s2")
    valid = total
    if optical and clear:
        valid = first[[f"SCL_{code}" for code in CLEAR]].sum(axis=1).to_numpy().reshape(shape)
    stats = xr.Dataset(
        {name: _band(plane, valid, shape) for name, plane in planes.items()},
        coords=_coords(kind, times, [*planes], _areas(realdata)),
        attrs={"product": _PRODUCT.get(kind, "CARD-2A"), "pixels": "inside"},
    )
    finite = [np.isfinite(stats[name].sel(statistic="mean").to_numpy()) for name in planes]
    counts = np.stack([np.where(known, valid, 0) for known in finite])
    stats["n_valid"] = ("band", "time", "parcel"), counts.astype("int32")
    stats["n_total"] = ("band", "parcel"), np.tile(total.max(axis=0), (len(planes), 1)).astype(int)
    stats["observed"] = ("time", "parcel"), seen.astype("float32")
    if optical:
        shares = first[[f"SCL_{code}" for code in range(12)]].to_numpy().reshape(*shape, 12)
        shares = (shares / np.where(total > 0, total, np.nan)[..., None]).astype("float32")
        stats["SCL_fraction"] = (("time", "parcel", "class"), shares)
        stats = stats.assign_coords({"class": range(12)})
    return stats.set_xindex("geometry", xvec.GeometryIndex, crs=_CRS)


def _areas(realdata):
    """Return square metres of each parcel, which the list of events states in hectares."""
    return 10_000 * events(realdata).groupby("parcel")["area_ha"].first().loc[PARCELS].to_numpy()


def _band(plane, valid, shape):
    values = plane[[*STATISTICS.values()]].to_numpy(dtype=float).reshape(*shape, -1)
    values[valid == 0] = np.nan
    values[..., 0] = np.where(np.isfinite(values[..., 1]), valid, 0)  # some rows are empty
    return ("time", "parcel", "statistic"), values.astype("float32"), {"units": "1"}


def _coords(kind, times, bands, areas):
    """Lay the parcels out as squares of their area: the files hold no outline."""
    side, left = np.sqrt(areas), 4_000_000 + 1000.0 * np.arange(len(PARCELS))
    shapes = shapely.box(left, 3_000_000.0, left + side, 3_000_000.0 + side)
    names = [f"{kind}_{time:%Y%m%dT%H%M%S}" for time in times]
    radar = not kind.startswith("s2")
    coords = {
        "parcel": PARCELS,
        "area_m2": ("parcel", areas),
        "geometry": ("parcel", geopandas.array.from_shapely(shapes)),
        "time": times.to_numpy(),
        "statistic": [*STATISTICS],
        "band": bands,
        "acquisition": ("time", np.array(names)),
        "platform": ("time", np.array(["Sentinel-1" if radar else "Sentinel-2"] * len(times))),
        "relative_orbit": ("time", np.full(len(times), -1)),
        "orbit_state": ("time", np.array([""] * len(times))),
        "items": ("time", np.array(names)),
    }
    if kind == "s1_coh6":
        coords["reference_time"] = ("time", times.to_numpy() - np.timedelta64(6, "D"))
    return coords


def events(realdata):
    """Return what was seen in the field: `parcel`, `date` (a day in UTC), `area_ha`, by parcel."""
    table = pd.read_csv(realdata / "jrc-salms" / "gtdir" / "FOIinfo.csv", index_col=0)
    found = pd.DataFrame(
        {
            "parcel": table["ID"],
            "date": pd.to_datetime(table["Event_date"], format="%d/%m/%Y").astype("datetime64[ns]"),
            "area_ha": table["area"],
        }
    )
    return found.sort_values(["parcel", "date"], ignore_index=True)
