"""Which parcels teach a classifier, and what they are called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from cbmcube.exceptions import OptionError
from cbmcube.learning._channels import refuse_repeated

SAMPLE_REASONS = ("NO_CLASS", "TOO_SMALL", "CLASS_POOR")
"""Why a parcel is left out; of several, the first."""


@dataclass(frozen=True, slots=True)
class SampleRule:
    """Which parcels are taken. Defaults are starting values, not validated on field data.

    Examples
    --------
    >>> from cbmcube.learning import SampleRule
    >>> SampleRule(min_share=0.02) == SampleRule()
    False
    """

    min_area_ha: float = 0.3
    """Smaller parcels are left out."""
    monitorability: tuple[str, ...] = ("GOOD",)
    """Classes of ``class_10m`` that are taken, where parcels have that column."""
    min_share: float = 0.01
    """Crops with a smaller share of the area of the parcels taken become `other`."""
    other: str = "other"
    """Name of these. It is learnt, and never the target of an outlier."""

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def crop_sample(
    parcels: pd.DataFrame,
    crop: str,
    *,
    groups: Mapping[object, str] | None = None,
    rule: SampleRule | None = None,
) -> pd.DataFrame:
    """Choose the parcels that a classifier learns from, and name their classes.

    Parameters
    ----------
    parcels
        As `cbmcube.prepare_parcels` returns them: indexed by id, with ``area_m2`` and, if it
        is to count, ``class_10m``.
    crop
        Column of the declared crop.
    groups
        Classes of crop codes; a code that is not in it stays itself.
    rule
        Which are taken; by default ``SampleRule()``.

    Returns
    -------
    pandas.DataFrame
        Indexed by `parcel`: ``declared``, the code or its group, as text; ``label``, the same
        or `other`, missing for parcels left out; ``area_ha``; ``reason``, why it is left out,
        else missing.

    Raises
    ------
    OptionError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from cbmcube.learning import crop_sample
    >>> parcels = pd.DataFrame({"crop": ["wheat", "maize", "maize"], "area_m2": [9e3, 8e3, 1e3]})
    >>> crop_sample(parcels, "crop")["label"].tolist()
    ['wheat', 'maize', None]
    """
    rule = SampleRule() if rule is None else rule
    absent = [name for name in (crop, "area_m2") if name not in parcels]
    if absent:
        raise OptionError(
            "parcels lack columns", given=", ".join(absent), hint="see cbmcube.prepare_parcels"
        )
    refuse_repeated(parcels.index)
    codes = parcels[crop].astype(object)
    named = codes.map({**groups}).where(codes.isin([*groups]), codes) if groups else codes
    known = named.notna()
    declared = named.astype(str).astype(object).where(known, None)
    area = parcels["area_m2"].astype("float64") / 10_000
    reason = pd.Series(None, index=parcels.index, dtype=object)
    if "class_10m" in parcels:
        reason[~parcels["class_10m"].astype(str).isin(rule.monitorability)] = "CLASS_POOR"
    reason[~(area >= rule.min_area_ha)] = "TOO_SMALL"
    reason[~known] = "NO_CLASS"
    taken = reason.isna()
    share = area[taken].groupby(declared[taken]).sum() / area[taken].sum()
    small = declared.isin(share.index[share < rule.min_share])
    label = declared.where(~small, rule.other).where(taken, None)
    columns = {"declared": declared, "label": label, "area_ha": area, "reason": reason}
    table = pd.DataFrame(columns)
    for name in ("declared", "label", "reason"):  # one kind of missing value: None
        table[name] = table[name].astype(object).where(table[name].notna(), None)
    return table.rename_axis("parcel")
