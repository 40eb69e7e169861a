"""Memory of the process: no heap of its own for each thread, and after loading what is not needed goes back to the system."""

from __future__ import annotations

import ctypes
import gc

M_ARENA_MAX = -8
"""glibc's number for the option, from malloc.h."""


def one_heap() -> None:
    """Let all threads share one heap. Call before the first thread: commits and connects would otherwise keep megabytes each."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def thaw() -> None:
    """Let go of what `settle` took for eternal, when all of it has been stopped."""
    gc.unfreeze()
    gc.collect()


def settle() -> None:
    """Call once, when everything that lives as long as the process has been built.

    Without it a full collection walks all of it again and again (tens of milliseconds on a large site), and the
    heap that parsing the files needed stays resident.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
