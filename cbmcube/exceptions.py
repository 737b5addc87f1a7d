"""Errors that a user of cbmcube can meet, each saying what to do next."""

from __future__ import annotations

__all__ = [
    "AccessError",
    "BadItemError",
    "CatalogError",
    "ClusterError",
    "ClusterMismatchError",
    "ConflictError",
    "DuplicateIdError",
    "EmptySearchError",
    "Error",
    "FilterError",
    "FilterIgnoredError",
    "GridMismatchError",
    "JobFileError",
    "MemoryLimitError",
    "MissingCRSError",
    "MissingIdError",
    "NoGridError",
    "NoOverlapError",
    "OffGridError",
    "OptionError",
    "ParcelsError",
    "ParcelsTooLargeError",
    "ReadError",
    "SeveralGridsError",
    "StoreAccessError",
    "StoreCorruptError",
    "StoreError",
    "StoreExistsError",
    "StoreFormatError",
    "StoreFullError",
    "StoreNotFoundError",
    "StoreUnavailableError",
    "TooLargeError",
    "UnknownBandError",
    "UnknownCollectionError",
    "UnknownOffsetError",
    "UnknownParcelError",
    "UnknownScaleError",
    "UnknownStatisticError",
    "UnprojectedProductError",
    "UnsupportedAssetError",
    "WorkflowError",
]


class Error(Exception):
    """Base of every error that cbmcube raises on purpose.

    Parameters
    ----------
    what
        What is wrong, as one sentence.
    given, allowed
        The value that was given and the values that are allowed, as text.
    hint
        The next step: the argument to change or the function to call.
    """

    def __init__(
        self,
        what: str,
        *,
        given: object = None,
        allowed: object = None,
        hint: str | None = None,
    ) -> None:
        parts = [what]
        if given is not None:
            parts.append(f"  given:   {given}")
        if allowed is not None:
            parts.append(f"  allowed: {allowed}")
        if hint is not None:
            parts.append(f"  next:    {hint}")
        super().__init__("\n".join(parts))


class OptionError(Error, ValueError):
    """An argument has a value outside the closed set, or the form, it must have."""


class UnknownBandError(OptionError):
    """A band name is not one of the product's."""


class UnknownStatisticError(OptionError):
    """A statistic's name is not known."""


class UnknownParcelError(OptionError):
    """A parcel's id is not in the vector cube."""


class FilterError(OptionError):
    """A CQL2 filter cannot be parsed or uses an operator that cannot be checked."""


class CatalogError(Error):
    """A catalogue cannot be opened, or answers in a form that is not STAC."""


class FilterIgnoredError(CatalogError):
    """A server returned items that do not satisfy the filter it was sent."""


class EmptySearchError(CatalogError):
    """A search found no usable item."""


class UnknownCollectionError(EmptySearchError):
    """A server has none of the collections that are known for a product."""


class AccessError(Error):
    """An item points at a place that its catalogue may not point at."""


class ClusterMismatchError(Error):
    """A cluster lacks packages, or has other versions of them than its client."""


class BadItemError(Error):
    """A STAC item lacks what is needed to load it, or contradicts itself."""


class NoGridError(BadItemError):
    """An item or asset states no pixel grid (CRS, transform, shape)."""


class UnprojectedProductError(NoGridError):
    """An item is a radar scene in its own slant geometry, which no map grid describes."""


class OffGridError(BadItemError):
    """Assets of one CRS and resolution do not share a pixel lattice."""


class UnknownOffsetError(BadItemError):
    """Nothing in an item says which radiometric offset its numbers carry."""


class UnknownScaleError(BadItemError):
    """Nothing says how the numbers of backscatter or coherence are stored."""


class SeveralGridsError(Error):
    """The request covers several native grids where one was expected."""


class TooLargeError(Error):
    """A request would need more pixels or tasks than any cube is worth."""


class GridMismatchError(Error):
    """Two rasters that must share a grid, or nest in it, do not."""


class ReadError(Error, OSError):
    """A file that a computation needs could not be read."""


class ParcelsError(Error):
    """A set of parcels cannot be used as it is."""


class ParcelsTooLargeError(ParcelsError):
    """A source of parcels holds more than its limits allow."""


class MissingCRSError(ParcelsError):
    """Parcels or a cube carry no coordinate reference system."""


class MissingIdError(ParcelsError):
    """Parcels carry no usable identifier."""


class DuplicateIdError(ParcelsError):
    """Several parcels carry one identifier."""


class NoOverlapError(ParcelsError):
    """No parcel touches the cube."""


class UnsupportedAssetError(BadItemError):
    """An asset is no raster file that can be read at once."""


class JobFileError(OptionError):
    """A job file says something that cannot be; the message tells all of it at once."""


class StoreError(Error):
    """A store of observations cannot be used as asked."""


class StoreNotFoundError(StoreError):
    """There is no store, or no snapshot, where one was expected."""


class StoreExistsError(StoreError):
    """There is something else where a store was to be made."""


class StoreFormatError(StoreError):
    """A store was written in a format that this version does not know."""


class StoreCorruptError(StoreError):
    """An object of a store is missing, or is not what its name or record says."""


class StoreAccessError(StoreError):
    """A store may not be read or written with the rights or keys at hand."""


class StoreFullError(StoreError):
    """No space is left where a store lies."""


class StoreUnavailableError(StoreError):
    """A store does not answer at present; trying again may help."""


class ConflictError(StoreError):
    """One unit of work was computed twice, with different results."""


class ClusterError(Error):
    """A cluster could not be started, does not answer, or went away."""


class WorkflowError(Error):
    """A workflow that was written for other software would not run there."""


class MemoryLimitError(Error):
    """A unit of work needs more memory than the workers have."""
