"""Loop currents: what a 4-20 mA signal says (semantics 2.6).

With the ends of the range [bottom, top] at [zero, full] mA:
value = bottom + (mA - zero) / (full - zero) * (top - bottom).
Which currents are no measurement stands in the sensor's codes: those of its model, then NAMUR NE 43's.
"""

from __future__ import annotations

import math

from alerts.reading import Quality
from alerts.site import Code, Sensor


def sent_in(sensor: Sensor) -> str | None:
    """The unit of what a sensor's device sends unless it says another: mA for a loop current, else the sensor's own; None for what has none."""
    return "mA" if sensor.signal.kind == "current" else sensor.unit


def measure(sensor: Sensor, current: float) -> tuple[float, Quality | None]:
    """The value in the sensor's unit that a current (mA, NaN for none) stands for, and what it says of the quality.

    A fault is no value of quality bad; a code for calibration is no value of quality calibrating; a code for over-range
    is at least the top of the range. Everything else is scaled, outside the range too, and says nothing of quality.
    """
    meaning = next((code.means for code in sensor.signal.codes if _holds(code, current)), None)
    if meaning == "fault":
        return math.nan, Quality.BAD
    if meaning == "calibrating":
        return math.nan, Quality.CALIBRATING
    (bottom, top), (zero, full) = sensor.range, sensor.signal.raw
    value = bottom + (current - zero) / (full - zero) * (top - bottom)
    return (max(value, top) if meaning == "over_range" else value), None


def _holds(code: Code, current: float) -> bool:
    return (code.at_least is None or current >= code.at_least) and (code.below is None or current < code.below) and not math.isnan(current)
