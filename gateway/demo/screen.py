"""The live view: a header, the progress of the incident, zones, alarms, the feed, and the sums below."""

from __future__ import annotations

from typing import Final

from rich.text import Text

from alerts.alarm import Color
from alerts.reading import SECOND
from gateway.api.models import BalanceBody
from gateway.demo import alarm_view, paint, sensor_view
from gateway.demo.incident import Incident, Stage
from gateway.demo.paint import CHIP, INK
from gateway.demo.picture import Picture, percentile

WIDE: Final = 130
"""Columns from which sensors and alarms stand side by side, and the balance has room for what is zero."""


def draw(picture: Picture, now: int, width: int, height: int) -> list[Text]:
    """The whole view, exactly `height` lines of `width` cells. `now` in ns."""
    top = [_header(picture, now, width), _notice(picture, width), *_progress(picture, now, width)]
    bottom = _sums(picture, width)
    body = max(0, height - len(top) - len(bottom))
    middle = _side_by_side(picture, now, width, body) if width >= WIDE else _stacked(picture, now, width, body)
    return paint.filled([*top, *middle, *bottom], height, width)


def _stacked(picture: Picture, now: int, width: int, height: int) -> list[Text]:
    """Alarms get what they need of the lines that the zones do not, and a share in any case."""
    feed = max(4, 20 * height // 100)
    share = max(7, 35 * height // 100)
    alarms = max(share, alarm_view.wanted(picture, now, width, height - feed - sensor_view.wanted(picture, width)))
    return [
        *sensor_view.zones(picture, width, max(0, height - alarms - feed)),
        *alarm_view.alarms(picture, now, width, alarms),
        *_feed(picture, width, feed),
    ]


def _side_by_side(picture: Picture, now: int, width: int, height: int) -> list[Text]:
    left = width * 54 // 100
    right = width - left - 3
    alarms = max(7, 62 * height // 100)
    ours = sensor_view.zones(picture, left, height)
    theirs = [*alarm_view.alarms(picture, now, right, alarms), *_feed(picture, right, height - alarms)]
    return [Text.assemble(a, (" │ ", "dim"), b) for a, b in zip(ours, theirs, strict=True)]


def _header(picture: Picture, now: int, width: int) -> Text:
    site = picture.site
    if site is None:
        return paint.fit(Text(" hazgate demo "), width)
    left = Text.assemble((" hazgate demo ", "bold reverse"), f" {site.name} ", paint.chip(site.color))
    words = f"{site.active} active · {site.unacknowledged} unacknowledged"
    right = f"{paint.clock_text(now, site.timezone)} {site.timezone if width >= WIDE else ''}".rstrip() + " "
    gap = width - left.cell_len - len(right) - 2
    return paint.fit(Text.assemble(left, "  ", paint.fit(Text(words), gap), (right, "bold")), width)


def _notice(picture: Picture, width: int) -> Text:
    faults = picture.health.faults if picture.health else []
    if faults:
        return paint.fit(Text(f" FAULT POINT {', '.join(faults)}: this gateway does not do its work", CHIP[Color.RED]), width)
    words = picture.plot.banner(width) + (f" · broker {picture.broker}: {picture.remark}" if picture.remark else "")
    return paint.fit(Text(words, "grey0 on grey70"), width)


def _progress(picture: Picture, now: int, width: int) -> list[Text]:
    """The stages, those reached in green with their seconds below, a dash for one that was skipped; then what has passed since the beginning."""
    incident = picture.incident
    gap = max(1, min(8, (width - 2 - sum(map(len, incident.names.values()))) // (len(incident.names) - 1)))
    names, times = Text(" "), Text(" ")
    for stage, name in incident.names.items():
        at = incident.reached.get(stage)
        style = "dim" if at is None else "bold reverse" if stage is incident.stage and not incident.over else INK[Color.GREEN]
        names.append(name, style)
        times.append(f"{_when(incident, stage):<{len(name)}}", "dim")
        if stage is not Stage.OVER:
            names.append(">".center(gap) if gap < 3 else f" {'─' * (gap - 2)} ", "dim")
            times.append(" " * gap)
    if incident.began is not None and not incident.over:
        passed = f"{(now - incident.began) // SECOND} s"
        times.rstrip()
        times = Text.assemble(paint.fit(times, width - len(passed) - 1), (passed, "bold"))
    return [paint.fit(names, width), paint.fit(times, width)]


def _when(incident: Incident, stage: Stage) -> str:
    """When a stage was reached, in seconds since the beginning."""
    at = incident.reached.get(stage)
    if at is not None and incident.began is not None:
        return f"{(at - incident.began) / SECOND:.0f} s"
    return "-" if incident.over else ""


def _feed(picture: Picture, width: int, height: int) -> list[Text]:
    timezone = picture.site.timezone if picture.site else "UTC"
    lines = [paint.title("What happens", width)]
    notes = sorted(picture.feed, key=lambda note: note.at)
    for note in notes[-(height - 1) :] if height > 1 else []:
        style = INK[Color(note.style)] if note.style in set(Color) else note.style
        lines.append(Text.assemble((f" {paint.clock_text(note.at, timezone)} ", "dim"), (note.text, style)))
    return paint.filled(lines, height, width)


def _balance(found: BalanceBody, *, zeros: bool) -> Text:
    """Whether it closes, what came and where it is; without `zeros` only what there is."""
    counts = {"stored": found.stored, "spooled": found.spooled, "pending": found.pending}
    counts |= {"quarantined": found.quarantined, "duplicate": found.duplicate, "dropped": found.dropped}
    parts = [f"{count} {name}" for name, count in counts.items() if count or zeros or name in ("stored", "spooled")]
    verdict = ("✓ closes", INK[Color.GREEN]) if found.closes else ("✗ OPEN", CHIP[Color.RED])
    return Text.assemble(verdict, f"  {found.received} received = {' + '.join(parts)}")


def _sums(picture: Picture, width: int) -> list[Text]:
    found = picture.balance
    line = Text.assemble((" balance ", "dim"))
    if found is not None:
        line.append_text(_balance(found, zeros=width >= WIDE))
    p50, p99 = percentile(picture.latencies, 0.5), percentile(picture.latencies, 0.99)
    latency = "no alarm event yet" if p50 is None or p99 is None else f"p50 {p50:.1f} ms  p99 {p99:.1f} ms of {len(picture.latencies)}"
    told = f"{picture.messages} messages to people"
    second = Text.assemble((" reading → alarm event ", "dim"), latency, (" · ", "dim"), told)
    ends = ["Ctrl-C ends the demo", *(["the incident is over; Ctrl-C ends the demo"] if picture.incident.over else [])]
    second.append(next((f" · {end}" for end in reversed(ends) if second.cell_len + len(end) + 3 <= width), ""), "dim")
    return [paint.fit(line, width), paint.fit(second, width)]
