"""Parcels as rows of numbers: features for classifiers and for comparing parcels."""

from cbmcube.learning._features import feature_matrix

__all__ = ["feature_matrix"]
