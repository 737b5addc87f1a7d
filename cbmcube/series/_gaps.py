"""Gaps: when nothing could be seen of a parcel, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.series._looks import KINDS, Block, Looks, inside, revisit
from cbmcube.series._window import Moment

CAUSES = ("MASKED", "READ_FAILED", "MISSING", "NO_ACQUISITION")
"""Why: seen and not valid, not readable, without item, not acquired; of equals, the first."""


def gaps(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    min_gap: float = 20.0,
    min_share: float = 0.0,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    missing: Iterable[Moment] = (),
) -> pd.DataFrame:
    """List the times in which a parcel had no valid observation, with what stood in the way.

    Parameters
    ----------
    stats
        A vector cube; a lazy one is computed once.
    band
        Band whose validity counts; the first by default.
    min_gap
        Days; longer times without valid observation are gaps. The JRC's default is 20.
    min_share
        Observations with a smaller share of valid pixels do not count, nor does one without any.
    window
        First and last moment to look at (UTC); by default from the first to the last acquisition
        that is known.
    as_of
        Look with the knowledge of this moment: later acquisitions are left out, and a window that
        is given ends there.
    missing
        Times of passes that are known and have no item, such as those that `report` lists.

    Returns
    -------
    pandas.DataFrame
        One row for each gap, by parcel and time: ``parcel``, ``kind`` (see :data:`KINDS`),
        ``begin`` and ``end`` (UTC), ``days``; strictly inside it ``n_expected`` chances to see
        the parcel, of which ``n_masked`` were masked, ``n_failed`` not readable and
        ``n_missing`` without item; ``cause``, the commonest of these (see :data:`CAUSES`);
        ``rel_gap``, its length over the parcel's usual time between chances.

    Raises
    ------
    UnknownBandError
        If the cube lacks the band.
    OptionError
        If the window is empty.

    See Also
    --------
    gap_summary : One row for each parcel.

    Notes
    -----
    A chance is an acquisition with source data over the parcel, masked or not, or one that could
    not be read. Both ends of the window count, other than in the JRC's scripts, which list inner
    gaps alone and nothing for a parcel that was never seen.

    Examples
    --------
    >>> from cbmcube.series import gaps
    >>> from cbmcube.testing import vector_cube
    >>> found = gaps(vector_cube(days=120), "NDVI", min_gap=7)
    >>> found[["parcel", "kind", "cause"]].iloc[0].to_list()
    ['P2', 'INNER', 'MASKED']
    """
    looks = Looks.of(stats, band, min_share, window, as_of, missing)
    found = [_list_gaps(looks.some(block), min_gap) for block in looks.blocks()]
    table = pd.concat(found, ignore_index=True)
    table.insert(0, "parcel", stats.indexes["parcel"].to_numpy()[table.pop("number")])
    for name, known in (("kind", KINDS), ("cause", CAUSES)):
        table[name] = pd.Categorical.from_codes(table[name].to_numpy(), pd.Index(known))
    for name in ("begin", "end"):
        table[name] = looks.moments[table[name].to_numpy()]
    return table


def gap_summary(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    min_gap: float = 20.0,
    min_share: float = 0.0,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    missing: Iterable[Moment] = (),
) -> pd.DataFrame:
    """Say for each parcel how well it could be seen.

    Parameters
    ----------
    stats, band, min_gap, min_share, window, as_of, missing
        As for `gaps`.

    Returns
    -------
    pandas.DataFrame
        Indexed by parcel: ``n_gaps``; ``max_gap_days``, the longest time without valid
        observation, gap or not; ``gap_share``, the days in gaps over those of the window;
        ``expected_obs``, chances to see it; ``valid_obs``; ``revisit_days``, the median time
        between neighbouring chances, of radar between those of one orbit (NaN below two).

    Examples
    --------
    >>> from cbmcube.series import gap_summary
    >>> from cbmcube.testing import vector_cube
    >>> gap_summary(vector_cube(days=120), "NDVI").loc["P0", "revisit_days"].item()
    5.0
    """
    looks = Looks.of(stats, band, min_share, window, as_of, missing)
    found = [_summarise(looks.some(block), min_gap) for block in looks.blocks()]
    table = pd.concat(found, ignore_index=True)
    return table.set_index(stats.indexes["parcel"])


def _list_gaps(block: Block, min_gap: float) -> pd.DataFrame:
    spans = block.intervals()
    found = spans.where(spans.length > min_gap)
    masked, failed = (inside(flags, found) for flags in (block.masked, block.failed))
    edges = (np.searchsorted(block.looks.missing, found.begin, side="right"),
             np.searchsorted(block.looks.missing, found.end, side="left"))  # fmt: skip
    absent = np.maximum(edges[1] - edges[0], 0)
    counts = np.stack([masked, failed, absent])
    cause = np.where(counts.any(axis=0), counts.argmax(axis=0), CAUSES.index("NO_ACQUISITION"))
    return pd.DataFrame(
        {
            "number": found.parcel + block.first,
            "kind": found.kind,
            "begin": found.before + 1,
            "end": found.after + 1,
            "days": found.length,
            "n_expected": counts.sum(axis=0),
            "n_masked": masked,
            "n_failed": failed,
            "n_missing": absent,
            "cause": cause,
            "rel_gap": found.length / revisit(block)[found.parcel],
        }
    )


def _summarise(block: Block, min_gap: float) -> pd.DataFrame:
    spans, parcels = block.intervals(), block.valid.shape[1]
    lost = np.where(spans.length > min_gap, spans.length, 0.0)
    longest = np.zeros(parcels)
    np.maximum.at(longest, spans.parcel, spans.length)
    chances = block.valid | block.masked | block.failed
    share: Any = np.bincount(spans.parcel, weights=lost, minlength=parcels)
    with np.errstate(invalid="ignore"):  # a window of no length has no share
        share = share / block.looks.days[-1]
    return pd.DataFrame(
        {
            "n_gaps": np.bincount(spans.parcel[lost > 0], minlength=parcels),
            "max_gap_days": longest,
            "gap_share": share,
            "expected_obs": chances.sum(axis=0) + block.looks.missing.size,
            "valid_obs": block.valid.sum(axis=0),
            "revisit_days": revisit(block),
        }
    )
