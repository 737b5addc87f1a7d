"""Figures of parcels: profiles through a season."""

from cbmcube.plotting._profile import profile

__all__ = ["profile"]
