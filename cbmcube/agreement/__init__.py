"""Two sources of the same acquisitions compared."""

from cbmcube.agreement._compare import Agreement, compare

__all__ = ["Agreement", "compare"]
