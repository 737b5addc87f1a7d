"""Series as an array for neural networks: parcel x time x channel, and where it was observed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, UnknownParcelError
from cbmcube.learning._channels import Channels, make_channels
from cbmcube.series import Moment


def crop_tensor(
    stats: xr.Dataset,
    *,
    bands: Iterable[str] | str | None = None,
    period: str = "10D",
    window: tuple[Moment, Moment] | None = None,
    ratio: bool = True,
    constants: xr.DataArray | None = None,
    train: Iterable[object] | None = None,
    as_of: Moment | None = None,
) -> xr.DataArray:
    """Return normalised series as (parcel, time, channel); computes a lazy cube once.

    Parameters
    ----------
    stats
        A vector cube of one product. Join several of equal windows with
        ``xr.concat([...], "channel")``.
    bands, period, window, ratio, as_of
        As for `crop_features`.
    constants
        A tensor of the same channels whose constants are taken: of the training set, for others.
    train
        Parcels that the constants are computed from; all by default. Give those that train, or
        numbers of the test set leak into it.

    Returns
    -------
    xarray.DataArray
        float32, contiguous in the order (parcel, time, channel). Channels are named as the
        columns of `crop_features` without the date, and each but the ratio has a second one,
        ``<channel>_mask``: 1 where it was observed and 0 elsewhere. Observed numbers are
        ``(value - offset) / scale``; others are 0, which is the mean. ``offset`` and ``scale``
        (channel) are the mean and the population standard deviation of observed numbers, and 0
        and 1 for masks; a channel without scatter has the scale 1.

    Raises
    ------
    UnknownParcelError
        If a parcel of `train` is not in the cube.
    OptionError
        If `constants` has other channels, or is given along with `train`.

    Notes
    -----
    ``torch.from_numpy(tensor.values)`` shares memory with the array and needs no copy. The
    library neither imports nor needs PyTorch.

    Examples
    --------
    >>> from cbmcube.learning import crop_tensor
    >>> from cbmcube.testing import vector_cube
    >>> tensor = crop_tensor(vector_cube(days=60), bands="NDVI")
    >>> tensor.shape, tensor["channel"].values.tolist()
    ((4, 6, 2), ['NDVI', 'NDVI_mask'])
    """
    if constants is not None and train is not None:
        raise OptionError(
            "constants are either taken or computed",
            given="constants= and train=",
            allowed="one of them",
        )
    channels = make_channels(
        stats, bands=bands, period=period, window=window, as_of=as_of, ratio=ratio, fill=False
    )
    names, layers, masks = _layers(channels)
    values = np.stack(layers, axis=2)
    if constants is None:
        rows = _rows(channels.parcels, train)
        offset, scale = _constants(values[rows], masks)
    else:
        offset, scale = _taken(constants, names)
    values -= offset
    values /= scale
    np.nan_to_num(values, copy=False, nan=0.0)
    coords: dict[str, Any] = {
        "parcel": channels.parcels,
        "time": channels.start,
        "channel": names,
        "offset": ("channel", offset),
        "scale": ("channel", scale),
    }
    return xr.DataArray(
        np.ascontiguousarray(values), dims=("parcel", "time", "channel"), coords=coords
    )


def _layers(
    channels: Channels,
) -> tuple[list[str], list[NDArray[np.float32]], NDArray[np.bool_]]:
    """Return names, arrays and which of them are masks."""
    names: list[str] = []
    layers: list[NDArray[np.float32]] = []
    for one in channels.each:
        names.append(one.name + one.orbit)
        layers.append(one.values)
        if one.seen is not None:
            names.append(f"{one.name}_mask{one.orbit}")
            layers.append(np.isfinite(one.values).astype("float32"))
    masks = np.array(["_mask" in name for name in names])
    return names, layers, masks


def _rows(parcels: pd.Index, train: Iterable[object] | None) -> NDArray[np.int64]:
    if train is None:
        return np.arange(len(parcels))
    rows = parcels.get_indexer(pd.Index([*train]))
    if (rows < 0).any() or not len(rows):
        raise UnknownParcelError(
            "parcels to train on are not in the vector cube",
            given=f"{int((rows < 0).sum())} unknown of {len(rows)}",
            hint="give ids of the coordinate parcel, at least one",
        )
    return np.unique(rows)


def _constants(
    values: NDArray[np.float32], masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and standard deviation of each channel, in float64 channel by channel."""
    offset, scale = np.zeros(len(masks)), np.ones(len(masks))
    for k in np.flatnonzero(~masks):
        known = values[..., k][np.isfinite(values[..., k])].astype("float64")
        if len(known):
            offset[k] = known.mean()
            scale[k] = known.std() or 1.0
    return offset.astype("float32"), scale.astype("float32")


def _taken(
    constants: xr.DataArray, names: list[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    theirs = [str(name) for name in constants["channel"].to_numpy()]
    if theirs != names:
        raise OptionError(
            "the constants belong to other channels",
            given=", ".join(theirs),
            allowed=", ".join(names),
            hint="make both tensors with the same bands, window and ratio",
        )
    return constants["offset"].to_numpy(), constants["scale"].to_numpy()
