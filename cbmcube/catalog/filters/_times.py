"""Points in time as catalogues spell them, read as UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

from cbmcube.exceptions import BadItemError


def as_utc(moment: datetime) -> datetime:
    """Return `moment` in UTC; a time without a zone is taken as UTC, as STAC asks for."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def parse_time(text: str) -> datetime:
    """Read an ISO 8601 date or time; a date is its midnight.

    Raises
    ------
    ValueError
        If `text` is not such a time.
    """
    return as_utc(datetime.fromisoformat(text.strip()))


def to_time(value: object) -> datetime | None:
    """Return a time written as text, date or datetime, and ``None`` for anything else."""
    if isinstance(value, datetime):
        return as_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str):
        return None
    try:
        return parse_time(value)
    except ValueError:
        return None


def compact(text: str) -> datetime:
    """Read the form of product names, ``20240305T101021``."""
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)


def rfc3339(moment: datetime) -> str:
    """Write `moment` as catalogues do, with ``Z`` and without needless decimals."""
    return as_utc(moment).isoformat().replace("+00:00", "Z")


def item_span(
    item_id: str, moment: datetime | None, properties: dict[str, object]
) -> tuple[datetime, datetime]:
    """Return the first and last moment that an item covers.

    Raises
    ------
    BadItemError
        If the item states neither a ``datetime`` nor a ``start_datetime``.
    """
    at = None if moment is None else as_utc(moment)
    start = to_time(properties.get("start_datetime")) or at
    end = to_time(properties.get("end_datetime")) or at or start
    if start is None or end is None:
        raise BadItemError(
            f"item {item_id!r} states no time",
            given="datetime null and no readable start_datetime",
            allowed="datetime, or start_datetime with end_datetime",
            hint="leave this item out",
        )
    return start, end
