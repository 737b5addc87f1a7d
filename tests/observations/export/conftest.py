"""Stores for the tests of exports."""

from __future__ import annotations

from tests.observations.reading.conftest import holed, pairs, whole

__all__ = ["holed", "pairs", "whole"]
