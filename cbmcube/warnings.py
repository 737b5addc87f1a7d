"""Warnings that cbmcube gives, one class for each situation, and strictness."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "AbsurdCoordinatesWarning",
    "CbmcubeWarning",
    "ClusterLeftRunningWarning",
    "ClusterMismatchWarning",
    "CropListWarning",
    "DamagedStoreWarning",
    "DifferentPixelsWarning",
    "FilteredOutWarning",
    "IgnoredOffsetWarning",
    "IndexNameWarning",
    "NoSuchCropWarning",
    "OutsideParcelsWarning",
    "PossiblyTruncatedWarning",
    "RefusedItemWarning",
    "RepairedParcelsWarning",
    "SingleWriterWarning",
    "UnfilteredServerWarning",
    "UnfinishedSeasonWarning",
    "UnknownPropertyWarning",
    "strict",
]


class CbmcubeWarning(UserWarning):
    """Base of every warning that cbmcube gives."""


class ClusterMismatchWarning(CbmcubeWarning):
    """A cluster lacks packages, or has other versions of them than its client."""


class ClusterLeftRunningWarning(CbmcubeWarning):
    """A cluster could not be stopped and may go on costing money."""


class RefusedItemWarning(CbmcubeWarning):
    """Items were left out because they cannot or may not be read."""


class IgnoredOffsetWarning(CbmcubeWarning):
    """An item states an offset for numbers that have none."""


class PossiblyTruncatedWarning(CbmcubeWarning):
    """A server may have ended its answer before all items were sent."""


class UnfilteredServerWarning(CbmcubeWarning):
    """A server does not say that it can filter with CQL2."""


class FilteredOutWarning(CbmcubeWarning):
    """Nothing passes a filter, although there are items without it."""


class UnknownPropertyWarning(CbmcubeWarning):
    """A filter names a property that no item carries."""


class AbsurdCoordinatesWarning(CbmcubeWarning):
    """Parcels have coordinates that lie nowhere on Earth."""


class CropListWarning(CbmcubeWarning):
    """The crop codes of parcels refer to the list of another country."""


class NoSuchCropWarning(CbmcubeWarning):
    """A marker is asked to look at crops that no parcel has."""


class RepairedParcelsWarning(CbmcubeWarning):
    """Invalid or empty parcel geometries were repaired or kept as empty."""


class OutsideParcelsWarning(CbmcubeWarning):
    """Some parcels lie outside the cube."""


class DamagedStoreWarning(CbmcubeWarning):
    """A damaged object of a store was set aside, and will be made again."""


class DifferentPixelsWarning(CbmcubeWarning):
    """Two sources that are compared differ in pixel rule, buffer or mask."""


class SingleWriterWarning(CbmcubeWarning):
    """A store cannot keep two writers from overwriting each other, so only one may run."""


class UnfinishedSeasonWarning(CbmcubeWarning):
    """Results were read of which some are not computed yet."""


class IndexNameWarning(CbmcubeWarning):
    """An index of a catalogue has a name that means something else elsewhere."""


@contextmanager
def strict() -> Iterator[None]:
    """Turn every cbmcube warning into an error inside a ``with`` block.

    The filters that were in force before are restored exactly at the end.

    Examples
    --------
    >>> import warnings
    >>> from cbmcube.warnings import OutsideParcelsWarning, strict
    >>> with strict():
    ...     try:
    ...         warnings.warn("3 parcels lie outside", OutsideParcelsWarning)
    ...     except OutsideParcelsWarning as warning:
    ...         print(warning)
    3 parcels lie outside
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", CbmcubeWarning)
        yield
