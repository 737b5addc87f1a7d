"""Clusters from runs against scipy's labels of the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.foi._clusters import (
    Runs,
    class_runs,
    count_kinds,
    find_clusters,
    mark_runs,
    pixel_runs,
)

PLANES = st.tuples(
    st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**32 - 1)
)


def draw(plane):
    """Return kinds of pixels, -1 for none."""
    rows, columns, kinds, seed = plane
    return np.random.default_rng(seed).integers(-1, kinds, (rows, columns)).astype(np.int16)


def runs_of(kinds, parcel=0):
    row, column = np.indices(kinds.shape, dtype=np.int32).reshape(2, -1)
    return pixel_runs(np.full(row.size, parcel, np.int32), row, column, kinds.ravel())


def sizes(clusters):
    return sorted(zip(clusters.kind.tolist(), clusters.px.tolist(), strict=True))


def labelled(kinds, neighbours):
    found = []
    for kind in np.unique(kinds[kinds >= 0]):
        labels, _ = scipy.ndimage.label(kinds == kind, np.ones((3, 3)) if neighbours == 8 else None)
        found += [(int(kind), int(px)) for px in np.bincount(labels.ravel())[1:]]
    return sorted(found)


@given(plane=PLANES, neighbours=st.sampled_from([4, 8]))
def test_clusters_are_those_of_scipy(plane, neighbours):
    kinds = draw(plane)
    found = find_clusters(runs_of(kinds), neighbours=neighbours, larger_than=0)
    assert sizes(found) == labelled(kinds, neighbours)


@given(
    plane=PLANES,
    neighbours=st.sampled_from([4, 8]),
    row=st.integers(0, 12),
    column=st.integers(0, 12),
)
def test_a_cut_through_a_parcel_joins_nothing_and_parts_nothing(plane, neighbours, row, column):
    """Four blocks that meet anywhere, each with runs of its own."""
    kinds = draw(plane)
    cuts = []
    for rows in (slice(0, row), slice(row, None)):
        for columns in (slice(0, column), slice(column, None)):
            block = np.full_like(kinds, -1)
            block[rows, columns] = kinds[rows, columns]
            cuts.append(runs_of(block))
    found = find_clusters(Runs.join(cuts), neighbours=neighbours, larger_than=0)
    assert sizes(found) == labelled(kinds, neighbours)


def test_pixels_of_two_parcels_never_join():
    kinds = np.zeros((4, 4), np.int16)
    both = Runs.join([runs_of(kinds, 0), runs_of(kinds, 1)])
    found = find_clusters(both, neighbours=8, larger_than=0)
    assert found.parcel.tolist() == [0, 1]
    assert found.px.tolist() == [16, 16]


def test_a_spiral_is_one_cluster():
    """Long unions: each ring is known to be the others' only at the end."""
    spiral = np.full((41, 41), -1, np.int16)
    row, column, step, length = 20, 20, (0, 1), 2
    spiral[row, column] = 0
    while 0 <= row < 41 and 0 <= column < 41:
        for _ in range(length):
            row, column = row + step[0], column + step[1]
            if 0 <= row < 41 and 0 <= column < 41:
                spiral[row, column] = 0
        step, length = (step[1], -step[0]), length + 1
    total = int((spiral == 0).sum())
    found = find_clusters(runs_of(spiral), neighbours=4, larger_than=0)
    assert sizes(found) == labelled(spiral, 4) == [(0, total)]


def test_a_row_that_is_missing_parts_what_lies_around_it():
    kinds = np.zeros((3, 5), np.int16)
    kinds[1] = -1
    found = find_clusters(runs_of(kinds), neighbours=8, larger_than=0)
    assert sizes(found) == [(0, 5), (0, 5)]


@given(plane=PLANES, top=st.integers(0, 99), left=st.integers(0, 99))
def test_runs_of_whole_rows_are_cut_by_class(plane, top, left):
    kinds = draw(plane)
    rows, columns = kinds.shape
    start = np.array([0, rows], np.int64)
    cell = np.arange(rows, dtype=np.int32) * columns
    length = np.full(rows, columns, np.int32)
    place = (top, left, columns)
    number = np.array([7], np.int32)
    found = Runs(*class_runs(kinds.ravel(), place, number, start, cell, length))
    expected = runs_of(kinds, 7)
    for name, shift in (("parcel", 0), ("row", top), ("first", left), ("last", left), ("kind", 0)):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name) + shift)


def test_kinds_are_counted_with_those_that_are_no_class():
    plane = np.array([-2, -1, 0, 0, 1, -1], np.int16)
    start, cell = np.array([0, 1, 2], np.int64), np.array([0, 3], np.int32)
    length = np.array([4, 3], np.int32)
    counts = count_kinds(plane, start, cell, length, 3)
    assert counts.tolist() == [[1, 1, 2, 0, 0], [0, 1, 1, 1, 0]]
    assert mark_runs(8, cell, length).tolist() == [True] * 6 + [False] * 2


@pytest.mark.parametrize("larger_than", [0, 3, 4])
def test_only_clusters_above_the_limit_are_kept(larger_than):
    kinds = np.array([[0, 0, -1, 0], [0, 0, -1, 0], [-1, -1, -1, 0]], np.int16)
    found = find_clusters(runs_of(kinds), neighbours=4, larger_than=larger_than)
    assert found.px.tolist() == [px for px in (4, 3) if px > larger_than]


def test_without_pixels_there_is_no_cluster():
    found = find_clusters(runs_of(np.full((2, 2), -1, np.int16)), neighbours=8, larger_than=0)
    assert found.px.size == 0
