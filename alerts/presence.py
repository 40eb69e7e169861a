"""Who is there and who is not: sensors of the files that nobody hears, and voices that no file knows."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from alerts.alarm import Quarantine
from alerts.finding import Finding, Found, Listened, Weight, many, of_sensor, span
from alerts.register import Point
from alerts.survey import Device, Survey, Voice
from alerts.units import span_text

_NAMED: Final = 5  # devices of another site that are named


def _link(listened: Listened) -> Iterator[Found]:
    survey = listened.survey
    if survey.refused:
        yield Found(Finding.REFUSED, "broker", f"{survey.refused}; nothing of it can be heard, by the gateway neither")
    if survey.interruptions:
        often = "once" if len(survey.interruptions) == 1 else f"{len(survey.interruptions)} times"
        words = f"was away {often} ({survey.interruptions[-1]}); what was published meanwhile was not heard here"
        yield Found(Finding.INTERRUPTED, "broker", words, Weight.NOTE)


def _never_heard(listened: Listened) -> Iterator[Found]:
    spoken = {(site, name) for (site, _, name), voice in listened.survey.voices.items() if voice.reasons}
    strangers: dict[Device, list[str]] = {}
    for (site, device, name), _ in listened.refused(Quarantine.UNKNOWN_SENSOR):
        strangers.setdefault((site, device), []).append(name)
    for site, device in listened.register.devices():
        points = listened.register.device(site, device)
        missing = [point for point in points if not listened.course(point).count and (site, point.sensor.id) not in spoken]
        absent = []
        for point in missing:
            late, interval = listened.course(point).late, point.sensor.interval
            if late:
                words = f"nothing of now: {many(late, 'reading')} of the past, retained or marked historical"
            elif listened.span < 2 * interval:
                words = f"nothing within {span(listened.span)}, and it sends every {span(interval)}: listen longer, --for {span_text(4 * interval)}"
            else:
                absent.append(point)
                continue
            yield of_sensor(point, Finding.NEVER_HEARD, words)
        if len(points) > 1 and len(absent) == len(points) and (site, device) not in strangers:
            yield _silent(listened, (site, device), absent)
        else:
            yield from _absent(listened, absent, len(points) - len(missing), strangers.get((site, device), ()))


def _silent(listened: Listened, device: Device, absent: Sequence[Point]) -> Found:
    """A device of which nothing came at all."""
    names = tuple(point.sensor.id for point in absent)
    places = list(dict.fromkeys(listened.expected(point) for point in absent))
    where = places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"
    words = f"nothing on {where}{_hint(listened.survey, device)}; its sensors: {', '.join(names)}"
    return Found(Finding.NEVER_HEARD, device[1], words, site=device[0], device=device[1], sensors=names)


def _absent(listened: Listened, absent: Sequence[Point], others: int, strangers: Sequence[str]) -> Iterator[Found]:
    """Sensors of one device of which nothing came; `others` of its sensors were heard, and `strangers` that no file knows."""
    for point in absent:
        device = point.sensor.device
        close = difflib.get_close_matches(point.sensor.id, strangers, n=1)
        also = f"; {device} sends {many(others, 'other sensor')} of the file" if others else _hint(listened.survey, (point.site.site, device))
        words = f"{device} sends {close[0]}, which no file knows; is that this one?" if close else f"nothing on {listened.expected(point)}{also}"
        yield of_sensor(point, Finding.NEVER_HEARD, words)


def _hint(survey: Survey, device: Device) -> str:
    sites = [site for site, devices in survey.elsewhere.items() if device[1] in devices]
    if sites:
        return f"; a device of that name speaks under the site {sites[0]}"
    return "; it says that it is offline" if device in survey.offline else ""


def _unknown(listened: Listened) -> Iterator[Found]:
    for (site, device, name), voice in listened.refused(Quarantine.UNKNOWN_SENSOR):
        missing = [point.sensor.id for point in listened.register.device(site, device) if not listened.course(point).count]
        close = difflib.get_close_matches(name, missing, n=1)
        words = f"no sensor of {site} has that id{f' (is it {close[0]}?)' if close else ''}; it sends {_manner(voice)}"
        yield Found(Finding.UNKNOWN_SENSOR, name, words, site=site, device=device)
    for site, devices in sorted(listened.survey.elsewhere.items()):
        names = [*sorted(devices)[:_NAMED], *(["…"] if len(devices) > _NAMED else [])]
        yield Found(Finding.UNKNOWN_SITE, site, f"in no file of this gateway; heard there: {', '.join(names)}", Weight.NOTE, site=site)


def _manner(voice: Voice) -> str:
    """How an unknown sensor speaks: what one would have to write into the file."""
    unit = next((unit for unit, _ in voice.units.most_common() if unit), "no unit")
    often = f", every {span((voice.last - voice.first) // (voice.count - 1))} or so" if voice.count > 1 and voice.last > voice.first else ""
    return f"{unit}{often}, at last {'no value' if math.isnan(voice.value) else f'{voice.value:g}'}"


def _strays(listened: Listened) -> Iterator[Found]:
    survey = listened.survey
    for topics, weight in ((survey.strays, Weight.DISAGREES), (survey.foreign, Weight.NOTE)):
        for topic, count in sorted(topics.items()):
            yield Found(Finding.UNKNOWN_TOPIC, topic, f"no device of the files publishes there; {many(count, 'message')}", weight)
    if survey.more:
        yield Found(Finding.UNKNOWN_TOPIC, "and more", f"{many(survey.more, 'message')} of what no file has, under further names", Weight.NOTE)


def _devices(listened: Listened) -> Iterator[Found]:
    for (site, device, name), voice in listened.refused(Quarantine.WRONG_DEVICE):
        point = listened.register.find(site, name)
        if point is not None:
            own = point.sensor.device
            words = f"the file says {own}, and {device} sends it ({many(voice.count, 'reading')}, set aside)"
            yield of_sensor(point, Finding.WRONG_DEVICE, words, configured=own, heard=device)


def _troubles(listened: Listened) -> Iterator[Found]:
    for topic, trouble in sorted(listened.survey.troubles.items()):
        yield Found(Finding.UNREADABLE, topic, f"{many(trouble.count, 'reading')} or whole messages; the first: {trouble.says}")


RULES: Final[tuple[Callable[[Listened], Iterator[Found]], ...]] = (_link, _never_heard, _unknown, _strays, _devices, _troubles)
"""Every rule about who is heard."""
