"""Weighted percentiles against slow references written from their formulas."""

from __future__ import annotations

import inspect

import geopandas as gpd
import numpy as np
import pytest
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.zonal._kernels import summarise_flat

from .conftest import make_cube, make_parcels
