"""How a pixel that could not be read is marked, when the user asked to go on."""

from __future__ import annotations

from typing import get_args

import numpy as np

from cbmcube.cube.reading._order import OnError
from cbmcube.cube.reading._reader import not_read
from cbmcube.exceptions import OptionError
from cbmcube.products import Band

COULD_NOT_BE_READ = "could_not_be_read"
"""Meaning of the code of class pixels that could not be read."""
FAILED = float(not_read("float32"))
"""Value of pixels of other bands that could not be read: -inf."""


def failed_code(dtype: str | np.dtype[np.unsignedinteger]) -> int:
    """Return the code of class pixels that could not be read: the largest of the type."""
    return int(not_read(dtype))


def require_on_error(given: str) -> None:
    """Refuse what is no way to deal with a file that cannot be read."""
    if given not in get_args(OnError):
        raise OptionError(
            "there is no such way to deal with a file that cannot be read",
            given=f"on_error={given!r}",
            allowed=", ".join(map(repr, get_args(OnError))),
            hint="choose one of these; the default is the first",
        )


def require_free_code(band: Band, dtype: str, nodata: float) -> None:
    """Refuse a class band in which the code of unread pixels means something already.

    Raises
    ------
    OptionError
        If the code is the band's nodata number or one of its classes.
    """
    code = failed_code(dtype)
    if code == nodata or code in band.classes:
        raise OptionError(
            f"pixels of band {band.name} that cannot be read could not be told apart",
            given=f'on_error="record", and {code} means "{band.classes.get(code, "no data")}"',
            allowed='on_error="raise" for this band',
            hint="load this band in a call of its own",
        )
