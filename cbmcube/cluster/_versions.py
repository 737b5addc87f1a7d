"""The versions that a report of a fault, or a result, should name."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TextIO

from cbmcube._version import __version__
from cbmcube.cluster._probe import ABSENT

PACKAGES = (
    "numpy",
    "pandas",
    "xarray",
    "dask",
    "distributed",
    "odc-loader",
    "odc-geo",
    "pystac",
    "pystac-client",
    "rasterio",
    "pyogrio",
    "geopandas",
    "shapely",
    "pyproj",
    "exactextract",
    "numba",
    "pyarrow",
    "zarr",
    "xvec",
)
"""What the numbers depend on."""


def versions() -> dict[str, str]:
    """Return the versions of Python, of cbmcube and of what its numbers depend on.

    Returns
    -------
    dict
        Name to version; ``not installed`` for what is absent. ``GDAL`` is the one that
        reads images; vector files may be read by another, that of pyogrio.

    Examples
    --------
    >>> from cbmcube.cluster import versions
    >>> sorted(versions())[:4]
    ['GDAL', 'GDAL of pyogrio', 'cbmcube', 'dask']
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cbmcube": __version__,
        "GDAL": _gdal("rasterio"),
        "GDAL of pyogrio": _gdal("pyogrio"),
        **{name: _installed(name) for name in PACKAGES},
    }


def show_versions(file: TextIO | None = None) -> None:
    """Print `versions` as lines of a table.

    Parameters
    ----------
    file
        Where to; the standard output by default.

    Examples
    --------
    >>> from io import StringIO
    >>> from cbmcube.cluster import show_versions
    >>> text = StringIO()
    >>> show_versions(text)
    >>> text.getvalue().splitlines()[0].split()[0]
    'python'
    """
    found = versions()
    width = max(map(len, found))
    lines = (f"{name:<{width}}  {number}\n" for name, number in found.items())
    (sys.stdout if file is None else file).writelines(lines)


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ABSENT


def _gdal(package: str) -> str:
    try:
        # The wheels carry GDAL within them, so that only the module knows its version.
        return str(import_module(package).__gdal_version__)
    except ImportError:
        return ABSENT
