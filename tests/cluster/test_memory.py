"""Workers keep what they free for the next block."""

from __future__ import annotations

import ctypes
import resource

import pytest

import cbmcube as cbm

BUFFERS, SIZE = 64, 2**20


def faults_of_a_second_round() -> int:
    """Take and free buffers as GDAL does for the blocks of a file; twice, as for two files."""
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    counts = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        taken = [library.malloc(SIZE) for _ in range(BUFFERS)]
        for place in taken:
            ctypes.memset(place, 1, SIZE)
        for place in taken:
            library.free(place)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return counts[1]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no mallopt here")
def test_memory_that_a_block_needed_is_there_for_the_next():
    pages = BUFFERS * SIZE // resource.getpagesize()
    with cbm.local_cluster(workers=1, dashboard=False) as client:
        assert client.submit(faults_of_a_second_round).result() < pages / 10
