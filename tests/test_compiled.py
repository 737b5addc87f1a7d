"""Loops are compiled and kept, and compiled all the same where nothing can be kept."""

from __future__ import annotations

import pytest
from numba.core import caching

from cbmcube._compiled import compiled


def total(values):
    found = 0
    for value in values:
        found += value
    return found


def test_what_is_compiled_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    assert compiled(total)((1, 2, 3)) == 6
    assert [*tmp_path.rglob("*.nbi")]


def test_where_nothing_can_be_kept_each_process_compiles(monkeypatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        caching.FunctionCache(total)
    assert compiled(total)((1, 2, 3)) == 6
