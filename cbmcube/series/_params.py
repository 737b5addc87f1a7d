"""One short text for all parameters of a rule."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any


def hash_of(rule: Any) -> str:
    """Return a hash of all fields of a dataclass: equal rules have equal ones on every machine."""
    text = json.dumps(asdict(rule), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
