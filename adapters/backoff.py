"""How long to wait before something is tried again."""

from __future__ import annotations

import random


def wait(tries: int, first: float, most: float) -> float:
    """Seconds to wait after the `tries`-th failure in a row (1 for the first).

    `first` doubles with each failure up to `most`; half of it either way is left to chance, so that many who lost the
    same thing at the same moment do not come back for it together.
    """
    return min(first * 2.0 ** min(tries - 1, 30), most) * random.uniform(0.5, 1.5)  # noqa: S311 (jitter)
