"""Memory after loading: what reading the files needed goes back to the system, what stays is left alone by the collector."""

from __future__ import annotations

import ctypes
import gc


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
