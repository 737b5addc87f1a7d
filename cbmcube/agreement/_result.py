"""What a comparison of two sources found: numbers by band, and tables by anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cbmcube.agreement._groups import Groups
from cbmcube.agreement._metrics import NUMBERS, RESAMPLED
from cbmcube.agreement._rule import AgreementRule
from cbmcube.agreement._show import as_html, as_text
from cbmcube.exceptions import UnknownBandError

_Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class BandAgreement:
    """How far two sources agree in one band; differences are second minus first."""

    band: str
    """The band or index."""
    kind: str
    """``reflectance``, ``index``, ``backscatter`` or ``coherence``."""
    units: str
    """Units of all differences; ``"dB"`` for backscatter."""
    tolerance: float
    """Difference up to which two numbers count as close, in `units`."""
    n: int
    """Pairs: one parcel on one matched pass, with a value in both sources."""
    days: int
    """UTC days with at least one pair."""
    availability: float
    """Pairs over the observations with a value in at least one source, 0 to 1."""
    bias: float
    """Mean difference."""
    mae: float
    """Mean absolute difference."""
    rmse: float
    """Root of the mean squared difference."""
    ubrmse: float
    """The same after the bias is taken off: sqrt(rmse^2 - bias^2)."""
    sd: float
    """Sample standard deviation of the differences."""
    limits: _Interval
    """Bland-Altman limits of agreement: bias ± 1.96 `sd`."""
    margin: float
    """Half width of the 95 % interval of each limit by formula, which takes pairs as independent:
    1.96 sd sqrt(1/n + 1.96^2/(2(n-1))). `intervals` does not, and is the one to trust."""
    within: float
    """Share of pairs whose difference is at most the tolerance."""
    r: float
    """Pearson correlation."""
    slope: float
    """Least squares slope of the second on the first."""
    intercept: float
    """Intercept of that line."""
    orthogonal_slope: float
    """Slope of total least squares, which allows for error in both."""
    orthogonal_intercept: float
    """Intercept of that line."""
    proportional_slope: float
    """Slope of the difference on the average of both: not 0 if the error grows with the value."""
    proportional_intercept: float
    """Intercept of that line."""
    intervals: Mapping[str, _Interval] = field(repr=False)
    """95 % intervals from resampled days of `bias`, `mae`, `rmse`, `ubrmse`, both limits (`lower`
    and `upper`), `within`, `r` and the slopes."""
    median: float
    """Median difference of the kept pairs."""
    mad: float
    """Median absolute deviation from it."""
    extreme_limit: float
    """Distance from the median beyond which a difference is extreme."""
    extremes: int
    """Extreme differences that are listed."""
    all_extremes: bool
    """Whether these are all; else there may be more, less far off."""
    kept: float
    """Share of the pairs that `Agreement.pairs` holds; 1 for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """How far two sources agree; ``result["NDVI"]`` has the numbers of one band.

    ``by`` gives the same numbers for parts of the season and of the parcels, ``availability_by``
    what each source lacks.
    """

    statistic: str
    """The statistic that was compared."""
    rule: AgreementRule
    """The rule by which."""
    bands: Mapping[str, BandAgreement]
    """Numbers of each band, in the order of the first source."""
    header: pd.DataFrame
    """What is stated of how the sources were made, a row for each fact: `a`, `b` and `same`."""
    parcels: int
    """Parcels that both sources hold."""
    parcels_only_a: tuple[object, ...]
    """Parcels that only the first source holds."""
    parcels_only_b: tuple[object, ...]
    """Parcels that only the second source holds."""
    availability: float
    """Passes of both sources over all distinct passes, 0 to 1."""
    matched: pd.DataFrame
    """Passes of both: `time_a`, `time_b`, `acquisition`, `platform`, `relative_orbit`,
    `orbit_state`, and the number of parts (slices, tiles) in each, `parts_a` and `parts_b`."""
    only_a: pd.DataFrame
    """Passes of the first source without a partner in the second; `nearest` is how much later the
    nearest one of the same platform and orbit is, NaT without any."""
    only_b: pd.DataFrame
    """Passes of the second source without a partner in the first."""
    ledger: pd.DataFrame
    """Observations by `band`, `month`, `relative_orbit`, `state_a` and `state_b`, with their number
    `n`: why a value is missing on either side."""
    pairs: pd.DataFrame
    """Pairs as they are, for figures: all, or a seeded draw of about ``rule.pairs`` of each band
    (`BandAgreement.kept` says what share). Columns `band`, `parcel`, `parcel_class`, `time`,
    `platform`, `relative_orbit`, `a`, `b`, `d` and `average`."""
    extremes: pd.DataFrame
    """Pairs with an extreme difference, the most extreme first: columns of `pairs`, `mads` (how
    many MAD from the median) and the source items of both, `items_a` and `items_b`. They are part
    of all numbers."""
    _groups: Groups = field(repr=False)

    def __getitem__(self, band: str) -> BandAgreement:
        """Return the numbers of one band."""
        if band not in self.bands:
            raise UnknownBandError(
                "this band was not compared",
                given=repr(band),
                allowed=", ".join(self.bands),
                hint="name it in compare(..., variable=...)",
            )
        return self.bands[band]

    def __iter__(self) -> Iterator[str]:
        return iter(self.bands)

    def __len__(self) -> int:
        return len(self.bands)

    def by(self, *keys: str) -> pd.DataFrame:
        """Return the numbers of each band and group.

        Parameters
        ----------
        *keys
            What makes a group: any of `time` (each pass), `date` (UTC day), `month`, `platform`,
            `relative_orbit`, `orbit_state` and `parcel_class`; none for whole bands.

        Returns
        -------
        pandas.DataFrame
            `band`, the keys, `n`, and the numbers that `BandAgreement` describes: `lower` and
            `upper` are its limits. Groups without a pair have no row, and with fewer than three
            pairs NaN.

        Raises
        ------
        OptionError
            If a key is not known.

        Examples
        --------
        >>> from cbmcube.agreement import compare
        >>> from cbmcube.testing import vector_cube
        >>> result = compare(vector_cube(), vector_cube(seed=1), variable="NDVI")
        >>> result.by("relative_orbit")["relative_orbit"].tolist()
        [22, 65]
        """
        return self._groups.numbers(keys)

    def availability_by(self, *keys: str) -> pd.DataFrame:
        """Return what each source has and lacks, for each band and group.

        Parameters
        ----------
        *keys
            As in `by`, without `parcel_class`.

        Returns
        -------
        pandas.DataFrame
            `band`; the keys; `passes`, `passes_only_a` and `passes_only_b`: passes in both and in
            one source alone; `both`, `only_a`, `only_b` and `neither`: observations (one parcel on
            one pass) with a value in both, one or none; and `availability`, both over those with
            a value in at least one.

        Raises
        ------
        OptionError
            If a key is not known.

        Examples
        --------
        >>> from cbmcube.agreement import compare
        >>> from cbmcube.testing import vector_cube
        >>> ours = vector_cube("CARD-BS", days=60)
        >>> result = compare(ours, ours.isel(time=slice(3, None)), variable="VV")
        >>> result.availability_by("month")[["month", "passes", "passes_only_a"]]
             month  passes  passes_only_a
        0  2024-03       7              3
        1  2024-04      10              0
        """
        return self._groups.availability(keys)

    def to_frame(self) -> pd.DataFrame:
        """Return all numbers, a row for each band; intervals as `bias_low`, `bias_high` and so on.

        Returns
        -------
        pandas.DataFrame
            Fields of `BandAgreement` with flat columns, `statistic` and ``params_id`` of the rule.
        """
        return pd.DataFrame([_flat(self, band) for band in self.bands.values()])

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def _flat(result: Agreement, band: BandAgreement) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(band, name) for name in BandAgreement.__slots__ if name != "intervals"
    }
    row["lower"], row["upper"] = row.pop("limits")
    for name in RESAMPLED:
        row[f"{name}_low"], row[f"{name}_high"] = band.intervals[name]
    first = ("band", "kind", "units", "tolerance", *NUMBERS)
    ordered = {name: row[name] for name in (*first, *row)}
    return ordered | {"statistic": result.statistic, "params_id": result.rule.params_id}
