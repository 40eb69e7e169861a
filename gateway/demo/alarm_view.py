"""Alarms on the screen: the worst first, each with who was told of it and who answered."""

from __future__ import annotations

from enum import Enum
from typing import Final

from rich.text import Text

from alerts.alarm import LIMIT_CONDITIONS, Color, State
from alerts.chain import CHASING
from gateway.api.models import AlarmBody
from gateway.demo import paint
from gateway.demo.heard import instant
from gateway.demo.paint import CHIP_WIDTH, INK
from gateway.demo.picture import Picture

STATES: Final = {
    State.NORMAL: "normal",
    State.ACTIVE_UNACKNOWLEDGED: "ACTIVE",
    State.ACTIVE_ACKNOWLEDGED: "active ✓",
    State.RETURNED_UNACKNOWLEDGED: "RETURNED",
    State.LATCHED_UNACKNOWLEDGED: "LATCHED",
    State.LATCHED_ACKNOWLEDGED: "latched ✓",
}
"""A tick says that it was acknowledged, capitals that it was not."""
MARGIN: Final = " " * (CHIP_WIDTH + 1)
LONGEST_ID: Final = 24


class Detail(Enum):
    """How much is said of each alarm, the most first."""

    ALL = "where, what to do, who was told, in as many lines as that takes"
    CUT = "the same, in a line each"
    ACTION = "where and what to do"
    FOLDED = "the same, with the alarms folded under it in its own line"
    WAITING = "likewise, but where and what to do only while it waits for an answer"
    LINE = "a single line"

    @property
    def folds(self) -> bool:
        """Whether folded alarms have no line of their own."""
        return self in (Detail.FOLDED, Detail.WAITING, Detail.LINE)


def wanted(picture: Picture, now: int, width: int, most: int) -> int:
    """How many of `most` lines the section can use."""
    return min(most, 1 + len(_fitting(picture, now, width, most - 1)))


def alarms(picture: Picture, now: int, width: int, height: int) -> list[Text]:
    """The section, exactly `height` lines, each alarm in as much detail as there is room for."""
    listed = picture.alarms
    waiting = sum(alarm.state.unacknowledged and alarm.lead for alarm in listed)
    remark = f"{len(listed)} listed, {waiting} waiting for an answer" if listed else ""
    heading = paint.title("Alarms", width, remark)
    if not listed:
        return paint.filled([heading, Text(" none", INK[Color.GREEN])], height, width)
    lines = _fitting(picture, now, width, height - 1)
    if len(lines) >= height:
        lines = [*lines[: height - 2], Text(f"{MARGIN}… and {len(lines) - height + 2} more", "dim")]
    return paint.filled([heading, *lines], height, width)


def _fitting(picture: Picture, now: int, width: int, room: int) -> list[Text]:
    """As much as `room` lines hold; a line for each lead, if even that is more."""
    lines: list[Text] = []
    for detail in Detail:
        lines = _lines(picture, now, width, detail)
        if len(lines) <= room:
            break
    return lines


def _lines(picture: Picture, now: int, width: int, detail: Detail) -> list[Text]:
    shown = [alarm for alarm in _folded(picture.alarms) if alarm.lead or not detail.folds]
    return [line for alarm in shown for line in (_row(picture, alarm, now, width, detail), *_details(picture, alarm, width, detail))]


def _folded(listed: list[AlarmBody]) -> list[AlarmBody]:
    """Each family where its lead stands in the list, the lead first."""
    order = {alarm.family: place for place, alarm in reversed(list(enumerate(listed)))}
    order |= {alarm.family: place for place, alarm in enumerate(listed) if alarm.lead}
    return sorted(listed, key=lambda alarm: (order[alarm.family], not alarm.lead))


def _row(picture: Picture, alarm: AlarmBody, now: int, width: int, detail: Detail) -> Text:
    urgent = alarm.state.unacknowledged and alarm.lead
    folded = [other for other in picture.alarms if other.family == alarm.family and not other.lead] if detail.folds else []
    cells: list[tuple[Text | str, int]] = [
        (paint.chip(alarm.tier), CHIP_WIDTH),
        (Text(alarm.alarm if alarm.lead else f"└ {alarm.alarm}", "bold" if urgent else "dim" if not alarm.lead else ""), _id_width(picture)),
        (Text(STATES[alarm.state], "bold blink" if urgent else ""), 9),
        (Text(_measure(picture, alarm), "" if alarm.lead else "dim"), 15),
        (Text(paint.age_text(now - instant(alarm.raised_at)), "dim"), 5),
        (Text("1st" if any(each.first_out for each in (alarm, *folded)) else "", "bold magenta"), 3),
    ]
    left = width - sum(size + 1 for _, size in cells)
    people = _briefly(picture, alarm) if alarm.lead and detail not in (Detail.ALL, Detail.CUT) else Text("" if alarm.lead else "folded", "dim")
    others = f"  + {', '.join(other.condition for other in folded)}" if folded else ""
    if people.cell_len + len(others) <= left:
        people = Text.assemble(people, (others, "dim"))
    return paint.row([*cells, (people, left)])


def _id_width(picture: Picture) -> int:
    """Cells of the longest id, with room for the corner of a folded one, within bounds."""
    return min(LONGEST_ID, max(18, *(len(alarm.alarm) + (0 if alarm.lead else 2) for alarm in picture.alarms)))


def _details(picture: Picture, alarm: AlarmBody, width: int, detail: Detail) -> list[Text]:
    """What follows a lead: where and what to do, who was told and who answered."""
    if not alarm.lead or detail is Detail.LINE or (detail is Detail.WAITING and not alarm.state.unacknowledged):
        return []
    # what the site file says to do is about its limits, not about the instrument
    action = alarm.action if alarm.condition in LIMIT_CONDITIONS else "look at the instrument" if alarm.sensor else alarm.action
    told_to = Text(": ".join(words for words in (alarm.place, action) if words), "italic")
    texts = [told_to, _people(picture, alarm)] if detail in (Detail.ALL, Detail.CUT) else [told_to]
    room = width - len(MARGIN)
    return [Text(MARGIN) + line for text in texts for line in (paint.wrapped(text, room) if detail is Detail.ALL else [paint.fit(text, room)])]


def _measure(picture: Picture, alarm: AlarmBody) -> str:
    """The value as it is now against the limit, in its unit; once it has returned, the worst value that the alarm carries."""
    if alarm.limit is None or alarm.peak is None:
        return ""
    sensor = next((sensor for sensor in picture.sensors if sensor.sensor == alarm.sensor), None)
    value = alarm.peak if sensor is None or not alarm.active else sensor.value
    if value is None:
        return "no value"
    shown = f"{value:g}" if sensor is None else paint.number(value, sensor.range[1] - sensor.range[0])
    return f"{shown}/{alarm.limit:g} {alarm.unit or ''}"


def _briefly(picture: Picture, alarm: AlarmBody) -> Text:
    """Who answered and when, or who has to."""
    timezone = picture.site.timezone if picture.site else "UTC"
    answer = picture.acknowledged.get(alarm.occurrence) if alarm.acknowledged else None
    if answer is not None:
        return Text(f"ack {answer[0]} {paint.clock_text(answer[1], timezone)}", INK[Color.GREEN])
    called = [each for each in picture.told[alarm.occurrence] if each.notice.notification.kind in CHASING]
    if not called:
        return Text("nobody told yet", "cyan")
    return Text(f"told {', '.join(dict.fromkeys(each.person for each in called))} {paint.clock_text(called[0].at, timezone)}", "cyan")


def _people(picture: Picture, alarm: AlarmBody) -> Text:
    """Who was told, when, over what; who acknowledged."""
    timezone = picture.site.timezone if picture.site else "UTC"
    told: dict[str, tuple[int, set[str]]] = {}
    for each in picture.told[alarm.occurrence]:
        told.setdefault(each.person, (each.at, set()))[1].add(each.channel)
    words = [f"{person} {paint.clock_text(at, timezone)} ({', '.join(sorted(channels))})" for person, (at, channels) in told.items()]
    line = Text(f"told {' · '.join(words)}" if words else "nobody told yet", "cyan")
    answer = picture.acknowledged.get(alarm.occurrence) if alarm.acknowledged else None
    if answer is not None:
        line.append(f"  ✓ {picture.person(answer[0])} acknowledged {paint.clock_text(answer[1], timezone)}", INK[Color.GREEN])
    return line
