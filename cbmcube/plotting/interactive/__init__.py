"""Maps to move about in, with a profile for each click."""

from cbmcube.plotting.interactive._explore import explore

__all__ = [
    "explore",
]
