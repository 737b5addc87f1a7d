"""How unusual a parcel is among neighbours of its declared crop, and which crop fits better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.learning._against import against_others, against_own, comparisons, pool_of, search_of
from cbmcube.learning._declared import read_declared
from cbmcube.learning._similarity_rule import SimilarityRule, choose_rule
from cbmcube.learning._similarity_table import similarity_table
from cbmcube.series import Moment, select_bands


def similarity(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    rule: SimilarityRule | str | None = None,
    crop: str = "crop",
    period: str | None = None,
    as_of: Moment | None = None,
) -> pd.DataFrame:
    r"""Compare each parcel with its nearest neighbours of the same declared crop. Computes.

    In each period, a parcel's value is compared with those of its peers: the nearest parcels
    of the same crop. D, the root mean square of these deviations over the season, is near 1
    for a usual parcel. The same against neighbours of every other crop that is frequent around
    tells which one fits best.

    Parameters
    ----------
    stats
        A vector cube of periods, see :func:`cbmcube.series.composite`; of radar products, with
        a single relative orbit. Coordinates on `parcel`: the declared crop, ``area_m2`` and
        ``geometry``; ``class_10m`` of :func:`cbmcube.prepare_parcels` and ``holding`` are
        heeded if they are there. A lazy cube is computed once, this band's mean only.
    band
        The signal: a band or index whose mean is compared; the first by default. Backscatter
        is compared in dB, of means in linear power.
    rule
        A `SimilarityRule`, or the name of one in `SIMILARITY_RULES`; the default otherwise.
    crop
        The coordinate that holds the declared crop.
    period
        Aggregate first: ``"5D"``, ``"10D"`` …
    as_of
        Judge with the knowledge of this moment. Of a cube of periods, those that reach beyond
        it are left out whole.

    Returns
    -------
    pandas.DataFrame
        One row for each parcel, index `parcel` in the cube's order. Missing counts are -1.

        ``status``, ``reason``
            ``OK``; or ``NOT_VALID`` with ``CLASS_POOR`` (too small for 10 m), ``TOO_FEW_OBS``
            or ``FEW_PEERS``; or ``NOT_EXECUTED`` with ``NO_INPUT`` (never observed, or without
            a geometry) or ``NO_CROP``. The numbers of a row that is not ``OK`` are missing.
        ``crop``, ``n_peers``, ``radius_m``, ``n_holdings``, ``n_periods``
            The declared crop; peers found, the radius searched and the holdings they belong to
            (-1 if not known); periods with a value of the parcel and of enough peers.
        ``D``, ``mean_z``
            Root mean square and mean of z (below). The mean says higher or lower, and so
            whether a crop is early or late.
        ``rank``, ``n_ranked``, ``D_pct``
            Rank of D among those of its peers, each against its own peers: 1 is the most
            unusual, and equal ones share the better rank. `n_ranked` is the parcel and the
            peers with a D; `D_pct` the percentage of these peers with a smaller one.
        ``D_t``, ``p_value``
            The same root mean square in plain standard deviations, and the probability of
            such a season for a parcel like its peers. Both trust that the peers are clean.
        ``best_crop``, ``D_best``, ``margin``, ``gain``, ``n_crops``
            The other crop with the smallest D (or as ``best_by`` of the rule says), that D,
            ``D - D_best``, how much more likely it makes the series (the difference of mean
            log densities per period), and the number of other crops tried. Both are positive
            where the other crop fits better; of many other crops one often does by chance, so
            neither alone is an alert. The crop is also given where there is no crop declared
            or too few peers of it, without the two.
        ``signal``, ``params_id``
            The band and the hash of the rule.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the mean (and the count, where periods are made here).
    OptionError
        If a coordinate is missing, orbits of a radar product are mixed, or a period repeats.
    DuplicateIdError, MissingCRSError, ParcelsError
        If parcels repeat, or cannot be placed on the map.

    See Also
    --------
    similarity_series : z, and what was expected, period by period.
    similarity_peers : who the peers of a parcel are.

    Notes
    -----
    With K peers that have a value in a period, m their mean without the lowest and the highest
    10 %, and s their interquartile range / 1.349 (at least the rule's floor),
    ``z = (x - m) / (s sqrt(1 + 1/K))``. Such robust numbers bear up to a fifth of wrong claims
    among the peers, but scatter: of normal values, \|z\| > 3 occurs in 4.8 % of periods with
    10 peers and 1.3 % with 30, not in 0.27 %. So `p_value` is of the other form,
    ``t = (x - mean) / (std sqrt(1 + 1/K))``, of Student's distribution with K - 1 degrees of
    freedom. Periods of one parcel are correlated, so their p-values are joined by Rüger's
    bound (Metrika 25, 1978), which needs no independence: of n periods, the k-th smallest
    times n / k, with k a quarter of n. Many wrong claims around, or one holding with many
    fields, break both forms.

    Peers follow the service of parcel data of the JRC (same crop, above 0.3 ha, nearest
    first), with more of them from further away. A peer is also required to have the rule's
    number of periods itself.

    Examples
    --------
    >>> from cbmcube.learning import SimilarityRule, similarity
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=80, seed=1)
    >>> claims = stats["crop"].values.copy()
    >>> claims[2], stats["crop"].values[3]  # maize, from now on claimed to be sugar beet
    (np.str_('maize'), np.str_('sugar beet'))
    >>> claims[2] = "sugar beet"
    >>> claimed = stats.assign_coords(crop=("parcel", claims))
    >>> result = similarity(claimed, "NDVI", period="10D", rule=SimilarityRule(min_area_m2=0))
    >>> result.loc["P2", ["rank", "n_ranked", "best_crop"]].astype(str).tolist()
    ['1', '14', 'maize']
    """
    name, rule = select_bands(stats, band)[0], choose_rule(rule)
    known = read_declared(stats, name, rule, crop=crop, period=period, as_of=as_of)
    own = against_own(known, rule)
    other = against_others(known, rule, own.d)
    return similarity_table(known, own, other, rule=rule, signal=name)


def similarity_series(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    parcels: Sequence[Any] | None = None,
    against: Any = None,
    rule: SimilarityRule | str | None = None,
    crop: str = "crop",
    period: str | None = None,
    as_of: Moment | None = None,
) -> xr.Dataset:
    """Compare parcels with their peers period by period, for plots. Computes.

    Parameters
    ----------
    stats, band, rule, crop, period, as_of
        As of `similarity`. All parcels of the cube may be peers.
    parcels
        Ids of the parcels to compare; all by default.
    against
        A crop whose parcels are the peers; by default each parcel's declared crop.

    Returns
    -------
    xarray.Dataset
        float32 (time, parcel): ``z``, ``t``, the parcel's ``value``, the peers' trimmed mean
        ``expected`` and their robust standard deviation ``spread``, in the units of the band,
        or dB for backscatter; and ``n_peers``, the peers with a value. NaN where there is no
        value or fewer than the rule's peers. Parcels that cannot be judged are all NaN.

    Raises
    ------
    UnknownParcelError
        If a parcel is not in the cube.
    OptionError
        If there is no such crop; and what `similarity` raises.

    Examples
    --------
    >>> from cbmcube.learning import SimilarityRule, similarity_series
    >>> from cbmcube.testing import vector_cube
    >>> stats, rule = vector_cube(parcels=80), SimilarityRule(min_area_m2=0)
    >>> seen = similarity_series(stats, "NDVI", parcels=["P7"], period="10D", rule=rule)
    >>> seen["z"].dims, seen.sizes["parcel"]
    (('time', 'parcel'), 1)
    """
    name, rule = select_bands(stats, band)[0], choose_rule(rule)
    known = read_declared(stats, name, rule, crop=crop, period=period, as_of=as_of)
    rows = known.rows(parcels)
    fields = ("z", "t", "expected", "spread")
    layers = {field: np.full((rows.size, known.times.size), np.nan, "f4") for field in fields}
    layers["n_peers"] = np.zeros((rows.size, known.times.size), "u2")
    wanted = known.crop[rows] if against is None else np.full(rows.size, known.code(against))
    wanted = np.where(known.reason[rows] == None, wanted, -1)  # noqa: E711 - element by element
    for code in np.unique(wanted[wanted >= 0]):
        here = np.flatnonzero(wanted == code)
        for part in comparisons(known, int(code), rows[here], rule):
            at = here[part.place]
            for field in fields:
                layers[field][at] = getattr(part.likeness, field)
            layers["n_peers"][at] = part.likeness.peers
    layers["value"] = known.values[rows]
    result = xr.Dataset(
        {field: (("time", "parcel"), layer.T) for field, layer in layers.items()},
        coords={"time": known.times, "parcel": known.index[rows]},
        attrs={"signal": name, "params_id": rule.params_id},
    )
    for field in ("value", "expected", "spread"):
        result[field].attrs["units"] = known.unit
    return result


def similarity_peers(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    parcels: Sequence[Any],
    against: Any = None,
    rule: SimilarityRule | str | None = None,
    crop: str = "crop",
    period: str | None = None,
    as_of: Moment | None = None,
) -> pd.DataFrame:
    """List the parcels that `similarity` compares some parcels with. Computes.

    Parameters
    ----------
    stats, band, rule, crop, period, as_of
        As of `similarity`.
    parcels
        Ids of the parcels.
    against
        A crop whose parcels are the peers; by default each parcel's declared crop.

    Returns
    -------
    pandas.DataFrame
        Columns ``parcel``, ``peer`` (ids) and ``distance_m`` (between edges, in metres); by
        parcel as asked for, nearest first.

    Raises
    ------
    UnknownParcelError
        If a parcel is not in the cube.
    OptionError
        If there is no such crop; and what `similarity` raises.

    Examples
    --------
    >>> from cbmcube.learning import SimilarityRule, similarity_peers
    >>> from cbmcube.testing import vector_cube
    >>> stats, rule = vector_cube(parcels=80), SimilarityRule(min_area_m2=0)
    >>> similarity_peers(stats, "NDVI", parcels=["P7"], rule=rule)["peer"].head(2).tolist()
    ['P3', 'P11']
    """
    name, rule = select_bands(stats, band)[0], choose_rule(rule)
    known = read_declared(stats, name, rule, crop=crop, period=period, as_of=as_of)
    rows = known.rows(parcels)
    wanted = known.crop[rows] if against is None else np.full(rows.size, known.code(against))
    peers = np.full((rows.size, rule.peers), -1, np.int64)
    for code in np.unique(wanted[wanted >= 0]):
        here = np.flatnonzero((wanted == code) & (known.reason[rows] != "NO_INPUT"))
        peers[here] = pool_of(known, int(code)).nearest(rows[here], search_of(rule))[0]
    place, at = np.nonzero(peers >= 0)
    pair = rows[place], peers[place, at]
    table = pd.DataFrame(
        {
            "parcel": known.index[pair[0]],
            "peer": known.index[pair[1]],
            "distance_m": known.shapes.apart(*pair),
        }
    )
    order = np.lexsort((known.shapes.key[pair[1]], table["distance_m"], place))
    return table.iloc[order].reset_index(drop=True)
