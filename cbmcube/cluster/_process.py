"""The settings in force in this process: layers that are put on, and taken off again."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from cbmcube.cluster._access import HEADERS, PathOption, S3Access, bearer_options, s3_options
from cbmcube.cluster._gdal import checked_environment
from cbmcube.cluster._signing import Signer, add_signer, remove_signer
from cbmcube.cluster._vsi import clear_options, forget_reads, set_option
from cbmcube.exceptions import OptionError


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """One layer: what a user passed, checked. Its repr has names and no values."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for which a process has no value of its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables."""
    options: tuple[PathOption, ...] = ()
    """GDAL's options for some paths."""
    signer: Signer | None = None
    """What signs addresses."""

    @classmethod
    def of(
        cls,
        *,
        defaults: Mapping[str, str],
        env: Mapping[str, str] | None,
        s3: S3Access | Sequence[S3Access],
        bearer: Mapping[str, str] | None,
        signer: Signer | None,
    ) -> Self:
        """Check what a user passed."""
        if signer is not None and not callable(signer):
            raise OptionError("signer must be a function", given=type(signer).__name__)
        options = (*s3_options(s3), *bearer_options(bearer or {}))
        return cls(dict(defaults), checked_environment(env), options, signer)

    def __repr__(self) -> str:
        places = sorted({prefix for prefix, _, _ in self.options})
        signs = "yes" if self.signer else "no"
        return f"Settings(env={sorted(self.env)}, places={places}, signer={signs})"


_layers: dict[str, Settings] = {}
_uses: dict[str, int] = {}
"""How many workers of this process put a layer on; there may be several in tests."""
_found: dict[str, str | None] = {}
"""Values that variables had before the first layer touched them."""
_lock = threading.Lock()


def put_on(name: str, settings: Settings) -> None:
    """Apply a layer above those that are on."""
    with _lock:
        _uses[name] = _uses.get(name, 0) + 1
        if name not in _layers:
            _change(name, settings)


def take_off(name: str) -> None:
    """Remove a layer; what it covered, or what was there before, is in force again."""
    with _lock:
        if name not in _layers:
            return
        _uses[name] -= 1
        if _uses[name] == 0:
            del _uses[name]
            _change(name, None)


def request_headers(address: str) -> dict[str, str]:
    """Return the headers that a request to an address must carry, for clients beside GDAL.

    Empty where no token was given for its host. They are secrets: never log them, and do not
    take them along to where the host redirects.

    Examples
    --------
    >>> from cbmcube.cluster import request_headers, worker_environment
    >>> with worker_environment(bearer={"data.example.org": "abc"}):
    ...     request_headers("https://data.example.org/a.tif")
    {'Authorization': 'Bearer abc'}
    >>> request_headers("https://data.example.org/a.tif")
    {}
    """
    found: dict[str, str] = {}
    with _lock:
        layers = list(_layers.values())
    for layer in layers:
        for prefix, option, text in layer.options:
            if option == HEADERS and f"/vsicurl/{address}".startswith(prefix):
                name, _, value = text.partition(": ")
                found[name] = value
    return found


def _change(name: str, settings: Settings | None) -> None:
    before = list(_layers.values())
    if settings is None:
        _layers.pop(name)
        remove_signer(name)
    else:
        _layers[name] = settings
        if settings.signer is not None:
            add_signer(name, settings.signer)
    _set_environment()
    _set_options(before)
    forget_reads()


def _set_environment() -> None:
    wanted: dict[str, str] = {}
    for layer in _layers.values():
        wanted |= {key: text for key, text in layer.defaults.items() if key not in wanted}
    for key in wanted:
        # What the process was started with is a choice, too.
        own = _found.get(key, os.environ.get(key))
        wanted[key] = wanted[key] if own is None else own
    for layer in _layers.values():
        wanted |= layer.env
    for key, text in wanted.items():
        _found.setdefault(key, os.environ.get(key))
        os.environ[key] = text
    for key in set(_found) - set(wanted):
        old = _found.pop(key)
        if old is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = old


def _set_options(before: list[Settings]) -> None:
    for prefix in {prefix for layer in before for prefix, _, _ in layer.options}:
        clear_options(prefix)
    for layer in _layers.values():
        for prefix in {prefix for prefix, _, _ in layer.options}:
            clear_options(prefix)  # half of one access and half of another is none
        for option in layer.options:
            set_option(*option)
