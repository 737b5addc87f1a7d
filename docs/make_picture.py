"""Draw the picture of the README: the season of a meadow, and when it was mown.

Run as ``python docs/make_picture.py``; writes docs/_static/profile.png.
"""

from __future__ import annotations

from pathlib import Path

from cbmcube import markers, plotting
from cbmcube.testing import vector_cube

PARCEL = "P1"

optical = vector_cube("CARD-2A", bands=["NDVI"])
backscatter, coherence = vector_cube("CARD-BS"), vector_cube("CARD-COH6")
mown = markers.mowing(optical).assign(marker="mown")
figure = plotting.profile([optical, backscatter, coherence], PARCEL, events=mown)
figure.savefig(Path(__file__).parent / "_static" / "profile.png", dpi=90)
