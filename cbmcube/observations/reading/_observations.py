"""The observations of a store: tables, vector cubes and summaries of one snapshot."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import xarray as xr

from cbmcube._states import STATES
from cbmcube.observations.reading._assemble import read_table, stream
from cbmcube.observations.reading._coverage import Coverage, count_coverage
from cbmcube.observations.reading._cube import lazy_cube
from cbmcube.observations.reading._dataset import dataset, duckdb_relation
from cbmcube.observations.reading._lazy import dask_frame
from cbmcube.observations.reading._places import parcel_places
from cbmcube.observations.reading._selection import Selection, checked_columns, select
from cbmcube.observations.reading._source import Source
from cbmcube.observations.reading._summary import (
    acquisitions_table,
    describe,
    describe_html,
    missing_units,
    touched,
)
from cbmcube.observations.store import Snapshot, Store
from cbmcube.warnings import UnfinishedSeasonWarning

if TYPE_CHECKING:
    import dask.dataframe as dd
    import duckdb
    import pyarrow.dataset as ds


class Observations:
    """One snapshot of a store of observations, as `open_observations` returns it.

    Every unit of the snapshot has a row for each of its parcels and bands: where nothing was
    seen they say ``NO_DATA``, where nothing could be read ``READ_FAILED``. A row that is not
    there means one of two things that are told apart: the acquisition does not reach the parcel
    (the plan has no such unit), or the unit is not committed yet (`missing` lists it, and a
    warning says so when it would belong to an answer).

    Methods that select take the same arguments, each ``None`` for all:

    parcels
        Ids, one or several, or a GeoDataFrame whose index holds them.
    period
        As in `search`: ``"2024-05"``, ``"2024-03/2024-10"``, a date, or a pair.
    acquisitions
        Ids of acquisitions.
    bands
        Names of bands.
    states
        Any of ``OK, PARTIAL, MASKED, NO_DATA, READ_FAILED``.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> store = getfixture("tmp_path") / "season"
    >>> season = cbm.plan(
    ...     cbm.open_catalog(country.catalogue),
    ...     cbm.CARD_BS,
    ...     parcels,
    ...     period="2024-03-01/2024-03-08",
    ...     store=store,
    ... )

    >>> season.run(progress=False).ok
    True
    >>> obs = cbm.open_observations(store)
    >>> table = obs.table(bands="VV", columns=["parcel", "time", "mean"])
    >>> len(table), list(table.columns)
    (6, ['parcel', 'time', 'mean'])
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def store(self) -> Store:
        """The store."""
        return self._source.store

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is read."""
        return self._source.snapshot

    @property
    def recipe(self) -> dict[str, Any]:
        """How the numbers were made."""
        return self.store.recipe

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that have rows."""
        return self._source.bands

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of the table."""
        return self._source.schema

    def __len__(self) -> int:
        """Return the number of rows."""
        counts = np.array([int(group["count"]) for group in self._source.plan.groups])
        return int(counts[self._source.units.group].sum()) * len(self.bands)

    def table(
        self,
        parcels: Any = None,
        period: Any = None,
        *,
        acquisitions: Iterable[str] | str | None = None,
        bands: Iterable[str] | str | None = None,
        states: Iterable[str] | str | None = None,
        columns: Iterable[str] | str | None = None,
        geometry: bool = False,
    ) -> pd.DataFrame:
        """Read rows as a table, in the order of `to_observations`.

        Only parts of the chosen dates and parcels are opened, and of these only the groups of
        rows and the columns that are needed.

        Parameters
        ----------
        parcels, period, acquisitions, bands, states
            What to read, see `Observations`.
        columns
            Columns of the table; all by default.
        geometry
            Add each parcel's geometry and return a GeoDataFrame.

        Returns
        -------
        pandas.DataFrame or geopandas.GeoDataFrame
            Rows by time, parcel (in the user's order) and band, with Arrow types.

        Raises
        ------
        UnknownParcelError, UnknownBandError, OptionError
            If something is asked for that the store does not have.
        """
        selection = self._select(parcels, period, acquisitions, bands, states)
        names = checked_columns(columns, self.schema.names)
        read = names if "parcel" in names or not geometry else (*names, "parcel")
        frame = read_table(self._source, selection, read).to_pandas(types_mapper=pd.ArrowDtype)
        if not geometry:
            return frame
        shapes = self._source.plan.geometries(None if parcels is None else selection.ranks).geometry
        here = shapes.take(pd.Index(shapes.index).get_indexer(frame["parcel"].to_numpy(object)))
        return gpd.GeoDataFrame(frame[list(names)], geometry=here.array, crs=shapes.crs)

    def to_arrow(
        self,
        parcels: Any = None,
        period: Any = None,
        *,
        acquisitions: Iterable[str] | str | None = None,
        bands: Iterable[str] | str | None = None,
        states: Iterable[str] | str | None = None,
        columns: Iterable[str] | str | None = None,
    ) -> pa.Table:
        """Read rows as an Arrow table; arguments as for `table`."""
        selection = self._select(parcels, period, acquisitions, bands, states)
        return read_table(self._source, selection, checked_columns(columns, self.schema.names))

    def batches(
        self,
        parcels: Any = None,
        period: Any = None,
        *,
        acquisitions: Iterable[str] | str | None = None,
        bands: Iterable[str] | str | None = None,
        states: Iterable[str] | str | None = None,
        columns: Iterable[str] | str | None = None,
        rows: int | None = None,
    ) -> Iterator[pa.Table]:
        """Read rows piece by piece, so that memory stays flat; arguments as for `table`.

        Parameters
        ----------
        rows
            Most rows of a piece, by default 250,000; pieces are of whole units, so one unit
            may exceed it.
        """
        selection = self._select(parcels, period, acquisitions, bands, states)
        names = checked_columns(columns, self.schema.names)
        return stream(self._source, selection, names, rows=rows)

    def to_dask(
        self,
        parcels: Any = None,
        period: Any = None,
        *,
        acquisitions: Iterable[str] | str | None = None,
        bands: Iterable[str] | str | None = None,
        states: Iterable[str] | str | None = None,
        columns: Iterable[str] | str | None = None,
        rows: int = 1_000_000,
    ) -> dd.DataFrame:
        """Return rows as a Dask table that is read when it is computed.

        Needs ``dask[dataframe]``; arguments as for `batches`, one partition for each piece.
        """
        selection = self._select(parcels, period, acquisitions, bands, states)
        names = checked_columns(columns, self.schema.names)
        return dask_frame(self._source, selection, names, rows)

    def cube(
        self,
        parcels: Any = None,
        period: Any = None,
        *,
        acquisitions: Iterable[str] | str | None = None,
        bands: Iterable[str] | str | None = None,
    ) -> xr.Dataset:
        """Return the vector cube, lazily: what `reduce_parcels` gives, bit for bit.

        Parameters
        ----------
        parcels, period, acquisitions, bands
            What to read, see `Observations`.

        Returns
        -------
        xarray.Dataset
            As `reduce_parcels` returns it, for the chosen parcels in the user's order and the
            acquisitions that reach one of them. ``n_failed`` is there if a unit could not be
            read or is not committed yet; a store knows which parcels lack pixels, and an upper
            bound of how many. ``n_total`` is -1 for a parcel of which no unit tells it.
        """
        selection = self._select(parcels, period, acquisitions, bands, None)
        unfinished = touched(self._source, selection, period, acquisitions)
        shapes = self._source.plan.geometries(None if parcels is None else selection.ranks)
        return lazy_cube(self._source, selection, shapes, unfinished=unfinished > 0)

    def dataset(self) -> ds.Dataset:
        """Return the parts as a `pyarrow.dataset.Dataset`, one fragment for each unit.

        Fragments know acquisition and time, so that filters on these skip files. Units
        without rows in a file (`missing` and those that saw nothing) are not in it. For a
        bucket it holds the keys in force: use it here, and send the store's address instead.
        """
        return dataset(self._source)

    def duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> Any:
        """Return all rows as a DuckDB relation; needs ``duckdb``.

        Parameters
        ----------
        connection
            Where to; a connection of its own by default.
        """
        return duckdb_relation(self._source, connection)

    def parcels(self) -> gpd.GeoDataFrame:
        """Read the parcels as they were given, in their order, indexed by id."""
        return self._source.plan.geometries()

    def acquisitions(self) -> gpd.GeoDataFrame:
        """List the acquisitions of the plan, by time.

        Returns
        -------
        geopandas.GeoDataFrame
            ``acquisition, time, platform, relative_orbit, orbit_state``; ``units`` that are
            planned, ``done`` and ``failed``; ``rows`` in files; ``items`` (ids, space-separated,
            where the plan lists them); the box around the groups of parcels that are reached,
            in EPSG:4326.
        """
        return acquisitions_table(self._source)

    def missing(self) -> pd.DataFrame:
        """List units that could not be read, wholly or in part, or are not committed yet.

        Returns
        -------
        pandas.DataFrame
            ``time, acquisition, group, parcels, records, status, reason``; the status is
            ``corrupt``, ``refused`` or ``pending``.
        """
        return missing_units(self._source)

    def states(self, parcels: Any = None, period: Any = None) -> pd.Series:
        """Count rows by state; reads one column of the chosen parts."""
        counted: Counter[str] = Counter()
        selection = self._select(parcels, period, None, None, None)
        for table in stream(self._source, selection, ["state"]):
            for pair in pc.value_counts(table["state"]).to_pylist():
                counted[pair["values"]] += pair["counts"]
        return pd.Series([counted[name] for name in STATES], index=STATES, name="rows")

    def coverage(self) -> Coverage:
        """Count how often each parcel was seen, month by month and pass by pass.

        Reads one column of all parts, piece by piece; what is held grows with the number of
        parcels, some 70 bytes for each, and not with that of acquisitions.
        """
        return count_coverage(self._source)

    def places(self) -> pd.DataFrame:
        """Return a point of each parcel, in their order, and what was told of it.

        Returns
        -------
        pandas.DataFrame
            ``longitude, latitude`` of the centroid in degrees (WGS 84), ``crop``, ``area_m2``;
            missing for parcels that no image shows. Outlines are read group by group.
        """
        return parcel_places(self._source)

    def _select(
        self, parcels: Any, period: Any, acquisitions: Any, bands: Any, states: Any
    ) -> Selection:
        source = self._source
        selection = select(
            source.plan,
            source.units,
            None if bands is None else source.bands,
            parcels=parcels,
            period=period,
            acquisitions=acquisitions,
            bands=bands,
            states=states,
        )
        pending = touched(source, selection, period, acquisitions)
        if pending:
            warnings.warn(
                f"units that are planned and not committed yet: {pending:,}; their rows are not in"
                " this answer. missing() lists them, and running the plan again computes them",
                UnfinishedSeasonWarning,
                stacklevel=3,
            )
        return selection

    def __repr__(self) -> str:
        return describe(self._source)

    def _repr_html_(self) -> str:
        return describe_html(self._source)
