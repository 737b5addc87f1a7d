"""What a parcel looked like: a picture of every acquisition."""

from cbmcube.plotting.pictures._calendar import calendar

__all__ = [
    "calendar",
]
