"""Blocks: each chunk is computed once, and no number depends on the chunks."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from cbmcube.agreement import AgreementRule, _blocks, _layout, compare
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def sides():
    rng = np.random.default_rng(0)
    ours = vector_cube("CARD-2A", parcels=23, days=50, bands=["B04", "NDVI"])
    theirs = ours.copy()
    for band in ("B04", "NDVI"):
        noise = rng.normal(0, 0.01, ours[band].shape)
        noise[rng.uniform(size=noise.shape[:2]) < 0.05] *= 30  # extremes, all over
        theirs[band] = ours[band] + noise.astype("float32")
    theirs["n_valid"] = ours["n_valid"].where(rng.uniform(size=ours["n_valid"].shape) < 0.9, 0)
    return ours, theirs.isel(time=slice(3, None))


@pytest.fixture(scope="module")
def expected(sides):
    result = compare(*sides)
    assert result.extremes["time"].nunique() > 5
    return result


def same(result, expected):
    """To the last bit, but for what a matrix product makes of the same sums."""
    keys = "time", "parcel_class"
    pd.testing.assert_frame_equal(result.by(*keys), expected.by(*keys), check_exact=True)
    pd.testing.assert_frame_equal(result.to_frame(), expected.to_frame(), check_exact=True)
    for name in ("ledger", "pairs", "extremes", "only_a"):
        pd.testing.assert_frame_equal(
            getattr(result, name), getattr(expected, name), check_exact=True
        )


def chunked(cube, times, parcels):
    """Chunk the variables; coordinates stay in memory, as in a real cube."""
    chunks = {"time": times, "parcel": parcels}
    some = {
        name: cube[name].variable.chunk({d: c for d, c in chunks.items() if d in cube[name].dims})
        for name in cube.data_vars
        if "time" in cube[name].dims
    }
    return cube.assign(some)


@settings(max_examples=6)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 25)),
    st.tuples(st.integers(1, 40), st.integers(1, 25)),
    st.tuples(st.integers(60, 900), st.integers(60, 900)),
)
def test_no_number_depends_on_chunks_and_blocks(sides, expected, first, second, sizes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_layout, "_BLOCK", sizes[0])
        patch.setattr(_layout, "_SMALL", sizes[1])
        result = compare(chunked(sides[0], *first), chunked(sides[1], *second))
    same(result, expected)


def test_small_cells_give_the_same_numbers(sides, expected, monkeypatch):
    """Cells decide about the last bits, and about nothing else."""
    monkeypatch.setattr(_layout, "CELL", 4)
    monkeypatch.setattr(_blocks, "CELL", 4)
    monkeypatch.setattr(_layout, "_BLOCK", 40)
    result = compare(*sides)
    pd.testing.assert_frame_equal(
        result.by("time", "parcel_class"), expected.by("time", "parcel_class")
    )
    pd.testing.assert_frame_equal(result.extremes, expected.extremes)
    lazy = compare(chunked(sides[0], 7, 5), chunked(sides[1], 1, 23))
    same(lazy, result)


def test_parcels_and_passes_in_another_order(sides, expected):
    rng = np.random.default_rng(1)
    ours, theirs = (
        side.isel(time=rng.permutation(side.sizes["time"]), parcel=rng.permutation(23))
        for side in sides
    )
    for a, b in ((ours, theirs), (chunked(ours, 3, 4), chunked(theirs, 5, 6))):
        result = compare(a, b)
        pd.testing.assert_frame_equal(result.by("time"), expected.by("time"))
        pd.testing.assert_frame_equal(result.ledger, expected.ledger)
        assert sorted(result.extremes["d"]) == sorted(expected.extremes["d"])


def counting(cube, band, counts, lock):
    """Count how often each chunk of a band is computed."""

    def count(values, block_info=None):
        with lock:
            key = block_info[0]["chunk-location"]
            counts[key] = counts.get(key, 0) + 1
        return values

    data = da.map_blocks(count, cube[band].data, dtype="float32", meta=np.zeros((0, 0, 0), "f4"))
    return cube.assign({band: (cube[band].dims, data)})


@pytest.mark.parametrize("chunks", [(1, -1), (-1, 2), (4, 5)])
def test_each_chunk_is_computed_once(sides, chunks):
    counts, lock, runs = {}, threading.Lock(), []
    lazy = counting(chunked(sides[0], *chunks), "NDVI", counts, lock)
    with Callback(start=runs.append), pytest.MonkeyPatch.context() as patch:
        patch.setattr(_layout, "CELL", 4)
        patch.setattr(_blocks, "CELL", 4)
        patch.setattr(_layout, "_BLOCK", 40)
        result = compare(lazy, sides[1], variable=["B04", "NDVI"])
    assert len(runs) == 1
    assert len(counts) == np.prod(lazy["NDVI"].data.numblocks)
    assert set(counts.values()) == {1}
    assert result["NDVI"].n > 0


def test_one_lazy_side_and_one_in_memory(sides, expected):
    same(compare(chunked(sides[0], 1, -1), sides[1]), expected)
    same(compare(sides[0], chunked(sides[1], 1, -1)), expected)


def test_on_a_distributed_client(sides, expected):
    options = {"processes": False, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    with Client(n_workers=1, threads_per_worker=2, **options):
        same(compare(chunked(sides[0], 1, -1), chunked(sides[1], 2, 10)), expected)


def test_slices_are_joined_before_anything_is_compared():
    """A parcel on the border of two slices has a row in each: the one that saw more counts."""
    whole = vector_cube("CARD-BS", parcels=5, days=60)
    first, second = whole.copy(deep=True), whole.copy(deep=True)
    second = second.assign_coords(
        time=second["time"] + np.timedelta64(25, "s"), items=second["items"] + "_B"
    )
    # The first three parcels lie in the north slice, the last in the south one, P3 in both.
    for cube, gone, part in ((first, [4], [3]), (second, [0, 1, 2], [])):
        cube["n_valid"][:, :, gone] = 0
        cube["observed"][:, gone] = 0
        for band in ("VV", "VH"):
            cube[band][:, gone] = np.nan
            cube[band][:, part] = cube[band][:, part] * 5  # of a few pixels at the border
        cube["n_valid"][:, :, part] = 1
    order = np.argsort(np.concatenate([first["time"], second["time"]]))
    sliced = _concat(first, second).isel(time=order)
    result = compare(whole, sliced)
    assert len(result.only_b) == 0
    assert (result.matched["parts_b"] == 2).all()
    assert (result["VV"].rmse, result["VV"].availability) == (0, 1)
    back = compare(sliced, whole)
    assert (back["VV"].rmse, back["VV"].n) == (0, result["VV"].n)


def _concat(first, second):
    import xarray as xr

    kept = {"data_vars": "minimal", "coords": "minimal", "compat": "override", "join": "override"}
    timed = [cube.drop_vars("geometry") for cube in (first, second)]
    return xr.concat(timed, "time", **kept)


def test_the_kept_pairs_are_a_draw_if_there_are_many(sides, expected):
    assert expected["NDVI"].kept == 1
    rule = AgreementRule(pairs=100)
    some = compare(*sides, rule=rule)
    count = len(some.pairs) / 2
    possible = len(some.matched) * 23
    share = 100 / possible
    assert some["NDVI"].kept == pytest.approx(share, abs=0.05)
    assert 60 < count * possible / some["NDVI"].n < 140
    merged = some.pairs.merge(expected.pairs, how="left", indicator=True)
    assert (merged["_merge"] == "both").all()
    assert some["NDVI"].rmse == expected["NDVI"].rmse
    other = compare(*sides, rule=AgreementRule(pairs=100, seed=1))
    assert not other.pairs["time"].equals(some.pairs["time"])
