"""Pairs in cells, held against NumPy's histograms of all of them at once."""

from __future__ import annotations

import dask
import numpy as np
import pytest
import xarray as xr

from cbmcube.plotting import scatter_red_nir
from cbmcube.plotting.numbers import _scatter
from cbmcube.plotting.numbers._lattice import count_pairs
from tests.plotting.numbers.test_scatter import _pixels, _soils

RNG = np.random.default_rng(0)
SHAPE = (4, 30, 50)
FIRST, SECOND = RNG.normal(0.3, 0.3, (2, *SHAPE)).astype("float32")
FIRST[0, :3], SECOND[1, 4] = np.nan, np.inf
FIRST[2, 0, :4] = [0.0, 1.0, -1e-6, 1.0001]


def arrays(first=FIRST, second=SECOND):
    return [xr.DataArray(one, dims=("time", "y", "x")[-one.ndim :]) for one in (first, second)]


def test_each_pair_is_in_the_cell_that_it_lies_in():
    """Edges: 0 and 1 are inside, what is below and above is not."""
    lattice = count_pairs(*arrays())
    known = np.isfinite(FIRST) & np.isfinite(SECOND)
    edges = np.arange(1001) / 1000
    x, y = FIRST[known].astype(float), SECOND[known].astype(float)
    wanted, _, _ = np.histogram2d(x, y, bins=[edges, edges])
    np.testing.assert_array_equal(lattice.counts[1:-1, 1:-1], wanted)
    assert lattice.total == known.sum()


@pytest.mark.parametrize("chunks", [{"time": 1}, {"time": 3, "y": 7}, {"x": 11}])
def test_chunks_change_nothing_and_are_computed_once(chunks):
    first, second = (one.chunk(chunks) for one in arrays())
    seen = []

    def look(block):
        seen.append(block.size)
        return block

    first = first.copy(data=first.data.map_blocks(look, dtype="float32", meta=np.empty(0, "f4")))
    with dask.config.set(scheduler="synchronous"):
        lattice = count_pairs(first, second.chunk({"time": 2}))
    np.testing.assert_array_equal(lattice.counts, count_pairs(*arrays()).counts)
    assert sum(seen) == FIRST.size


def test_the_quantile_is_that_of_both_numbers_within_a_cell():
    lattice = count_pairs(*arrays())
    known = np.isfinite(FIRST) & np.isfinite(SECOND)
    both = np.clip(np.concatenate([FIRST[known], SECOND[known]]), 0, 1)
    for share in (0.3, 0.5, 0.9, 0.998):
        assert lattice.quantile(share) == pytest.approx(np.quantile(both, share), abs=0.0025)


def test_nothing_is_an_empty_lattice():
    empty = np.full((2, 3), np.nan)
    lattice = count_pairs(*arrays(empty, empty))
    assert lattice.total == 0
    assert all(len(one) == 0 for one in (*lattice.inside(1.0), *lattice.sample(10)))


@pytest.mark.parametrize("lazy", [False, True])
def test_a_figure_of_counted_points_is_that_of_all_points(monkeypatch, lazy):
    red, nir = _soils(20_000)
    cube = _pixels(np.append(red, [1.5, -0.2]), np.append(nir, [0.5, 0.3]))
    whole = scatter_red_nir(cube, soil_line=True)
    monkeypatch.setattr(_scatter, "_LARGE", 10_000)
    counted = scatter_red_nir(cube.chunk({"x": 3000}) if lazy else cube, soil_line=True)
    labels = [[t.get_text() for t in f.axes[0].get_legend().get_texts()] for f in (whole, counted)]
    assert labels[0][0] == labels[1][0] == "n=20,002, 2 outside"
    for read in (lambda f: f.axes[0].get_xlim(), lambda f: f.axes[0].lines[-1].get_ydata()):
        np.testing.assert_allclose(read(whole), read(counted), atol=0.012)
    (cells,) = counted.axes[0].collections
    assert cells.get_array().sum() == 20_000
    assert cells.norm.__class__.__name__ == "LogNorm"


def test_a_figure_without_any_point_is_drawn(monkeypatch):
    monkeypatch.setattr(_scatter, "_LARGE", 10)
    cube = _pixels(np.full(50, np.nan), np.full(50, np.nan))
    scatter_red_nir(cube).draw_without_rendering()
