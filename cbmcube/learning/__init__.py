"""Parcels as rows of numbers: features for classifiers and for comparing parcels."""

from cbmcube.learning._card import model_card
from cbmcube.learning._crop_features import SUMMARIES, crop_features
from cbmcube.learning._crossvalidate import cross_validate
from cbmcube.learning._estimators import ESTIMATORS, CropRule
from cbmcube.learning._features import feature_matrix
from cbmcube.learning._folds import spatial_folds
from cbmcube.learning._importance import permutation_importance
from cbmcube.learning._sample import SAMPLE_REASONS, SampleRule, crop_sample
from cbmcube.learning._similarity import similarity, similarity_peers, similarity_series
from cbmcube.learning._similarity_rule import SIMILARITY_RULES, SimilarityRule
from cbmcube.learning._similarity_table import SIMILARITY_REASONS
from cbmcube.learning._tensor import crop_tensor
from cbmcube.learning._validation import CROP_STATES, CropValidation

__all__ = [
    "CROP_STATES",
    "ESTIMATORS",
    "SAMPLE_REASONS",
    "SIMILARITY_REASONS",
    "SIMILARITY_RULES",
    "SUMMARIES",
    "CropRule",
    "CropValidation",
    "SampleRule",
    "SimilarityRule",
    "crop_features",
    "crop_sample",
    "crop_tensor",
    "cross_validate",
    "feature_matrix",
    "model_card",
    "permutation_importance",
    "similarity",
    "similarity_peers",
    "similarity_series",
    "spatial_folds",
]
