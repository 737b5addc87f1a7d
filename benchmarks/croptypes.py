"""Measure what improves crop types on 359 real parcels, on land that models have not seen.

The parcels are those of the eight commonest codes in ``france-lpis`` of the real data, with a
dekad series of Sentinel-1 and Sentinel-2. Folds are squares of 0.05 degrees, dealt five times;
every row of the table has the same folds. The last row chooses features, classifier and decision
anew in each training part, by folds inside it, so that nothing is tuned on what is tested.

Run ``python -m benchmarks.croptypes --data DIR``; it takes some minutes and prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from cbmcube.learning import CropRule, crop_features, cross_validate, spatial_folds

FILE = "france-lpis/2023_FRA_LPIS_POLY_110.geoparquet"
CODES = 8
SIZE = 0.05
"""Side of the squares in degrees: 4 by 5.5 km."""
SEASON = ("2022-10-01", "2023-09-30")
LIKELIEST, BALANCED = CropRule(), CropRule(decision="balanced")
REFLECTANCE = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B11", "B12")
INDICES = {"NDVI": ("B08", "B04"), "NDMI": ("B08", "B11"), "NDRE": ("B08", "B05")}


@dataclass(frozen=True, slots=True)
class Parcels:
    """The real parcels: features by set, declared codes, places."""

    dekads: pd.DataFrame
    """Mean dekads of nine bands and of VV and VH: the baseline's features."""
    season: pd.DataFrame
    """These, the ratio, indices and summaries of the season."""
    labels: pd.Series
    places: gpd.GeoSeries


def read(data: Path) -> Parcels:
    """Read the real data, and make features from it with the library."""
    table = pd.read_parquet(data / FILE)
    each = table.drop_duplicates("sample_id").set_index("sample_id")
    common = each["ewoc_code"].value_counts().index[:CODES]
    each = each[each["ewoc_code"].isin(common)]
    table = table[table["sample_id"].isin(each.index)]
    optical, radar = _optical(table, each.index), _radar(table, each.index)
    dekads = [
        crop_features(optical, bands=REFLECTANCE, n_obs=False, summaries=()),
        crop_features(radar, ratio=False, n_obs=False, summaries=()),
    ]
    ratio = crop_features(radar, n_obs=False, summaries=()).filter(like="VH_VV")
    new = [
        crop_features(optical, bands=INDICES, n_obs=False, window=SEASON),
        crop_features(radar, n_obs=False, window=SEASON).filter(regex="max|integral|slope"),
    ]
    plain = pd.concat(dekads, axis=1)
    places = gpd.GeoSeries.from_wkb(each["geometry"], index=each.index, crs=4326)
    labels = each["ewoc_code"].astype(str)
    return Parcels(plain, pd.concat([plain, ratio, *new], axis=1), labels, places)


def _optical(table: pd.DataFrame, parcels: pd.Index) -> xr.Dataset:
    bands = {b: _wide(table, f"S2-L2A-{b}", parcels) / 10_000 for b in REFLECTANCE}
    with np.errstate(invalid="ignore", divide="ignore"):
        for name, (a, b) in INDICES.items():
            bands[name] = (bands[a] - bands[b]) / (bands[a] + bands[b])
    return _cube(bands, table, parcels, "CARD-2A")


def _radar(table: pd.DataFrame, parcels: pd.Index) -> xr.Dataset:
    """Return linear power: 20 log10(DN) - 83 is in decibels."""
    bands = {b: _wide(table, f"S1-SIGMA0-{b}", parcels) ** 2 * 10**-8.3 for b in ("VV", "VH")}
    return _cube(bands, table, parcels, "CARD-BS")


def _wide(table: pd.DataFrame, column: str, parcels: pd.Index) -> pd.DataFrame:
    wide = table.pivot_table(index="timestamp", columns="sample_id", values=column)
    return wide.where(wide != 65535).reindex(columns=parcels)


def _cube(
    bands: dict[str, pd.DataFrame], table: pd.DataFrame, parcels: pd.Index, product: str
) -> xr.Dataset:
    """Return a vector cube of one mean for each dekad."""
    times = np.sort(table["timestamp"].unique())
    return xr.Dataset(
        {
            name: (("time", "parcel", "statistic"), wide.to_numpy("float32")[..., None])
            for name, wide in bands.items()
        },
        coords={
            "time": times.astype("datetime64[ns]"),
            "parcel": parcels.to_numpy(dtype=object),
            "statistic": ["mean"],
            "band": [*bands],
        },
        attrs={"product": product},
    )


def forest(trees: int, **options: Any) -> Any:
    """Return a random forest."""
    return RandomForestClassifier(trees, n_jobs=2, **options)


def extra(trees: int) -> Any:
    """Return trees with random thresholds; a parcel that was never seen has median numbers."""
    return make_pipeline(SimpleImputer(strategy="median"), ExtraTreesClassifier(trees, n_jobs=2))


def measure(parcels: Parcels, *, repeats: int, trees: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the balanced accuracy of each dealing of the folds, for each way of working."""
    folds = spatial_folds(parcels.places, size=SIZE, folds=5, repeats=repeats)

    def one(features: pd.DataFrame, estimator: Any, rule: CropRule) -> np.ndarray:
        found = cross_validate(features, parcels.labels, folds, estimator=estimator, rule=rule)
        return found.by_prediction["balanced_accuracy"].to_numpy()

    plain, season = parcels.dekads, parcels.season
    yield "random forest, mean dekads", one(plain, forest(trees), LIKELIEST)
    weighted = forest(trees, class_weight="balanced_subsample")
    yield "… class weights", one(plain, weighted, LIKELIEST)
    yield "… ratio, indices, summaries", one(season, forest(trees), LIKELIEST)
    yield "… balanced decision", one(plain, forest(trees), BALANCED)
    yield "… both", one(season, forest(trees), BALANCED)
    yield "extra trees, balanced decision", one(plain, extra(trees), BALANCED)
    yield "… ratio, indices, summaries", one(season, extra(trees), BALANCED)
    radar = season.filter(regex="^V[VH]_")
    yield "… radar alone", one(radar, extra(trees), BALANCED)
    yield "… optical alone", one(season.drop(columns=radar.columns), extra(trees), BALANCED)
    yield "chosen in the training part", nested(parcels, folds, trees)


def nested(parcels: Parcels, folds: pd.DataFrame, trees: int) -> np.ndarray:
    """Choose among eight ways inside each training part, then predict the fold left out."""
    ways = [
        (features, estimator, rule)
        for features in (parcels.dekads, parcels.season)
        for estimator in (forest, extra)
        for rule in (LIKELIEST, BALANCED)
    ]
    return np.array(
        [
            _nested_once(parcels, folds[name], ways, trees)
            for name in folds.columns
            if name.startswith("fold_")
        ]
    )


def _nested_once(parcels: Parcels, fold: pd.Series, ways: list[Any], trees: int) -> float:
    predicted = pd.Series(index=fold.index, dtype=object)
    for number in range(fold.max() + 1):
        held = fold.index[fold == number]
        train = fold.index[fold != number]
        inner = spatial_folds(parcels.places[train], size=SIZE, folds=3, repeats=1)
        scores = [
            cross_validate(
                features, parcels.labels[train], inner, estimator=make(trees // 3), rule=rule
            ).balanced_accuracy
            for features, make, rule in ways
        ]
        features, make, rule = ways[int(np.argmax(scores))]
        split = pd.DataFrame({"fold_1": (fold == number).astype(int)})
        whole = cross_validate(
            features, parcels.labels, split, estimator=make(trees), rule=rule
        )  # of its two folds, the one that is held out counts
        predicted[held] = whole.table.loc[held, "pred_1"]
    right = predicted == parcels.labels
    return float(right.groupby(parcels.labels).mean().mean())


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Compare ways to tell crops apart.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the real data")
    parser.add_argument("--repeats", type=int, default=5, help="dealings of the folds")
    parser.add_argument("--trees", type=int, default=300)
    options = parser.parse_args()
    begin = time.monotonic()
    parcels = read(options.data)
    print("| way | balanced accuracy | against the first | smallest difference |")
    print("|---|---|---|---|")
    first = None
    for name, scores in measure(parcels, repeats=options.repeats, trees=options.trees):
        first = scores if first is None else first
        apart = scores - first
        print(
            f"| {name} | {scores.mean():.3f} ± {scores.std(ddof=1):.3f} "
            f"| {apart.mean():+.3f} ± {apart.std(ddof=1):.3f} | {apart.min():+.3f} |",
            flush=True,
        )
    print(f"\n{len(parcels.labels)} parcels, {(time.monotonic() - begin) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
