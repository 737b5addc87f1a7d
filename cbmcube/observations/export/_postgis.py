"""Observations in PostGIS, as the published archives of parcel signatures are laid out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import shapely
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, ReadError
from cbmcube.observations.reading import Observations
from cbmcube.parcels import hide_password, postgis_url, quote_name

if TYPE_CHECKING:
    from psycopg import Cursor
    from sqlalchemy import URL

IfExists = Literal["fail", "replace"]

_CARDS = {"CARD-2A": "s2", "CARD-BS": "bs", "CARD-COH6": "c6"}
_INT4 = 2**31 - 1
_ROWS = 250_000  # of a piece on its way: some 25 MB as text


def to_postgis(
    observations: Observations,
    url: str,
    table: str = "sigs",
    *,
    parcels: Any = None,
    period: Any = None,
    states: Iterable[str] | str | None = ("OK", "PARTIAL"),
    if_exists: IfExists = "fail",
) -> int:
    """Write observations into PostGIS as three tables: signatures, acquisitions, parcels.

    The layout is that of the published archives (JRC ``cbm``):

    - `table`: ``pid int, obsid int, band, count, mean, std, min, max, p25, p50, p75``, numbers
      as ``real``, one column for each statistic of the recipe; indexes on ``pid`` and ``obsid``.
      Bands are spelled as there, without a zero (``B4``), in ``char(2)`` where all fit.
    - ``<table>_catalogue``: ``id, obstime`` (UTC), ``reference, sensor, card, status,
      footprint`` (EPSG:4326), one row for each acquisition; and ``platform, relative_orbit,
      orbit_state, items``. ``status`` is ``extracted``; ``incomplete`` where units failed
      or are not done.
    - ``<table>_parcels``: ``pid``, ``parcel`` (the user's id), ``wkb_geometry``. ``pid`` is the
      id where ids are numbers that fit, else its place in the user's order, from 1.

    Rows are sent with COPY, some 250,000 at a time. All happens in one transaction: the tables
    appear whole or not at all, and readers meanwhile see the old ones.

    Parameters
    ----------
    observations
        What `open_observations` returned.
    url
        ``postgresql://user@host:5432/database``; the password may stand in the environment
        (``PGPASSWORD``) or in ``~/.pgpass``.
    table
        Name of the table of signatures, ``schema.name`` if it has a schema.
    parcels, period
        What to write, see `Observations`; all by default.
    states
        Rows to write; by default those with valid pixels, as in the archives. ``None`` writes
        all and adds a column ``state``.
    if_exists
        ``"fail"`` refuses tables that exist, ``"replace"`` drops them first.

    Returns
    -------
    int
        Rows written to `table`.

    Raises
    ------
    OptionError
        If a table exists, or an argument is not allowed.
    ReadError
        If the database refuses; nothing is left in it then.

    Examples
    --------
    >>> from cbmcube.observations.export import to_postgis
    >>> from cbmcube.observations.reading import open_observations
    >>> observations = open_observations("season")  # doctest: +SKIP
    >>> to_postgis(observations, "postgresql://cbm@db.example.org/cbm")  # doctest: +SKIP
    """
    if if_exists not in ("fail", "replace"):
        raise OptionError(
            "if_exists says what happens to tables that exist",
            given=repr(if_exists),
            allowed="fail, replace",
        )
    address = postgis_url(url)
    job = _Job(observations, table, parcels, period, states)
    import psycopg  # noqa: PLC0415  # an optional package

    place = f"{address.host or 'local'}:{address.port or 5432}/{address.database or ''}"
    try:
        with psycopg.connect(**_arguments(address)) as connection, connection.cursor() as cursor:
            return job.write(cursor, if_exists)
    except psycopg.Error as error:
        reason = hide_password(error, address)
    # Raised out here, so that no chained exception can carry the address.
    raise ReadError(
        "the database does not take the observations; nothing is left in it",
        given=f"{place}: {reason}",
        hint="try the same user with psql; it must be allowed to create tables",
    )


def _arguments(address: URL) -> dict[str, Any]:
    return {"autocommit": False, **address.translate_connect_args(database="dbname",
            username="user"), **address.query}  # fmt: skip


@dataclass(frozen=True)
class _Job:
    """What is written, and under which names."""

    observations: Observations
    table: str
    parcels: Any
    period: Any
    states: Iterable[str] | str | None

    def name(self, suffix: str = "") -> str:
        """Return the quoted name of one of the tables."""
        schema, _, table = self.table.rpartition(".")
        quoted = quote_name(table + suffix)
        return f"{quote_name(schema)}.{quoted}" if schema else quoted

    @property
    def statistics(self) -> list[str]:
        """Columns with numbers."""
        return [str(name) for name in self.observations.recipe["statistics"]]

    def write(self, cursor: Cursor[Any], if_exists: IfExists) -> int:
        """Create the tables and fill them."""
        names = [self.name(suffix) for suffix in ("", "_catalogue", "_parcels")]
        for name in names:
            if if_exists == "replace":
                cursor.execute(f"DROP TABLE IF EXISTS {name}")  # quoted
            elif _exists(cursor, name):
                raise OptionError(
                    "the table exists",
                    given=name,
                    hint='choose another name, or if_exists="replace" to drop all three',
                )
        pids = self._write_parcels(cursor)
        obsids = self._write_catalogue(cursor)
        return self._write_signatures(cursor, pids, obsids)

    def _write_parcels(self, cursor: Cursor[Any]) -> pd.Series:
        """Write the parcels; return their pids by id."""
        frame = self.observations.parcels()
        numbers = frame.index.dtype.kind in "iu"
        fits = numbers and frame.index.min() >= -_INT4 and frame.index.max() <= _INT4
        pids = frame.index.to_numpy() if fits else np.arange(1, len(frame) + 1)
        name, kind = self.name("_parcels"), "bigint" if numbers else "text"
        srid = (frame.crs and frame.crs.to_epsg()) or 0
        cursor.execute(
            f"CREATE TABLE {name} (pid integer PRIMARY KEY, parcel {kind} NOT NULL UNIQUE, "
            f"wkb_geometry geometry(Geometry, {srid}))"
        )
        shapes = np.asarray(frame.geometry.array, dtype=object)
        if srid:
            shapes = shapely.set_srid(shapes, srid)
        wkb: NDArray[Any] = shapely.to_wkb(shapes, hex=True, include_srid=bool(srid))
        ids = frame.index.to_numpy(dtype=object if not numbers else None)
        content = pa.table({"pid": pids, "parcel": pa.array(ids), "wkb_geometry": pa.array(wkb)})
        _copy(cursor, name, [content])
        cursor.execute(f"CREATE INDEX ON {name} USING gist (wkb_geometry)")
        return pd.Series(pids, index=frame.index)

    def _write_catalogue(self, cursor: Cursor[Any]) -> dict[str, int]:
        """Write the acquisitions; return their numbers."""
        name = self.name("_catalogue")
        cursor.execute(
            f"CREATE TABLE {name} (id integer PRIMARY KEY, "
            "obstime timestamp without time zone NOT NULL, reference text NOT NULL, "
            "sensor character(2), card character(2), status character varying(12) NOT NULL, "
            "footprint geometry(Polygon, 4326), platform text, relative_orbit integer, "
            "orbit_state text, items text)"
        )
        known = self.observations.acquisitions()
        known = known[known["done"] > 0]
        names = known["acquisition"].tolist()
        complete = (known["done"] == known["units"]) & (known["failed"] == 0)
        platform = known["platform"]
        card = _CARDS.get(str(self.observations.recipe.get("product")))
        content = pa.table(
            {
                "id": np.arange(1, len(known) + 1),
                "obstime": pa.array(known["time"]).cast(pa.timestamp("us")),
                "reference": names,
                "sensor": [None if pd.isna(p) else str(p)[-2:].upper() for p in platform],
                "card": pa.array([card] * len(names), type=pa.string()),
                "status": ["extracted" if done else "incomplete" for done in complete],
                "footprint": [_hex(shape) for shape in known.geometry],
                "platform": pa.array(platform),
                "relative_orbit": pa.array(known["relative_orbit"]),
                "orbit_state": pa.array(known["orbit_state"]),
                "items": pa.array(known["items"]),
            }
        )
        _copy(cursor, name, [content])
        cursor.execute(f"CREATE INDEX ON {name} USING gist (footprint)")
        cursor.execute(f"CREATE INDEX ON {name} (obstime)")
        return {one: number for number, one in enumerate(names, start=1)}

    def _write_signatures(
        self, cursor: Cursor[Any], pids: pd.Series, obsids: dict[str, int]
    ) -> int:
        spelled = {band: published_band(band) for band in self.observations.bands}
        short = all(len(text) <= 2 for text in spelled.values())
        columns = ["pid integer NOT NULL", "obsid integer NOT NULL"]
        columns += [f"band {'character(2)' if short else 'text'} NOT NULL"]
        columns += [f"{quote_name(name)} real" for name in self.statistics]
        columns += ["state text NOT NULL"] if self.states is None else []
        cursor.execute(f"CREATE TABLE {self.name()} ({', '.join(columns)})")
        rows = _copy(cursor, self.name(), self._signatures(pids, obsids, spelled))
        cursor.execute(f"CREATE INDEX ON {self.name()} (pid)")
        cursor.execute(f"CREATE INDEX ON {self.name()} (obsid)")
        return rows

    def _signatures(
        self, pids: pd.Series, obsids: dict[str, int], spelled: dict[str, str]
    ) -> Iterator[pa.Table]:
        keys = ["parcel", "acquisition", "band"]
        names = [*self.statistics, *(["state"] if self.states is None else [])]
        tables = self.observations.batches(
            self.parcels, self.period, states=self.states, columns=[*keys, *names], rows=_ROWS
        )
        for found in tables:
            yield pa.table(
                {
                    "pid": _coded(found["parcel"], lambda ids: pids.loc[ids].to_numpy()),
                    "obsid": _coded(found["acquisition"], lambda a: [obsids[one] for one in a]),
                    "band": _coded(found["band"], lambda b: [spelled[one] for one in b]),
                    **{name: found[name] for name in names},
                }
            )


def published_band(band: str) -> str:
    """Return a band as the archives spell it.

    Examples
    --------
    >>> [published_band(band) for band in ("B04", "B8A", "B11", "VV")]
    ['B4', 'B8A', 'B11', 'VV']
    """
    return f"B{band[2:]}" if len(band) == 3 and band.startswith("B0") else band


def _coded(column: pa.ChunkedArray, translate: Any) -> pa.Array:
    """Translate the distinct values of a column."""
    codes = column.combine_chunks().dictionary_encode()
    return pa.array(translate(codes.dictionary.to_pylist())).take(codes.indices)


def _copy(cursor: Cursor[Any], name: str, tables: Iterable[pa.Table]) -> int:
    """Send tables of the same columns with COPY; return the number of rows."""
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    rows = 0
    with cursor.copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
        for table in tables:
            sink = io.BytesIO()
            pyarrow.csv.write_csv(table, sink, options)
            copy.write(sink.getvalue())
            rows += table.num_rows
    return rows


def _exists(cursor: Cursor[Any], name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s)", (name,))
    found = cursor.fetchone()
    return found is not None and found[0] is not None


def _hex(shape: Any) -> str:
    return str(shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True))
