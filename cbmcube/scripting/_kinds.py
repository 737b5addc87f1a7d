"""Kinds of values in a job file: what may stand there, and what is made of it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cbmcube.scripting._problems import WrongValueError, meant
from cbmcube.scripting._secrets import is_secret_name, looks_secret

_LONGEST = 10_000
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_KEY_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}|[A-Z0-9]{24,}")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]i?)?B")
_STATISTIC = re.compile(r"count|mean|std|min|max|median|p(?:\d{1,2}(?:\.\d+)?|100(?:\.0+)?)")
_PART = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})")
_BY_VARIABLE = "put the secret into an environment variable and write the variable's name here"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value."""

    name: str
    """What the reference of the job file calls it."""
    read: Callable[[object, Path], Any]
    """Makes the value of what stands in the file; relative paths start from the folder."""


def _text(value: object, _folder: Path) -> str:
    if not isinstance(value, str):
        raise WrongValueError("this must be text", given=value, allowed="text in quotes")
    if not value.strip() or len(value) > _LONGEST or not _printable(value):
        raise WrongValueError("this text is empty, too long or has control characters")
    if looks_secret(value):
        raise WrongValueError(
            "this looks like a secret, and job files are copied and kept", hint=_BY_VARIABLE
        )
    return value


def _printable(text: str) -> bool:
    return all(sign.isprintable() or sign in "\n\t" for sign in text)


def _flag(value: object, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("this must be true or false", given=value, allowed="true, false")
    return value


def _address(value: object, folder: Path) -> str:
    text = _text(value, folder)
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fits = False
    if not fits:
        raise WrongValueError("this is no web address", given=text, allowed="https://host/path")
    return text


def _path(value: object, folder: Path) -> Path:
    text = _text(value, folder)
    if "://" in text or text.startswith("/vsi") or "\n" in text:
        raise WrongValueError(
            "this is no path of a file", given=text, allowed="a path, relative to the job file"
        )
    try:
        return folder / Path(text).expanduser()
    except (RuntimeError, ValueError) as error:
        raise WrongValueError("this path cannot be used", given=text) from error


def _store(value: object, folder: Path) -> str:
    text = _text(value, folder)
    if text.startswith("s3://"):
        return text
    try:
        return str(_path(text, folder))
    except WrongValueError as error:
        raise WrongValueError(
            "no store can be there", given=text, allowed="a folder, or s3://bucket/prefix"
        ) from error


def _parcels(value: object, folder: Path) -> str:
    text = _text(value, folder)
    return text if re.match(r"postgres(ql)?(\+\w+)?://", text) else str(_path(text, folder))


def _period(value: object, folder: Path) -> str:
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    return _text(value, folder)


def _variable(value: object, _folder: Path) -> str:
    """Read the name of an environment variable; anything else may be the secret itself."""
    if isinstance(value, str) and _VARIABLE.fullmatch(value) and not _KEY_ID.fullmatch(value):
        return value
    raise WrongValueError(
        "this must be the name of an environment variable, not its value",
        allowed="capital letters, digits and _",
        hint=_BY_VARIABLE,
    )


def _size(value: object, folder: Path) -> str:
    text = _text(value, folder)
    if not _SIZE.fullmatch(text):
        raise WrongValueError("this is no amount of memory", given=text, allowed='such as "4GiB"')
    return text


def _statistic(value: object, folder: Path) -> str:
    text = _text(value, folder)
    if not _STATISTIC.fullmatch(text):
        raise WrongValueError(
            "there is no such statistic",
            given=text,
            allowed="count, mean, std, min, max, median, p0 to p100",
        )
    return text


def read_part(value: object, _folder: Path = Path()) -> tuple[int, int]:
    """Return ``(i, n)`` of text such as ``"2/4"``: the second of four parts."""
    match = _PART.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[1]) > int(match[2]):
        raise WrongValueError("this is no part", given=value, allowed='"1/4" to "4/4"')
    return int(match[1]), int(match[2])


def _workers(value: object, folder: Path) -> int | tuple[int, int]:
    if isinstance(value, list) and len(value) == 2:
        low, high = (whole(0).read(one, folder) for one in value)
        if low <= high and high > 0:
            return low, high
    elif not isinstance(value, list):
        return int(whole(1).read(value, folder))
    raise WrongValueError(
        "this is no number of workers", given=value, allowed="a number, or [least, most]"
    )


def whole(low: int, high: int | None = None) -> Kind:
    """Return the kind of whole numbers from `low` to `high`."""
    allowed = f"a whole number of at least {low}" + ("" if high is None else f", at most {high}")

    def read(value: object, _folder: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise WrongValueError("this must be a whole number", given=value, allowed=allowed)
        if value < low or (high is not None and value > high):
            raise WrongValueError("this number is out of range", given=value, allowed=allowed)
        return value

    return Kind("whole number", read)


def number(*, above: float | None = None, least: float | None = None) -> Kind:
    """Return the kind of finite numbers above, or of at least, a limit."""
    limit = f" above {above:g}" if above is not None else ""
    limit += f" of at least {least:g}" if least is not None else ""

    def read(value: object, _folder: Path) -> float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        # A whole number of a thousand digits is one in TOML, and no float.
        found = float(value) if fits and abs(value) < 1e300 else math.nan  # type: ignore[arg-type]
        low = (above is None or found > above) and (least is None or found >= least)
        if not (math.isfinite(found) and low):
            raise WrongValueError(
                "this is no number that can be used", given=value, allowed=f"a number{limit}"
            )
        return found

    return Kind("number", read)


def choice(*allowed: str) -> Kind:
    """Return the kind of texts that are one of a closed set."""

    def read(value: object, folder: Path) -> str:
        text = _text(value, folder)
        if text not in allowed:
            near = meant(text, allowed)
            raise WrongValueError(
                "there is no such choice",
                given=text,
                allowed=", ".join(allowed),
                hint=f"did you mean {near!r}?" if near else None,
            )
        return text

    return Kind(" | ".join(f'"{one}"' for one in allowed), read)


def several(kind: Kind, *, name: str | None = None) -> Kind:
    """Return the kind of arrays of one kind; a single value is an array of one."""

    def read(value: object, folder: Path) -> tuple[Any, ...]:
        given = value if isinstance(value, list) else [value]
        found = tuple(kind.read(one, folder) for one in given)
        if not found or len(set(found)) < len(found):
            raise WrongValueError("this must name something, and nothing twice", given=value)
        return found

    return Kind(name or f"array of {kind.name}", read)


def mapping(kind: Kind, *, name: str, secret_keys: bool = False) -> Kind:
    """Return the kind of tables whose keys are the user's own.

    Keys named like secrets are refused unless their values are names of variables.
    """

    def read(value: object, folder: Path) -> tuple[tuple[str, Any], ...]:
        if not isinstance(value, dict):
            raise WrongValueError("this must be a table", given=value, allowed='{key = "…"}')
        found = []
        for key, one in value.items():
            if not secret_keys and is_secret_name(key):
                raise WrongValueError(
                    "this is named like a secret, and job files are copied and kept",
                    hint="name the variable that holds it in a key made for that: bearer, s3, "
                    "password, headers, environment",
                    key=key,
                )
            _text(key, folder)
            try:
                found.append((key, kind.read(one, folder)))
            except WrongValueError as error:
                error.key = f"{key}.{error.key}" if error.key else key
                raise
        return tuple(found)

    return Kind(name, read)


def _scalar(value: object, folder: Path) -> str | float | bool:
    if isinstance(value, str):
        return _text(value, folder)
    if isinstance(value, (bool, int)):
        return value
    return float(number().read(value, folder))


def _condition(value: object, folder: Path) -> Any:
    """Read what a column must be: one of some values, or within limits."""
    if not isinstance(value, dict):
        return several(Kind("value", _scalar)).read(value, folder)
    if not value or not set(value) <= {"min", "max"}:
        raise WrongValueError(
            "this is no condition", given=", ".join(value), allowed="a value, an array, min, max"
        )
    return tuple(sorted((key, number().read(one, folder)) for key, one in value.items()))


def _prefer(value: object, folder: Path) -> Any:
    return "auto" if value == "auto" else several(TEXT).read(value, folder)


def _buffer(value: object, folder: Path) -> Any:
    return value if value == "half_pixel" else number().read(value, folder)


TEXT = Kind("text", _text)
FLAG = Kind("true or false", _flag)
ADDRESS = Kind("web address", _address)
PATH = Kind("path", _path)
STORE = Kind("path or s3 address", _store)
PARCELS = Kind("path or database", _parcels)
PERIOD = Kind("text or date", _period)
VARIABLE = Kind("variable", _variable)
SIZE = Kind("size", _size)
STATISTIC = Kind("statistic", _statistic)
PART = Kind("text", read_part)
WORKERS = Kind("whole number, or array of two", _workers)
PREFER = Kind("array of text, or `auto`", _prefer)
BUFFER = Kind("number, or `half_pixel`", _buffer)
VARIABLES = mapping(VARIABLE, name="table of variables", secret_keys=True)
SCALARS = mapping(Kind("value", _scalar), name="table")
TEXTS = mapping(TEXT, name="table of text")
CONDITIONS = mapping(Kind("condition", _condition), name="table of conditions", secret_keys=True)
