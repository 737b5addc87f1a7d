"""What an engine hands over to be timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")


def _no_facts(_result: Any) -> dict[str, float]:
    return {}


def _no_values(_result: Any) -> NDArray[np.float64]:
    return np.empty((0, len(STATISTICS)))


@dataclass(frozen=True, slots=True)
class Job:
    """Work that is ready to run."""

    run: Callable[[], Any]
    """What is timed."""
    first_layer: Callable[[Any], NDArray[np.float64]] = _no_values
    """From the result to (parcel, statistic) of the first layer."""
    facts: Callable[[Any], dict[str, float]] = _no_facts
    """From the result to other numbers."""
