"""The season of a parcel: series of every sensor over one time axis, events across."""

from cbmcube.plotting.seasons._profile import profile

__all__ = [
    "profile",
]
