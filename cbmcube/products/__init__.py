"""What a CARD product is, and how each provider spells it."""

from cbmcube.products._card import CARD_2A, CARD_BS, CARD_COH6, SCL_CLASSES
from cbmcube.products._model import Band, BandKind, MaskRule, Product, Profile

__all__ = [
    "CARD_2A",
    "CARD_BS",
    "CARD_COH6",
    "SCL_CLASSES",
    "Band",
    "BandKind",
    "MaskRule",
    "Product",
    "Profile",
]
