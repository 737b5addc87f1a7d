"""The comparison of two sources of the same parcels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.agreement._blocks import Task, tallies
from cbmcube.agreement._classes import parcel_classes
from cbmcube.agreement._groups import Groups
from cbmcube.agreement._header import header, warn_unlike
from cbmcube.agreement._listed import Labels
from cbmcube.agreement._match import join_parts, match, unite
from cbmcube.agreement._report import band_reports, pass_tables
from cbmcube.agreement._result import Agreement
from cbmcube.agreement._rule import AgreementRule, kind_of
from cbmcube.agreement._source import Source, common_bands, open_source
from cbmcube.exceptions import NoOverlapError

_SPREADS = ("count", "std")  # not on the scale of the values: no dB of them

_Ints = NDArray[np.int64]


def compare(
    a: xr.Dataset | pd.DataFrame,
    b: xr.Dataset | pd.DataFrame,
    *,
    variable: str | Sequence[str] | None = None,
    statistic: str = "mean",
    rule: AgreementRule | None = None,
    kinds: Mapping[str, str] | None = None,
    parcel_class: pd.Series | None = None,
) -> Agreement:
    """Compute how far two sources of the same acquisitions agree, parcel by parcel.

    A pass of `a` is that of `b` if platform and relative orbit are the same and the times are
    within 10 minutes; slices and tiles of one pass are joined first, each parcel taking the one
    that saw most of it. Lazy cubes are computed once, all bands together and block by block, so
    that memory does not grow with parcels and dates; no number depends on their chunks.

    Parameters
    ----------
    a, b
        Vector cubes, or observation tables as `to_observations` gives them, of the same parcels:
        one product of two providers, two processors, two pixel rules. They are matched by parcel
        id; their order may differ. Tables need the columns `parcel`, `time`, `band` and the
        statistic; what they tell besides is used.
    variable
        Bands or indices that both hold; all of these by default.
    statistic
        Statistic to compare. Backscatter has to be linear, and is compared in dB, 10 log10 of the
        number; `std` and `count` as they are.
    rule
        Times, tolerances and seed; `AgreementRule` with its defaults otherwise.
    kinds
        Kind of the numbers of a band, where its name and product do not tell: ``reflectance``,
        ``index``, ``backscatter`` or ``coherence``.
    parcel_class
        A class for each parcel id, such as ``parcels["class_10m"]`` or a crop. By default classes
        of area, from the coordinate `area_m2`.

    Returns
    -------
    Agreement
        Differences `b` - `a` in numbers by band, pass, month, orbit and class of parcels; passes
        and values that one source lacks, and why; pairs for figures; extreme differences with
        their items. Fewer than three pairs have a count and no numbers; a constant `a` has no
        slope and no r.

    Warns
    -----
    DifferentPixelsWarning
        If pixel rule, buffer or mask of the two are not the same.

    Raises
    ------
    NoOverlapError
        If the sources have no parcel in common.
    UnknownBandError, UnknownStatisticError
        If a source lacks the band or the statistic, or no band is in both.
    DuplicateIdError
        If a cube holds a parcel id twice.
    OptionError
        If `a` or `b` is neither cube nor table, or a kind is not known.

    Notes
    -----
    An observation counts where both sources have a value and neither says that a file could not be
    read. The differences to expect between processings are in the guide on comparing.

    Examples
    --------
    >>> from cbmcube.agreement import compare
    >>> from cbmcube.testing import vector_cube
    >>> ours = vector_cube("CARD-2A")
    >>> theirs = ours.isel(time=slice(2, None)).assign(B08=ours["B08"] + 0.1)
    >>> result = compare(ours, theirs)
    >>> round(result["B08"].bias, 4), result["B04"].bias, len(result.only_a)
    (0.1, 0.0, 2)
    """
    rule = rule or AgreementRule()
    one, other = open_source(a, statistic), open_source(b, statistic)
    bands = common_bands(one, other, variable)
    made = header(one, other)
    warn_unlike(made)
    places = _common_parcels(one, other)
    classes, names = parcel_classes(one, other, places, parcel_class, rule.areas)
    first, second = (join_parts(side.steps, pd.Timedelta(rule.parts)) for side in (one, other))
    pairs = match(first.table, second.table, pd.Timedelta(rule.tolerance), rule.same)
    union = unite(first, second, pairs)
    labels = Labels(union, one.parcels[places[0]], classes, names, (one.items, other.items))
    tasks = {
        band: _task(band, (one, other), statistic, rule, kinds or {}, labels) for band in bands
    }
    sides = {band: (one.layers(band, statistic), other.layers(band, statistic)) for band in bands}
    groups = Groups(union, names, tallies(sides, union, places, classes, tasks))
    return Agreement(
        statistic=statistic,
        rule=rule,
        header=made,
        parcels=len(classes),
        parcels_only_a=tuple(np.delete(one.parcels, places[0]).tolist()),
        parcels_only_b=tuple(np.delete(other.parcels, places[1]).tolist()),
        availability=len(pairs.a) / len(union.table) if len(union.table) else float("nan"),
        **pass_tables(first, second, pairs, rule),
        **band_reports(groups, labels, tasks, rule),
        _groups=groups,
    )


def _common_parcels(a: Source, b: Source) -> tuple[_Ints, _Ints]:
    """Return the positions of the common parcels in both sources, in the order of the first."""
    in_b = b.parcels.get_indexer(a.parcels)
    common = np.flatnonzero(in_b >= 0)
    if not common.size:
        raise NoOverlapError(
            "the two sources have no parcel in common",
            given=f"{a.parcels[:3].tolist()} … and {b.parcels[:3].tolist()} …",
            hint="reduce both sources over the same parcels; check that ids have one type",
        )
    return common, in_b[common].astype("int64")


def _task(
    band: str,
    sides: tuple[Source, Source],
    statistic: str,
    rule: AgreementRule,
    kinds: Mapping[str, str],
    labels: Labels,
) -> Task:
    possible = len(labels.classes) * int(labels.union.matched.sum())
    product = sides[0].product or sides[1].product
    paired = any(side.paired for side in sides)
    kind = kind_of(band, product, paired=paired, kinds=kinds)
    in_db = kind == "backscatter" and statistic not in _SPREADS
    units = "pixels" if statistic == "count" else sides[0].units(band)
    return Task(
        kind=kind,
        units="dB" if in_db else units,
        limit=rule.limit(kind, statistic),
        in_db=in_db,
        parcels=len(labels.classes),
        classes=len(labels.names),
        share=rule.pairs / max(1, possible),
        listed=rule.listed,
        seed=rule.seed,
    )
