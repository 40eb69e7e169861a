"""What of the site files agrees with what devices really send (semantics 7.3): a survey compared with the files.

`alerts/presence.py` says who is heard and who is not, the rules here whether what they say is as the files have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from alerts import presence
from alerts.alarm import Quarantine
from alerts.current import sent_in
from alerts.finding import Finding, Found, Listened, Weight, many, of_sensor, span
from alerts.reading import MILLISECOND, SECOND, Quality
from alerts.register import Point, Register
from alerts.survey import Course, Device
from alerts.units import span_text

SHORTEST, LONGEST = 30 * SECOND, 600 * SECOND
"""Bounds of the time to listen unless somebody says another, ns."""
GAPS: Final = 3
"""Intervals that a sensor must have been heard for its pace to be judged."""
OTHER: Final = 1.5
"""A pace that differs from the file by this factor, either way, is another one; what is less is jitter."""
DRIFT: Final = 5 * SECOND
"""A clock that is off by this much is worth a note, though its readings count as live for another minute."""
FLOOR: Final = 0.03
"""Below the range by this part of the span an instrument is sick (semantics 2.6); less is noise around zero."""
_HALF_HOUR: Final = 1800 * SECOND


def listening_time(register: Register) -> int:
    """How long to listen, ns: four readings of the slowest sensor, but neither hurried nor without end."""
    slowest = max((point.sensor.interval for point in register), default=0)
    return min(max(SHORTEST, round((GAPS + 0.5) * slowest)), LONGEST)


def compare(listened: Listened) -> list[Found]:
    """Every difference, in the order of `Finding` and then of the files; what has to be mended before the notes."""
    order = list(Finding)
    found = [each for rule in (*presence.RULES, *RULES) for each in rule(listened)]
    return sorted(found, key=lambda each: (each.weight is Weight.NOTE, order.index(each.finding)))


def agreeing(register: Register, found: Iterable[Found]) -> int:
    """How many sensors were heard as their file says."""
    odd = {(each.site, sensor) for each in found if each.weight is Weight.DISAGREES for sensor in each.sensors}
    return sum((point.site.site, point.sensor.id) not in odd for point in register)


def _units(listened: Listened) -> Iterator[Found]:
    silent: dict[Device, list[str]] = {}
    for point in listened.register:
        voice, wanted = listened.voice(point), sent_in(point.sensor)
        if voice is None or wanted is None:
            continue
        yield from _unit(listened, point, wanted)
        if set(voice.units) == {None} and not listened.required(point) and point.sensor.signal.kind == "direct":
            silent.setdefault((point.site.site, point.sensor.device), []).append(point.sensor.id)
    for (site, device), names in silent.items():
        words = f"says no unit with {many(len(names), 'sensor')}: those of the file are believed, and wrong ones cannot be found here"
        yield Found(Finding.UNIT_MISSING, device, words, Weight.NOTE, site, device, tuple(names))


def _unit(listened: Listened, point: Point, wanted: str) -> Iterator[Found]:
    voice = listened.voice(point)
    assert voice is not None
    others = [unit for unit, _ in voice.units.most_common() if unit not in (None, wanted)]
    refused = voice.reasons[Quarantine.WRONG_QUANTITY]
    if refused:
        words = f"the file says {wanted}, the device sends {' and '.join(map(str, others))}; {refused} of {many(voice.count, 'reading')} set aside"
        yield of_sensor(point, Finding.WRONG_QUANTITY, words, configured=wanted, heard=str(others[0]))
    elif others:
        words = f"the device sends {others[0]}, which becomes {wanted}"
        yield of_sensor(point, Finding.UNIT_CONVERTED, words, Weight.NOTE, configured=wanted, heard=str(others[0]))
    if voice.units[None] and listened.required(point):
        words = f"{point.sensor.device} has to say its unit, and {voice.units[None]} of {many(voice.count, 'reading')} came without"
        yield of_sensor(point, Finding.UNIT_MISSING, words, configured=wanted)


def _values(listened: Listened) -> Iterator[Found]:
    for point in listened.register:
        course, sensor = listened.course(point), point.sensor
        yield from _trust(point, course, owes_unit=listened.required(point))
        bottom, top = sensor.range
        if course.low < bottom - FLOOR * (top - bottom) or course.high > top:
            unit = f" {sensor.unit}" if sensor.unit else ""
            says, heard = f"{bottom:g} to {top:g}", f"{course.low:g} to {course.high:g}"
            yield of_sensor(point, Finding.OUTSIDE_RANGE, f"the file says {says}{unit}, heard were {heard}", configured=says, heard=heard)


def _trust(point: Point, course: Course, *, owes_unit: bool) -> Iterator[Found]:
    """What the qualities of a sensor's readings say. Of a device that owes its unit they are uncertain for that reason, which is told already."""
    bad, uncertain, count = course.qualities[Quality.BAD], course.qualities[Quality.UNCERTAIN], course.count
    current = f", at {course.raw:.1f} mA" if np.isfinite(course.raw) else ""
    if 0 < count == bad:
        yield of_sensor(point, Finding.NO_VALUE, f"none of {many(bad, 'reading')} has a value{current}", heard="bad")
    elif uncertain and bad + uncertain == count and not owes_unit:
        words = "no reading is good: uncertain ones may raise an alarm and never end one; `qualities` explains a device's own words"
        yield of_sensor(point, Finding.NO_VALUE, words, heard="uncertain")
    elif bad:
        yield of_sensor(point, Finding.NO_VALUE, f"{bad} of {many(count, 'reading')} without a value", Weight.NOTE, heard="bad")


def _paces(listened: Listened) -> Iterator[Found]:
    for point in listened.register:
        course, stale = listened.course(point), point.sensor.stale
        if not course.count:
            continue
        yield from _pace(listened, point, course)
        silence = max(course.silence, listened.until - course.arrivals[-1])
        if silence > stale and not listened.survey.interruptions:
            words = f"{span(silence)} without a reading, and after {span(stale)} it counts as silent"
            yield of_sensor(point, Finding.SILENT, words, configured=stale / SECOND, heard=silence / SECOND)


def _pace(listened: Listened, point: Point, course: Course) -> Iterator[Found]:
    interval, measured = point.sensor.interval, pace(course)
    came = f"{many(course.count, 'reading')} within {span(listened.span)}"
    if measured is not None and not 1 / OTHER < measured / interval < OTHER:
        factor = f"{measured / interval:.3g} times as long" if measured > interval else f"{interval / measured:.3g} times as often"
        words = f"the file says every {span(interval)}, the device sends every {span(measured)}: {factor}"
        yield of_sensor(point, Finding.WRONG_INTERVAL, words, configured=interval / SECOND, heard=measured / SECOND)
    elif measured is None and listened.span > (GAPS + 1) * interval:
        yield of_sensor(point, Finding.WRONG_INTERVAL, f"the file says every {span(interval)}, and there came {came}", configured=interval / SECOND)
    elif measured is None:
        words = f"not judged: {came}, and the file says every {span(interval)}; --for {span_text(5 * interval)} would do"
        yield of_sensor(point, Finding.WRONG_INTERVAL, words, Weight.NOTE, configured=interval / SECOND)


def pace(course: Course) -> int | None:
    """The median time between a sensor's readings, ns, by its own stamps where they advance, else by arrival; None where too few came."""
    for moments in (course.stamps, course.arrivals):
        gaps = np.diff(np.unique(np.array(moments, np.int64)))
        gaps = gaps[gaps > MILLISECOND]  # two values under one stamp are stored 1 ns apart
        if len(gaps) >= GAPS:
            return int(np.median(gaps))
    return None


def _clocks(listened: Listened) -> Iterator[Found]:
    for site, device in listened.register.devices():
        offsets = listened.survey.offsets.get((site, device))
        if offsets is None:
            continue
        points = listened.register.device(site, device)
        window = max(points[0].site.timing.live_window, *(3 * point.sensor.interval for point in points))
        off = int(np.median(offsets))
        if listened.survey.skewed.get((site, device), 0.0) is None:
            yield Found(Finding.CLOCK_SKEW, device, "its clock stands still: several values came under one stamp", site=site, device=device)
        elif abs(off) >= DRIFT:
            is_wrong = abs(off) > window
            zone = "; a whole number of half hours: look at its time zone" if is_wrong and _is_zone(abs(off)) else ""
            words = f"its clock is {span(abs(off))} {'ahead' if off > 0 else 'behind'}{zone}"
            yield Found(Finding.CLOCK_SKEW, device, words, Weight.DISAGREES if is_wrong else Weight.NOTE, site, device, heard=off / SECOND)


def _is_zone(off: int) -> bool:
    return abs(off - max(1, round(off / _HALF_HOUR)) * _HALF_HOUR) <= 60 * SECOND


RULES: Final[tuple[Callable[[Listened], Iterator[Found]], ...]] = (_units, _values, _paces, _clocks)
"""Every rule about what is heard."""
