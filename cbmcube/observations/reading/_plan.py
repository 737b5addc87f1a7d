"""The plan of a season as readers see it: groups, acquisitions, units, and where parcels lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from geopandas.array import GeometryDtype
from numpy.typing import NDArray

from cbmcube.exceptions import UnknownParcelError
from cbmcube.observations.store import decode, decode_parcels

GetBlob = Callable[[str, str], bytes]

_NAMED = 5  # ids that a message names before it says "…"
_THREADS = 16  # blobs that are fetched at once; an object store answers each after some 30 ms
_FEW_GROUPS = 4  # a group's file holds some ten thousand parcels, that of all half a million


@dataclass(frozen=True)
class PlanView:
    """A plan blob, and the blobs it names; each is read once, when it is first needed."""

    name: str
    """Name of the blob."""
    get_blob: GetBlob = field(repr=False)
    """Fetches a blob by kind and name."""

    @cached_property
    def document(self) -> dict[str, Any]:
        """The plan itself."""
        return dict(json.loads(self.get_blob("plans", self.name)))

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The parcel groups, in order of their numbers."""
        return list(self.document["groups"])

    @cached_property
    def acquisitions(self) -> list[dict[str, Any]]:
        """The acquisitions, in the order in which units name them."""
        return list(self.document["acquisitions"])

    @cached_property
    def units(self) -> pa.Table:
        """One row for each unit of work: key, acquisition (position), group, records."""
        return self._table(self.document["units"])

    @cached_property
    def parcels(self) -> pa.Table:
        """One row for each parcel in the user's order: parcel, group, position."""
        return self._table(self.document["parcels"]).combine_chunks()

    @property
    def n_parcels(self) -> int:
        """Number of parcels in all groups."""
        return sum(int(group["count"]) for group in self.groups)

    def _table(self, name: str) -> pa.Table:
        return decode(self.get_blob("index", name))

    @cached_property
    def placed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each parcel in the user's order its group, -1 for none, and its row there."""
        group, position = (
            self.parcels[name].fill_null(-1).to_numpy().astype(np.int64)
            for name in ("group", "position")
        )
        return group, position

    def ranks(self, parcels: Any) -> NDArray[np.int64] | None:
        """Return the rows of the chosen parcels in the user's order, ``None`` for all.

        Raises
        ------
        UnknownParcelError
            If the store has no such parcel.
        """
        if parcels is None:
            return None
        column = self.parcels["parcel"].combine_chunks()
        wanted = _ids(parcels)
        try:
            ids = pa.array(wanted, type=column.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise _unknown(wanted, column) from error
        found = pc.is_in(column, value_set=ids)
        ranks = np.flatnonzero(found.to_numpy(zero_copy_only=False))
        if len(ranks) != len(pc.unique(ids)) or ids.null_count:
            known = set(column.take(pa.array(ranks)).to_pylist())
            raise _unknown([one for one in ids.to_pylist() if one not in known], column)
        return ranks

    @cached_property
    def by_acquisition(self) -> dict[str, dict[str, Any]]:
        """What the plan says of each acquisition, by its id."""
        return {one["acquisition"]: one for one in self.acquisitions}

    def listed(self, names: Iterable[str]) -> dict[str, str]:
        """Return the item ids of some acquisitions, space-separated; read where not listed."""
        told = {name: self.by_acquisition[name] for name in names if name in self.by_acquisition}
        unread = {name: str(one["items"]) for name, one in told.items() if "listed" not in one}
        with ThreadPoolExecutor(_THREADS) as pool:
            found = dict(zip(unread, pool.map(self._item_ids, unread.values()), strict=True))
        return {name: str(one.get("listed", found.get(name))) for name, one in told.items()}

    def _item_ids(self, blob: str) -> str:
        features = json.loads(self.get_blob("items", blob))["features"]
        return " ".join(sorted(str(one["id"]) for one in features))

    def geometries(self, ranks: NDArray[np.int64] | None = None) -> gpd.GeoDataFrame:
        """Read the chosen parcels as they were given, indexed by id, in the user's order.

        A few are read from the files of their groups, many from the file of all.
        """
        group, position = self.placed
        chosen = np.arange(len(group)) if ranks is None else ranks
        numbers = np.unique(group[chosen])
        everything = self.document.get("all_parcels")
        if everything is not None and (len(numbers) > _FEW_GROUPS or (numbers < 0).any()):
            return self._read_parcels(everything).iloc[chosen]
        pieces, places = [], []
        for number in numbers[numbers >= 0]:
            mine = chosen[group[chosen] == number]
            frame = self._read_parcels(self.groups[number]["parcels"])
            pieces.append(frame.iloc[position[mine]])
            places.append(mine)
        joined = gpd.GeoDataFrame(pd.concat(pieces)) if pieces else gpd.GeoDataFrame(geometry=[])
        found = np.concatenate(places) if places else chosen[:0]
        return joined.iloc[np.argsort(found)]

    def _read_parcels(self, blob: str) -> gpd.GeoDataFrame:
        frame = decode_parcels(self.get_blob("parcels", blob))
        # Beside the geometries as given, the season keeps them as projected to the grid.
        others = [
            name
            for name, kind in frame.dtypes.items()
            if isinstance(kind, GeometryDtype) and name != "geometry"
        ]
        return frame.set_geometry("geometry").drop(columns=others)


def _ids(parcels: Any) -> list[Any]:
    if isinstance(parcels, (pd.DataFrame, gpd.GeoSeries)):
        return list(parcels.index)
    if isinstance(parcels, (str, int, np.integer)):
        return [parcels]
    return [one.item() if isinstance(one, np.generic) else one for one in parcels]


def _unknown(missing: Iterable[Any], column: pa.Array) -> UnknownParcelError:
    missing = list(dict.fromkeys(missing))
    named = ", ".join(map(repr, missing[:_NAMED])) + (", …" if len(missing) > _NAMED else "")
    some = ", ".join(map(repr, column.slice(0, 3).to_pylist()))
    return UnknownParcelError(
        f"{len(missing)} parcels are not in the store",
        given=named,
        allowed=f"{len(column):,} parcels such as {some} ({_kind(column.type)})",
        hint="list them with observations.parcels()",
    )


def _kind(kind: pa.DataType) -> str:
    return "numbers" if pa.types.is_integer(kind) else "text"
