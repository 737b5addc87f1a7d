"""Read parcels from a PostGIS database, without writing to it and without naming secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import shapely

from cbmcube.exceptions import OptionError, ParcelsError, ReadError
from cbmcube.parcels._limits import ReadLimits

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_ADDRESS = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)

# An unescaped character of a password would make its rest the name of a host or a database,
# which messages repeat and name servers are asked for.
_STRICT = re.compile(
    r"\w+(\+\w+)?://([^@/?#:]*(:[^@/?#]*)?@)?(\[[\da-f:.]+\]|[\w.-]*)(:\d+)?(/[^@:/?#]*)?(\?[^@#]*)?",
    re.IGNORECASE,
)


def is_database(path: object) -> bool:
    """Return whether `path` is the address of a PostgreSQL database."""
    return isinstance(path, str) and _ADDRESS.match(path) is not None


def read_database(
    address: str, *, table: str | None, sql: str | None, limits: ReadLimits
) -> tuple[gpd.GeoDataFrame, str]:
    """Return the rows of a table or query, and how messages name the database.

    Everything runs in one read-only transaction, so that what was counted is what is read.
    """
    url = postgis_url(address)
    place = f"{url.host or 'local'}:{url.port or 5432}/{url.database or ''}"
    if (table is None) == (sql is None):
        raise OptionError(
            "a database needs either a table or a query",
            given=f"table={table!r}, sql={sql!r}",
            hint="read_parcels(url, table='schema.name') or read_parcels(url, sql='SELECT …')",
        )
    import sqlalchemy  # noqa: PLC0415  # an optional package

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).execution_options(
        isolation_level="REPEATABLE READ",
        postgresql_readonly=True,
        no_parameters=True,  # a % in a query is a %
    )
    try:
        with engine.connect() as connection:
            query = _select(table, sql)
            return _read(connection, query, place, limits), place
    except (sqlalchemy.exc.SQLAlchemyError, ValueError, shapely.errors.ShapelyError) as error:
        reason = hide_password(error, url)
    # Raised out here, so that no chained exception can carry the address.
    raise ReadError(
        "the database of parcels cannot be read",
        given=f"{place}: {reason}",
        hint="try the same table and user with psql",
    )


def postgis_url(address: str) -> URL:
    """Return the parsed address of a database, with the driver that reads it.

    Examples
    --------
    >>> from cbmcube.parcels import postgis_url
    >>> postgis_url("postgresql://me:secret@db.example.org/parcels")
    postgresql+psycopg://me:***@db.example.org/parcels
    """
    try:
        import psycopg  # noqa: F401, PLC0415
        import sqlalchemy  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "reading parcels from a database needs two more packages: "
            "pip install 'cbmcube[postgis]'"
        ) from error
    # What cannot be parsed may hold a password anywhere, so none of it is repeated.
    url = None
    if _STRICT.fullmatch(address):
        try:
            url = sqlalchemy.make_url(address)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            url = None
    if url is None:
        raise OptionError(
            "the address of the database cannot be parsed",
            allowed="postgresql://user@host:5432/database; the password may also stand in "
            "the environment (PGPASSWORD) or in ~/.pgpass",
            hint="write special characters of a password with percent signs",
        )
    return url.set(drivername="postgresql+psycopg")


def _select(table: str | None, sql: str | None) -> str:
    if sql is not None:
        return sql.strip().rstrip(";")
    name = ".".join(quote_name(part) for part in str(table).split(".", 1))
    return f"SELECT * FROM {name}"  # noqa: S608  # quoted


def quote_name(name: str) -> str:
    """Return a name as PostgreSQL reads it, whatever is in it.

    Examples
    --------
    >>> from cbmcube.parcels import quote_name
    >>> print(quote_name('my "own" fields'))
    "my ""own"" fields"
    """
    return '"' + name.replace('"', '""') + '"'


def _read(connection: Connection, query: str, place: str, limits: ReadLimits) -> gpd.GeoDataFrame:
    column = _geometry(connection, query, place)
    name = quote_name(column)
    counts = connection.exec_driver_sql(
        f"SELECT count(*), coalesce(sum(ST_NPoints(p.{name})), 0), "  # noqa: S608  # quoted
        "coalesce(sum(pg_column_size(p.*)), 0), "
        f"array_agg(DISTINCT ST_SRID(p.{name})) FILTER (WHERE p.{name} IS NOT NULL) "
        f"FROM ({query}) AS p"
    ).one()
    for what, found in zip(("features", "vertices", "bytes"), counts[:3], strict=True):
        limits.check(what, int(found), given=place)
    systems = counts[3] or []
    if not counts[0] or len(systems) > 1:
        raise ParcelsError(
            "the geometries have several coordinate reference systems"
            if counts[0]
            else "the table or query of the database has no rows",
            given=f"{place}" + (f", SRIDs {systems}" if systems else ""),
            hint="bring them into one in the query, with ST_Transform" if systems else None,
        )
    return gpd.read_postgis(query, connection, geom_col=column)


def _geometry(connection: Connection, query: str, place: str) -> str:
    """Return the name of the one geometry column."""
    kinds = connection.exec_driver_sql("SELECT oid FROM pg_type WHERE typname = 'geometry'")
    geometry = {int(kind) for (kind,) in kinds}
    head = connection.exec_driver_sql(f"SELECT * FROM ({query}) AS p LIMIT 0")  # noqa: S608
    description: Any = head.cursor.description
    columns = [str(column[0]) for column in description]
    found = [str(column[0]) for column in description if column[1] in geometry]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if len(found) == 1 and not repeated:
        return found[0]
    raise ParcelsError(
        f"columns of one name: {', '.join(repeated)}"
        if repeated
        else f"{len(found)} columns hold geometries where one is needed",
        given=f"{place}, columns {columns}",
        hint="choose the columns with sql='SELECT …'; a geography becomes a geometry with "
        "column::geometry",
    )


def hide_password(error: Exception, url: URL) -> str:
    """Return the first line of what went wrong, whatever a driver may put into it.

    Examples
    --------
    >>> from cbmcube.parcels import hide_password, postgis_url
    >>> url = postgis_url("postgresql://me:secret@db.example.org/parcels")
    >>> hide_password(OSError("no route for me:secret"), url)
    'no route for me:***'
    """
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    secrets = {str(url.password or ""), *(str(v) for k, v in url.query.items() if "pass" in k)}
    secrets.add(url.render_as_string(hide_password=False).split("@")[0])
    for secret in sorted(secrets - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
