"""How much freed memory a worker keeps for its next block."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt, in glibc's malloc.h
_KEPT = 256 * 2**20
_LARGEST = 32 * 2**20  # the most that glibc lets keep; larger arrays are given back at once


def keep_freed_memory() -> None:
    """Let this process keep some freed memory, where its C library has a switch for it.

    GDAL frees the decoded blocks of a file when the file is closed, and needs as much for the
    next one. Dask's nannies tell workers to give everything back at once, and to take it anew
    costs nearly a third of the time of a read: the system hands out pages of 4 kB, each of them
    zeroed. What is kept is no more than GDAL's cache may take, so the peak is the same.
    """
    switch = getattr(ctypes.CDLL(None), "mallopt", None)
    if switch is not None:
        switch(_MMAP_THRESHOLD, _LARGEST)
        switch(_TRIM_THRESHOLD, _KEPT)
