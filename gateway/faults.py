"""Fault points: named places where a test may hold the gateway back, to show what its promises rest on.

`HAZGATE_FAULT=detect` switches detection off (readings are recorded, nothing is judged); `HAZGATE_FAULT=rejudge`
starts without judging the frames that a crash left unjudged. Several are separated by commas. A gateway that runs
with one says so at start, in its log and in `health`: it guards nothing.
"""

from __future__ import annotations

import os
from enum import StrEnum


class Fault(StrEnum):
    """Every fault point."""

    DETECT = "detect"
    REJUDGE = "rejudge"


def active() -> frozenset[Fault]:
    """The fault points that the environment asks for. Raises ValueError for an unknown name."""
    names = [name.strip() for name in os.environ.get("HAZGATE_FAULT", "").split(",")]
    return frozenset(Fault(name) for name in names if name)
