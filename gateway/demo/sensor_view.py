"""Zones and their sensors on the screen: all of them where there is room, else those that say something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.text import Text

from alerts.alarm import Color
from gateway.api.models import SensorBody, SensorHealth, ZoneBody
from gateway.demo import paint
from gateway.demo.paint import CHIP_WIDTH, INK, RANK
from gateway.demo.picture import Curve, Picture

BARS: Final = "▁▂▃▄▅▆▇█"
CELL: Final = 36
"""Cells that a sensor needs at least."""
NAMES: Final = 26
QUIET: Final = "green4"
"""Of a curve below its limits: what is normal must not draw the eye."""
MOVES: Final = 0.05
"""Share of its range that a value has to change in a minute for its rate to be shown: less is noise."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A sensor, its curve, and the color that its alarms and its health give it."""

    body: SensorBody
    curve: Curve
    color: Color

    @property
    def span(self) -> float:
        """Of its range."""
        return self.body.range[1] - self.body.range[0]

    @property
    def notable(self) -> tuple[int, int]:
        """To sort by: the worst first, then what comes near a limit quickly."""
        limit = self.body.limits.high
        near = self.body.value is not None and limit is not None and self.body.value > 0.5 * limit
        return RANK[self.color], 0 if near and abs(self.curve.per_minute) > MOVES * self.span else 1


def zones(picture: Picture, width: int, height: int) -> list[Text]:
    """The section, exactly `height` lines."""
    site = picture.site
    if site is None:
        return paint.filled([paint.title("Zones", width)], height, width)
    shown = {zone.zone: _of_zone(picture, zone) for zone in site.zones}
    room = height - 1 - len(site.zones)
    columns = _columns([len(sensors) for sensors in shown.values()], max(1, width // CELL), room)
    rows = _share(site.zones, shown, columns, room)
    remark = f"{len(picture.sensors)} sensors, {picture.readings_a_second:.0f} readings/s"
    lines = [paint.title("Zones and sensors", width, remark)]
    for zone in site.zones:
        sensors = shown[zone.zone]
        complete = rows[zone.zone] * columns >= len(sensors)
        lines.append(_zone(zone, sensors, width, alone=rows[zone.zone] == 0))
        chosen = sensors if complete else sorted(sensors, key=lambda each: each.notable)[: rows[zone.zone] * columns]
        lines += _grid(chosen, columns, width)
    return paint.filled(lines, height, width)


def _columns(counts: list[int], most: int, room: int) -> int:
    """As few sensors side by side as show all of them in `room` lines, so that their curves are long; `most` if nothing does."""
    return next((columns for columns in range(1, most) if sum(-(-count // columns) for count in counts) <= room), most)


def _share(found: list[ZoneBody], shown: dict[str, list[Shown]], columns: int, left: int) -> dict[str, int]:
    """Zone -> lines for its sensors: the worst zones are served first."""
    rows = dict.fromkeys((zone.zone for zone in found), 0)
    for zone in sorted(found, key=lambda each: RANK[each.color]):
        rows[zone.zone] = max(0, min(left, -(-len(shown[zone.zone]) // columns)))
        left -= rows[zone.zone]
    return rows


def _of_zone(picture: Picture, zone: ZoneBody) -> list[Shown]:
    worst: dict[str, Color] = {}
    for alarm in picture.alarms:
        if alarm.sensor is not None:
            worst[alarm.sensor] = min(worst.get(alarm.sensor, Color.GREEN), Color(alarm.tier), key=RANK.__getitem__)
    return [Shown(body, picture.curves[body.sensor], worst.get(body.sensor, _health(body))) for body in picture.sensors if body.zone == zone.zone]


def _health(body: SensorBody) -> Color:
    return Color.GREEN if body.health is SensorHealth.HEALTHY else Color.GREY


def _zone(zone: ZoneBody, sensors: list[Shown], width: int, *, alone: bool) -> Text:
    name = Text.assemble((zone.name or zone.zone, "bold"), ("" if not zone.name else f" {zone.zone}", "dim"))
    if width < 100:
        name = Text(zone.zone, "bold")
    service = Text(f"{zone.in_service}/{zone.of}", "" if zone.in_service == zone.of else INK[Color.YELLOW])
    cells: list[tuple[Text | str, int]] = [
        (paint.chip(zone.color), CHIP_WIDTH),
        (name, min(NAMES, max(16, name.cell_len)) if width < 100 else NAMES),
        (service, 5),
    ]
    left = width - sum(size + 1 for _, size in cells)
    if not alone:
        return paint.row([*cells, (Text(f"in service · {zone.hazard}", "dim"), left)])
    strip = Text.assemble(*(("■" if each.color is not Color.GREY else "□", INK[each.color]) for each in sensors))
    worst = min(sensors, key=lambda each: each.notable, default=None)
    tail = Text("") if worst is None else _sensor(worst, left - len(sensors) - 1)
    return paint.row([*cells, (strip, len(sensors)), (tail, left - len(sensors) - 1)])


def _grid(sensors: list[Shown], columns: int, width: int) -> list[Text]:
    """Sensors in lines, read along the line."""
    size = width // columns
    lines = []
    for first in range(0, len(sensors), columns):
        line = Text()
        for each in sensors[first : first + columns]:
            line.append_text(paint.fit(_sensor(each, size - 1), size))
        lines.append(line)
    return lines


def _sensor(shown: Shown, width: int) -> Text:
    """Mark, id, value, unit, then the curve and the rate, or what is wrong."""
    body = shown.body
    value = "-" if body.value is None else paint.number(body.value, shown.span)
    ink = INK[shown.color] if shown.color is not Color.GREEN else ""
    trouble = _trouble(body)
    if trouble:
        last = "" if body.value is None else f" (last {value})"
        return Text.assemble(("●" if shown.color is not Color.GREY else "○", INK[shown.color]), f" {body.sensor:<6} ", (f"{trouble}{last}", INK[Color.YELLOW]))
    head = Text.assemble(
        ("●" if shown.color is not Color.GREY else "○", INK[shown.color]), (f" {body.sensor:<6}", ""), (f"{value:>6}", ink), (f" {body.unit or '':<4}", "dim")
    )
    rate = shown.curve.per_minute
    moving = f"{f'{rate:+.{paint.digits(shown.span)}f}':>6}/min" if abs(rate) > MOVES * shown.span else ""
    room = max(0, min(16, width - head.cell_len - 12))
    return Text.assemble(head, " ", _curve(shown, room), (f" {moving}", ink))


def _trouble(body: SensorBody) -> str:
    if body.health is SensorHealth.UNHEARD:
        return "not heard yet"
    if body.sick:
        return ", ".join(body.sick).replace("_", " ")
    if body.over_range:
        return "over range"
    return "" if body.good else "not good"


def _curve(shown: Shown, room: int) -> Text:
    """The newest values as bars, from the bottom of the range to a little above the outermost limit."""
    limits = shown.body.limits
    bottom, top = shown.body.range
    if limits.high_high is not None:
        top = min(top, bottom + 1.5 * (limits.high_high - bottom))
    bars = Text()
    for _, value in list(shown.curve.points)[-room:] if room else []:
        share = (value - bottom) / (top - bottom)
        bars.append(BARS[max(0, min(7, int(share * 8)))], _ink(value, limits.high, limits.high_high))
    bars.pad_left(room - len(bars))
    return bars


def _ink(value: float, high: float | None, high_high: float | None) -> str:
    if high_high is not None and value >= high_high:
        return INK[Color.RED]
    return INK[Color.ORANGE] if high is not None and value >= high else QUIET
