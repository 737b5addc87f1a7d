"""How much a file of parcels may hold, checked before memory is taken for it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from cbmcube.exceptions import OptionError, ParcelsTooLargeError


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What a source of parcels may hold at most.

    The defaults let the largest national declarations through (that of France has almost ten
    million parcels) and stop a file that would take the memory of a large workstation.

    Examples
    --------
    >>> from cbmcube.parcels import ReadLimits
    >>> ReadLimits(features=700_000)
    ReadLimits(features=700000, vertices=500000000, bytes=17179869184)
    """

    features: int = 20_000_000
    """Rows. Default: twice the largest national declaration."""
    vertices: int = 500_000_000
    """Vertices of all geometries together. Default: 8 GB as coordinates, 16 bytes each."""
    bytes: int = 16 * 2**30
    """Size of the file, or of everything in an archive when unpacked. Default: 16 GiB."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 1:
                raise OptionError(
                    f"the limit of {field.name} must be a whole number above 0", given=repr(value)
                )

    def check(self, what: str, found: int, *, given: object) -> None:
        """Refuse `found` features, vertices or bytes if they are too many."""
        allowed = getattr(self, what)
        if found > allowed:
            raise ParcelsTooLargeError(
                f"the source of parcels holds too many {what}",
                given=f"{found:,} in {given}",
                allowed=f"{allowed:,}",
                hint="if that is right, allow it: "
                f"read_parcels(…, limits=ReadLimits({what}={found}))",
            )
