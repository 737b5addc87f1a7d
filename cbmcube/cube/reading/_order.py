"""What a reader on a worker must know of one file, carried in the file's address."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import quote, unquote

from cbmcube.cube.radiometry import Radiometry

OnError = Literal["raise", "record"]
Verify = Literal["none", "size", "checksum"]
"""How closely a file is looked at before its pixels are used."""

_MARK = "#cbmcube="
"""What parts the address of a file from its order.

odc-loader hands nothing else of an item to a reader, in none of its releases up to 0.6.
"""


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """How to read one file, and how to name it in an error."""

    item: str
    """Id of the item."""
    asset: str
    """Key of the asset in the item."""
    dtype: str
    """NumPy type of the stored numbers."""
    nodata: float
    """Stored number that means "no data"; NaN for NaN."""
    radiometry: Radiometry | None = None
    """How stored numbers become values; ``None`` keeps them (class codes)."""
    on_error: OnError = "raise"
    """What a file that cannot be read does: raise, or be marked in the pixels."""

    verify: Verify = "none"
    """How closely the file is looked at before its pixels are used."""
    size: int | None = None
    """Bytes that the item promises; only where they are looked at."""
    checksum: str | None = None
    """Checksum that the item promises; only where it is looked at."""

    def attach(self, href: str) -> str:
        """Return `href` with this order, for the reader of this package alone."""
        return f"{href}{_MARK}{quote(json.dumps(asdict(self), separators=(',', ':')), safe='')}"

    @classmethod
    def detach(cls, address: str) -> tuple[str, ReadOrder]:
        """Return the plain href and the order of an address that `attach` made."""
        href, _, text = address.rpartition(_MARK)
        fields = json.loads(unquote(text))
        radiometry = fields.pop("radiometry")
        return href, cls(**fields, radiometry=radiometry and Radiometry(**radiometry))
