"""Parcels as rows of numbers: features for classifiers and for comparing parcels."""

from cbmcube.learning._features import feature_matrix
from cbmcube.learning._similarity import similarity, similarity_peers, similarity_series
from cbmcube.learning._similarity_rule import SIMILARITY_RULES, SimilarityRule
from cbmcube.learning._similarity_table import SIMILARITY_REASONS

__all__ = [
    "SIMILARITY_REASONS",
    "SIMILARITY_RULES",
    "SimilarityRule",
    "feature_matrix",
    "similarity",
    "similarity_peers",
    "similarity_series",
]
