"""FOI assessment: does one parcel hold one thing? Heterogeneity and cardinality."""

from cbmcube.foi._assess import assess
from cbmcube.foi._heterogeneity import heterogeneity
from cbmcube.foi._rule import REASONS, STATUS, FoiRule

__all__ = ["REASONS", "STATUS", "FoiRule", "assess", "heterogeneity"]
