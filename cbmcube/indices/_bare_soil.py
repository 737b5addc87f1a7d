"""Bare soil, pixel by pixel: four indices, and a classifier of your own or a plain rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.cube import FAILED
from cbmcube.exceptions import OptionError
from cbmcube.indices._add import add_indices

Cube = TypeVar("Cube", xr.Dataset, xr.DataTree)

BARE_SOIL_FEATURES = ("NBSI", "NDVI", "NDVI_RE3", "CIre")
"""Indices that a model of bare soil gets, in this order."""

_AT_ONCE = 1_000_000  # pixels that a model gets at once, of which forests make some 100 bytes each

_Floats = NDArray[np.floating[Any]]


class BareSoilModel(Protocol):
    """What tells bare soil from everything else, such as a fitted scikit-learn classifier."""

    def predict_proba(self, features: Any, /) -> Any:
        """Return (pixel, 2) from (pixel, 4): the probabilities of not bare and of bare."""


@dataclass(frozen=True, slots=True)
class BareSoilRule:
    """Bare by two limits, without a training set.

    Sinergise's published decision tree for bare soil looks first at these two indices: in the
    counts of its leaves, 82 % of the samples in this region are bare, and 62 % of all bare samples
    lie in it. Good for a first look, and not validated on field data.

    Examples
    --------
    >>> from cbmcube.indices import BareSoilRule
    >>> BareSoilRule().predict_proba([[0.2, 0.1, -0.01, 0.2], [-0.3, 0.8, 0.02, 3.0]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    ndvi_min: float = -0.1
    """Soil has an NDVI above it; below is water."""
    ndvi_max: float = 0.288
    """Soil has at most this NDVI."""
    red_edge_max: float = -0.002
    """Soil has at most this NDVI_RE3, (B08 - B07) / (B08 + B07)."""

    def predict_proba(self, features: Any) -> _Floats:
        """Return 1 and 0 for bare pixels, 0 and 1 the other way round for the others."""
        values = np.asarray(features)
        ndvi, red_edge = values[:, 1], values[:, 2]
        bare = (ndvi > self.ndvi_min) & (ndvi <= self.ndvi_max) & (red_edge <= self.red_edge_max)
        return np.stack([~bare, bare], axis=1).astype("float32")


def add_bare_soil(
    cubes: Cube,
    model: BareSoilModel | None = None,
    *,
    resolution: float | None = None,
    keep_features: bool = False,
) -> Cube:
    """Add the probability that a pixel is bare soil, lazily, for the reduction to treat as a band.

    The mean of ``bare`` over a parcel is the share of it that is bare. Call this after `mask`.

    Parameters
    ----------
    cubes
        A cube with dims ``(time, y, x)`` and the bands B02, B04, B05, B07, B08 and B11 of CARD-2A,
        or a tree of `load_native` with one for each grid.
    model
        What gets the features of pixels as float32 (pixel, 4), all finite, and returns
        probabilities (pixel, 2); by default `BareSoilRule`. It is sent to workers once.
    resolution
        Pixel size of the grid on which the indices meet; by default the coarsest of the bands,
        which for Sentinel-2 is that of 20 m.
    keep_features
        Whether the four indices stay in the cube.

    Returns
    -------
    xarray.Dataset or xarray.DataTree
        A lazy copy with the float32 variable ``bare``, 0 to 1: NaN where an index has no value,
        -inf where a band could not be read and the cube was loaded with ``on_error="record"``.

    Raises
    ------
    UnknownBandError, GridMismatchError
        As for `add_indices`.
    OptionError
        If the model has no ``predict_proba``, the cube has a variable ``bare``, or, when it is
        computed, if the model answers in another shape.

    Notes
    -----
    Bare is not ploughed: residue of a harvest, drought and melting snow look alike. Wet dark soil
    is often masked as cloud shadow, bright dry soil as cloud, so that gaps gather at ploughing.

    References
    ----------
    The features, and the limits of the rule, are those of the bare soil detector in Sentinel Hub's
    custom scripts. Its tree is not part of this library, and its pseudo-probability, a sigmoid of a
    class label, is not used.

    Examples
    --------
    >>> import xarray as xr
    >>> from cbmcube.indices import add_bare_soil
    >>> green = {"B02": 0.03, "B04": 0.04, "B05": 0.1, "B07": 0.37, "B08": 0.40, "B11": 0.2}
    >>> soil = {"B02": 0.1, "B04": 0.18, "B05": 0.2, "B07": 0.225, "B08": 0.22, "B11": 0.33}
    >>> cube = xr.Dataset({name: (("y", "x"), [[green[name], soil[name]]]) for name in green})
    >>> add_bare_soil(cube)["bare"].values
    array([[0., 1.]], dtype=float32)
    """
    chosen = BareSoilRule() if model is None else model
    if not callable(getattr(chosen, "predict_proba", None)):
        raise OptionError(
            "a model of bare soil must tell probabilities",
            given=type(chosen).__name__,
            allowed="an object with predict_proba(features (pixel, 4)) -> (pixel, 2)",
            hint="fit a classifier of scikit-learn on BARE_SOIL_FEATURES",
        )
    if isinstance(cubes, xr.Dataset):
        features = add_indices(cubes, BARE_SOIL_FEATURES, resolution=resolution)
        return _with_bare(features, chosen, keep_features=keep_features)
    size = _coarsest(cubes) if resolution is None else resolution
    tree = add_indices(cubes, BARE_SOIL_FEATURES, resolution=size)
    nodes = {node.path: node.to_dataset() for node in tree.subtree}
    for path, node in nodes.items():
        if BARE_SOIL_FEATURES[0] in node:
            nodes[path] = _with_bare(node, chosen, keep_features=keep_features)
    return xr.DataTree.from_dict(nodes, name=cubes.name)


def _coarsest(cubes: xr.DataTree) -> float | None:
    """Return the largest pixel size of a node that holds one of the bands."""
    bands = {"B02", "B04", "B05", "B07", "B08", "B11"}
    nodes = [node.to_dataset() for node in cubes.subtree if bands & {*node.data_vars}]
    sizes = [abs(node.odc.geobox.affine.a) for node in nodes if node.odc.geobox is not None]
    return float(max(sizes)) if sizes else None


def _with_bare(node: xr.Dataset, model: BareSoilModel, *, keep_features: bool) -> xr.Dataset:
    if "bare" in node.data_vars:
        raise OptionError(
            "the cube has a variable 'bare' already", hint="drop it first: cube.drop_vars('bare')"
        )
    like = node[BARE_SOIL_FEATURES[0]]
    axes = tuple(range(like.ndim))
    data = da.blockwise(
        _bare_block,
        axes,
        *(part for name in BARE_SOIL_FEATURES for part in (node[name].data, axes)),
        model=model,
        align_arrays=False,
        dtype=np.float32,
        meta=np.empty((0,) * like.ndim, np.float32),
    )
    bare = like.copy(data=data)
    kept = {name: like.attrs[name] for name in ("grid_mapping",) if name in like.attrs}
    bare.attrs = kept | {"long_name": "probability of bare soil", "units": "1"}
    rest = node if keep_features else node.drop_vars(BARE_SOIL_FEATURES)
    return rest.assign(bare=bare)


def _bare_block(*features: NDArray[Any], model: BareSoilModel) -> _Floats:
    table = np.stack([one.ravel() for one in features], axis=1)
    good = np.flatnonzero(np.isfinite(table).all(axis=1))
    result = np.full(len(table), np.nan, np.float32)
    result[(table == FAILED).any(axis=1)] = FAILED
    for start in range(0, len(good), _AT_ONCE):
        some = good[start : start + _AT_ONCE]
        answer = np.asarray(model.predict_proba(table[some]))
        if answer.shape != (len(some), 2):
            raise OptionError(
                "the model of bare soil answered in another shape",
                given=answer.shape,
                allowed=f"({len(some)}, 2): not bare and bare",
                hint="fit it on two classes, of which the second is bare",
            )
        result[some] = answer[:, 1]
    return result.reshape(features[0].shape)
