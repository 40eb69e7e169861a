"""Fault points: named places where a test may hold the gateway back, to show what its promises rest on.

`HAZGATE_FAULT=detect` switches detection off (readings are recorded, nothing is judged); `HAZGATE_FAULT=rejudge`
starts without judging the frames that a crash left unjudged. Several are separated by commas. A gateway that runs
with one says so at start, in its log and in `health`: it guards nothing.
"""

from __future__ import annotations

import os
from enum import StrEnum

from alerts.ports import HazgateError


class Fault(StrEnum):
    """Every fault point."""

    DETECT = "detect"
    REJUDGE = "rejudge"


class UnknownFault(HazgateError):
    """The environment asks for a fault point that does not exist."""


def active() -> frozenset[Fault]:
    """The fault points that the environment asks for. Raises UnknownFault."""
    names = {name.strip() for name in os.environ.get("HAZGATE_FAULT", "").split(",")} - {""}
    unknown = sorted(names - set(Fault))
    if unknown:
        raise UnknownFault(f"HAZGATE_FAULT names no fault point {', '.join(unknown)}; there is {', '.join(Fault)}")
    return frozenset(map(Fault, names))
