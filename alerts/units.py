"""Quantities as people write them: units of measure, durations, rates, sizes.

Units convert within one quantity. For a gas whose figures are known, ppm and mg/m3 also convert by its molar mass and
the reference temperature, and %LEL and %VOL by its lower explosive limit.
"""

from __future__ import annotations

import functools
import re
from typing import Final, NamedTuple

from alerts.reading import MILLISECOND, SECOND

UNITS: Final[dict[str, tuple[str, float, float]]] = {
    # unit: (quantity, factor, offset); value in the quantity's base = value * factor + offset
    "%LEL": ("fraction of LEL", 1.0, 0.0),
    "LEL.m": ("path-integrated LEL", 1.0, 0.0),
    "%VOL": ("volume fraction", 1e4, 0.0),
    "ppm": ("volume fraction", 1.0, 0.0),
    "mg/m3": ("mass concentration", 1.0, 0.0),
    "Pa": ("pressure", 1.0, 0.0),
    "kPa": ("pressure", 1e3, 0.0),
    "MPa": ("pressure", 1e6, 0.0),
    "bar": ("pressure", 1e5, 0.0),
    "%": ("percent", 1.0, 0.0),
    "m": ("length", 1.0, 0.0),
    "mm": ("length", 1e-3, 0.0),
    "degC": ("temperature", 1.0, 0.0),
    "degF": ("temperature", 5 / 9, -160 / 9),
    "m3/h": ("volume flow", 1.0, 0.0),
    "L/min": ("volume flow", 0.06, 0.0),
    "t/h": ("mass flow", 1.0, 0.0),
    "mA": ("current", 1e-3, 0.0),
    "A": ("current", 1.0, 0.0),
    "V": ("voltage", 1.0, 0.0),
    "W": ("power", 1.0, 0.0),
    "kW": ("power", 1e3, 0.0),
    "m/s": ("speed", 1.0, 0.0),
}
"""Every unit of the contract."""

_SPANS: Final = {"ms": MILLISECOND, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND, "d": 86400 * SECOND, "w": 604800 * SECOND, "y": 365 * 86400 * SECOND}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)(B|KB|MB|GB|TB)")
_SIZES: Final = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


MOLAR_VOLUME: Final = 22.414
"""Liters of one mole of an ideal gas at 0 degC and 101.325 kPa."""
FREEZING: Final = 273.15


class Substance(NamedTuple):
    """What a conversion needs of a gas; None is "not known".

    molar_mass: g/mol. lel: lower explosive limit in %VOL. reference_temperature: degC that mg/m3 and ppm refer to.
    """

    molar_mass: float | None = None
    lel: float | None = None
    reference_temperature: float | None = None


UNKNOWN: Final = Substance()


def molar_volume(celsius: float) -> float:
    """Liters of one mole of an ideal gas at this temperature and 101.325 kPa, as tables round it: 22.414, 24.055, 24.465 at 0, 20, 25 degC."""
    return round(MOLAR_VOLUME * (FREEZING + celsius) / FREEZING, 3)


@functools.lru_cache(maxsize=1024)
def conversion(given: str, wanted: str, gas: Substance = UNKNOWN) -> tuple[float, float] | None:
    """Factor and offset that take a value from one unit to another: `wanted = given * factor + offset`.

    None when either is unknown, or the two measure different quantities and what is known of `gas` does not bridge them.
    """
    source, target = UNITS.get(given), UNITS.get(wanted)
    if source is None or target is None:
        return None
    if source[0] == target[0]:
        return source[1] / target[1], (source[2] - target[2]) / target[1]
    there, back = _ppm(source[0], gas), _ppm(target[0], gas)
    return None if there is None or back is None else (source[1] * there / (target[1] * back), 0.0)


def _ppm(quantity: str, gas: Substance) -> float | None:
    """How many ppm one base unit of a gas quantity is."""
    if quantity == "volume fraction":
        return 1.0
    if quantity == "fraction of LEL" and gas.lel is not None:
        return gas.lel * 100
    if quantity == "mass concentration" and gas.molar_mass is not None and gas.reference_temperature is not None:
        return molar_volume(gas.reference_temperature) / gas.molar_mass
    return None


def duration(text: str) -> int:
    """A span with its unit, as `500ms 30s 10m 8h 400d 3y`, in ns. Raises ValueError that says what is expected."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        message = f"expected a duration with a unit, such as 30s, 10m, 8h or 90d, not {text!r}"
        raise ValueError(message)
    return round(float(match[1]) * _SPANS[match[2]])


def rate(text: str) -> float:
    """An amount over time, as `5/m` or `60/h`, per second. Raises ValueError that says what is expected."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        message = f"expected an amount per second, minute or hour, such as 5/m, not {text!r}"
        raise ValueError(message)
    return float(match[1]) * SECOND / _SPANS[match[2]]


def size(text: str) -> int:
    """An amount of storage, as `500MB` or `20GB`, in bytes (decimal). Raises ValueError that says what is expected."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        message = f"expected a size with a unit, such as 500MB or 20GB, not {text!r}"
        raise ValueError(message)
    return round(float(match[1]) * _SIZES[match[2]])


def span_text(ns: int) -> str:
    """A span as a person writes it: the largest unit that divides it, `90s`, `10m`, `400d`."""
    for unit in ("d", "h", "m", "s"):
        if ns and ns % _SPANS[unit] == 0:
            return f"{ns // _SPANS[unit]}{unit}"
    return f"{ns / SECOND:g}s" if ns % MILLISECOND else f"{ns // MILLISECOND}ms" if ns else "0s"
