"""Compile loops over pixels, parcels and days; keep what was compiled where that can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function at its first call; it runs without the interpreter's lock.

    The result is kept beside the source or in the user's cache. Where neither can be written, as
    in a read-only image under a user without a home, each process compiles anew;
    ``NUMBA_CACHE_DIR`` names a folder that ends this.
    """
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no place to keep it
        return njit(nogil=True)(function)
