"""What a CARD product is, and how each provider spells it."""

from cbmcube.products._band import Band, BandKind, MaskRule
from cbmcube.products._flood import GFM
from cbmcube.products._listing import Products, list_products
from cbmcube.products._model import Product
from cbmcube.products._optical import CARD_2A, SCL_CLASSES
from cbmcube.products._profile import Form, Profile, Stored
from cbmcube.products._radar import CARD_BS, CARD_COH6

__all__ = [
    "CARD_2A",
    "CARD_BS",
    "CARD_COH6",
    "GFM",
    "SCL_CLASSES",
    "Band",
    "BandKind",
    "Form",
    "MaskRule",
    "Product",
    "Products",
    "Profile",
    "Stored",
    "list_products",
]
