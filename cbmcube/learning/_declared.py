"""What a vector cube says of its parcels that similarity needs: series, crops, shapes, holdings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    OptionError,
    ParcelsError,
    UnknownParcelError,
)
from cbmcube.learning._peers import Shapes
from cbmcube.learning._similarity_rule import SimilarityRule
from cbmcube.products import CARD_BS
from cbmcube.series import Moment, composite, refuse_mixed_orbits, select_statistics, up_to

_BACKSCATTER = {band.name for band in CARD_BS.bands if band.kind == "backscatter"}
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Declared:
    """Parcels with their declared crops and series."""

    index: pd.Index
    """Ids, in the cube's order."""
    values: NDArray[np.float32]
    """Series (parcel, period), in the units that are compared."""
    times: NDArray[np.datetime64]
    """Begin of each period."""
    unit: str
    """Unit of the values: dB, or that of the cube."""
    floor: float
    """Smallest spread that is believed, in that unit."""
    crop: NDArray[np.int64]
    """Crop of each parcel, a position in `crops`; -1 for none."""
    crops: NDArray[Any]
    """Labels of crops, in the order of their text."""
    holding: NDArray[np.int64] | None
    """Holding of each parcel, -1 for none; None if the cube says nothing of them."""
    shapes: Shapes
    """Shapes of all parcels; those without one have a point that is used by nobody."""
    reason: NDArray[np.object_]
    """Why a parcel cannot be judged, None if it can."""
    eligible: NDArray[np.bool_]
    """Who may be a peer."""

    def rows(self, parcels: Sequence[Any] | None) -> NDArray[np.int64]:
        """Return the positions of parcels, of all for ``None``."""
        if parcels is None:
            return np.arange(len(self.index))
        wanted = [*parcels]
        at = self.index.get_indexer(pd.Index(wanted)) if wanted else np.zeros(0, np.int64)
        if (at < 0).any():
            raise UnknownParcelError(
                "these parcels are not in the vector cube",
                given=", ".join(repr(wanted[k]) for k in np.flatnonzero(at < 0)[:5]),
                allowed=f"{len(self.index)} ids such as {self.index[0]!r}",
                hint="ids have one type: '12' is not 12",
            )
        return np.asarray(at, np.int64)

    def code(self, crop: object) -> int:
        """Return the position of a crop."""
        found = np.flatnonzero(self.crops == crop)
        if not found.size:
            raise OptionError(
                "no parcel declares this crop",
                given=repr(crop),
                allowed=", ".join(map(str, self.crops[:20])),
            )
        return int(found[0])


def read_declared(
    stats: xr.Dataset,
    band: str,
    rule: SimilarityRule,
    *,
    crop: str,
    period: str | None,
    as_of: Moment | None,
) -> Declared:
    """Read what is needed; a lazy cube is computed here, once."""
    refuse_mixed_orbits(stats)
    index = _ids(stats)
    decibel = band in _BACKSCATTER if rule.decibel is None else rule.decibel
    values, times = _series(stats, band, period, as_of, decibel=decibel)
    placed, shapes = _shapes(stats, index, rule.crs)
    code, labels = _codes(_coordinate(stats, crop, hint="name it: similarity(…, crop='…')"))
    seen = np.isfinite(values).sum(axis=1)
    reason = np.full(len(index), None, dtype=object)
    reason[seen < rule.min_periods] = "TOO_FEW_OBS"
    poor, good = _classes(stats, rule)
    reason[poor] = "CLASS_POOR"
    reason[(seen == 0) | ~placed] = "NO_INPUT"
    eligible = (reason == None) & good & (code >= 0)  # noqa: E711 - element by element
    if rule.min_area_m2 > 0:
        hint = "see prepare_parcels, or set SimilarityRule(min_area_m2=0)"
        area = _coordinate(stats, "area_m2", hint=hint).astype(float)
        eligible &= area >= rule.min_area_m2
    return Declared(
        index=index,
        values=values,
        times=times,
        unit="dB" if decibel else str(stats[band].attrs.get("units", "1")),
        floor=rule.floor_db if decibel else rule.floor,
        crop=code,
        crops=labels,
        holding=_codes(stats["holding"].to_numpy())[0] if "holding" in stats.coords else None,
        shapes=shapes,
        reason=reason,
        eligible=eligible,
    )


def _ids(stats: xr.Dataset) -> pd.Index:
    index = stats.indexes["parcel"]
    if not index.is_unique:
        repeated = index[index.duplicated()].unique()
        raise DuplicateIdError(
            "a parcel occurs more than once in the vector cube",
            given=", ".join(map(str, repeated[:5])),
            hint="give each row one id; see read_parcels(..., id=...)",
        )
    return index.rename("parcel")


def _series(
    stats: xr.Dataset, band: str, period: str | None, as_of: Moment | None, *, decibel: bool
) -> tuple[NDArray[np.float32], NDArray[np.datetime64]]:
    names = ["mean"] if period is None else ["count", "mean"]
    # Other bands and statistics are never computed.
    few = stats[[band]].sel(statistic=select_statistics(stats, names))
    known = _known(few, as_of) if period is None else composite(few, period, as_of=as_of)
    ordered = known[band].sel(statistic="mean").sortby("time").transpose("parcel", "time")
    times = ordered["time"].to_numpy()
    if pd.Index(times).has_duplicates:
        raise OptionError(
            "several entries of the cube have one time",
            given=str(times[1:][times[1:] == times[:-1]][0]),
            allowed="one entry for each period",
            hint="aggregate first: similarity(…, period='10D')",
        )
    values = ordered.to_numpy().astype("float32")
    if decibel:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, 10 * np.log10(values), np.float32(np.nan))
    return np.ascontiguousarray(values), times


def _known(stats: xr.Dataset, as_of: Moment | None) -> xr.Dataset:
    """Leave out periods that hold anything later: what is in a composite cannot be taken out."""
    if as_of is None:
        return stats
    begin = stats["time"].to_numpy()
    end = begin
    if "last_time" in stats.coords:
        end = np.fmax(begin, stats["last_time"].to_numpy())
    elif "period_days" in stats.coords:
        end = begin + stats["period_days"].to_numpy() * _DAY
    moved = stats.assign_coords(time=("time", end), begin=("time", begin))
    kept = up_to(moved, as_of)
    return kept.assign_coords(time=("time", kept["begin"].to_numpy())).drop_vars("begin")


def _coordinate(stats: xr.Dataset, name: str, *, hint: str) -> NDArray[Any]:
    if name not in stats.variables or stats[name].dims != ("parcel",):
        raise OptionError(
            f"the vector cube says nothing of {name!r}",
            given=", ".join(str(c) for c in stats.coords if stats[c].dims == ("parcel",)),
            allowed=f"a coordinate {name!r} on the dim parcel",
            hint=f"columns of the parcels become coordinates in reduce_parcels; {hint}",
        )
    return stats[name].to_numpy()


def _codes(labels: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return a number for each label, -1 for none, and the labels in the order of their text."""
    missing = pd.isna(labels) | (labels.astype(str) == "")
    code = np.full(labels.shape, -1, np.int64)
    found, names = pd.factorize(labels[~missing])
    order = np.argsort(np.array([*map(str, names)], dtype=str), kind="stable")
    code[~missing] = np.argsort(order)[found]
    return code, np.asarray(names)[order]


def _classes(
    stats: xr.Dataset, rule: SimilarityRule
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which parcels are too small to be judged, and which are large enough for a peer."""
    if "class_10m" not in stats.coords:
        return np.zeros(stats.sizes["parcel"], bool), np.ones(stats.sizes["parcel"], bool)
    name = stats["class_10m"].to_numpy().astype(str)
    return np.isin(name, rule.poor_classes), np.isin(name, rule.peer_classes)


def _shapes(stats: xr.Dataset, index: pd.Index, crs: str) -> tuple[NDArray[np.bool_], Shapes]:
    """Return which parcels have a place, and all shapes in metres."""
    known = getattr(stats.xindexes.get("geometry"), "crs", None)
    if known is None:
        raise MissingCRSError(
            "the vector cube's geometries have no coordinate reference system",
            hint="stats.set_xindex('geometry', xvec.GeometryIndex, crs='EPSG:…')",
        )
    series = gpd.GeoSeries(stats["geometry"].to_numpy(), crs=known)
    placed = ~(series.isna() | series.is_empty).to_numpy()
    metres = np.array(series.to_crs(crs), dtype=object)  # a copy: the shapes are the user's
    metres[~placed] = shapely.Point(0.0, 0.0)
    if not np.isfinite(shapely.bounds(metres)).all():
        raise ParcelsError(
            f"parcels lie outside of what {crs} covers",
            given=f"geometries in {known}",
            hint="distances need a system in metres that fits: SimilarityRule(crs='EPSG:…')",
        )
    # Ranks of ids as text: the same whatever the order of parcels.
    key = np.argsort(np.argsort(index.astype(str).to_numpy(), kind="stable"), kind="stable")
    return placed, Shapes.of(np.asarray(metres), key)
