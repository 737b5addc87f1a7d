"""Parameters of markers: frozen, named where they were published, and known by their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from cbmcube.exceptions import OptionError


class Rule:
    """What the parameters of every marker share; subclasses are frozen dataclasses with slots."""

    __slots__ = ()

    @property
    def params_id(self) -> str:
        """A hash of the kind of rule and all fields: equal rules have equal ids, everywhere."""
        fields: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        text = json.dumps([type(self).__name__, fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


R = TypeVar("R", bound=Rule)


def choose(rule: R | str | None, presets: Mapping[str, R]) -> R:
    """Return a rule: as given, by the name of a preset, or the first preset for ``None``.

    Raises
    ------
    OptionError
        If there is no such preset, or the rule is one of another marker.
    """
    default = next(iter(presets.values()))
    if rule is None:
        return default
    if isinstance(rule, str) and rule in presets:
        return presets[rule]
    if not isinstance(rule, type(default)):
        raise OptionError(
            "this marker has no such rule",
            given=repr(rule),
            allowed=f"{', '.join(map(repr, presets))}, or a {type(default).__name__}",
            hint=f"change single values with dataclasses.replace({type(default).__name__}(), …)",
        )
    return rule


def require(condition: object, what: str, given: object) -> None:
    """Refuse a rule whose numbers contradict each other.

    Raises
    ------
    OptionError
        If the condition is false.
    """
    if not condition:
        raise OptionError(what, given=given, hint="see the fields of the rule in the reference")
