"""Real items of many providers, by file."""

from __future__ import annotations

import json

import pystac
import pytest


@pytest.fixture(scope="session")
def real_items(realdata):
    """Items of each file, by the file's name without its ending, as served."""
    found = {}
    for path in sorted((realdata / "stac-items").glob("*.json")):
        features = json.loads(path.read_text())["features"]
        found[path.stem] = [pystac.Item.from_dict(one, migrate=False) for one in features]
    return found
