"""What is wrong in a job file, key by key, told all at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from cbmcube.exceptions import JobFileError

_MOST = 30
"""Problems that are told; a file with more is of another kind."""

_LONGEST = 80


class WrongValueError(Exception):
    """A value cannot stand where it stands; the reader of the file knows where that is."""

    def __init__(
        self,
        what: str,
        *,
        given: object = None,
        allowed: str | None = None,
        hint: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.given, self.allowed, self.hint, self.key = what, given, allowed, hint, key


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a job file."""

    place: str
    """Where: ``[table] key``."""
    what: str
    """What is wrong, as a sentence."""
    given: str | None = None
    """The value, unless it may be a secret."""
    allowed: str | None = None
    """Values that are allowed there."""
    hint: str | None = None
    """The next step."""

    def lines(self, file: str) -> list[str]:
        """Return the text of the problem."""
        found = [f"{file}: {self.place}: {self.what}"]
        for name, value in (("given", self.given), ("allowed", self.allowed), ("next", self.hint)):
            if value is not None:
                found.append(f"    {name + ':':8} {value}")
        return found


def refuse(file: str, problems: Iterable[Problem]) -> None:
    """Raise one error that tells all problems, if there are any.

    Raises
    ------
    JobFileError
        With the problems in the order of the tables.
    """
    found = list(problems)
    if not found:
        return
    lines = [line for problem in found[:_MOST] for line in problem.lines(file)]
    more = [f"{file}: and {len(found) - _MOST} more"] if len(found) > _MOST else []
    noun = "1 problem" if len(found) == 1 else f"{len(found)} problems"
    raise JobFileError("\n  ".join([f"the job file has {noun}", *lines, *more]))


def shown(value: object) -> str:
    """Return a value for a message, short and on one line."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def meant(given: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `given`, if one is.

    Examples
    --------
    >>> meant("statistcs", ["pixels", "statistics"])
    'statistics'
    """
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower()[:_LONGEST], names, n=1, cutoff=0.6)
    return names[close[0]] if close else None
