"""Zones and their sensors on the screen: all of them where there is room, else those that say something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from alerts.alarm import Color, Condition, Tier
from gateway.api.models import SensorBody, SensorHealth, SiteBody, ZoneBody
from gateway.demo import paint
from gateway.demo.paint import CHIP_WIDTH, INK, RANK
from gateway.demo.picture import Curve, Picture

BARS: Final = "▁▂▃▄▅▆▇█"
CELL: Final = 36
"""Cells that a sensor needs at least."""
BESIDE: Final = 62
"""Cells that a zone's line needs beside its name, so that a sensor of it has room there; the name takes the rest if it needs it."""
LEAST_NAME: Final = 18
LONGEST_ID: Final = 14
LONGEST_CURVE: Final = 24
RATE: Final = 11
LEAST_PLACE: Final = 12
"""Cells below which the place of a sensor is left out."""
OUTERMOST_FIRST: Final = (Condition.LOW_LOW, Condition.HIGH_HIGH, Condition.LOW, Condition.HIGH)
QUIET: Final = "green4"
"""Of a curve below its limits: what is normal must not draw the eye."""
MOVES: Final = 0.05
"""Share of its range that a value has to change in a minute for its rate to be shown: less is noise."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A sensor, its curve, the color that its alarms and its health give it, and what is known of the tiers of its limits."""

    body: SensorBody
    curve: Curve
    color: Color
    tiers: Mapping[tuple[str, Condition], Tier]

    @property
    def span(self) -> float:
        """Of its range."""
        return self.body.range[1] - self.body.range[0]

    @property
    def scale(self) -> tuple[float, float]:
        """Bottom and top of its curve: a little beyond its outermost limits, so that what happens between them can be seen."""
        bottom, top = self.body.range
        lows, highs = self._limits(Condition.LOW_LOW, Condition.LOW), self._limits(Condition.HIGH, Condition.HIGH_HIGH)
        low, high = min(lows, default=bottom), max(highs, default=top)
        return max(bottom, low - (high - low) / 2), min(top, high + (high - low) / 2)

    @property
    def notable(self) -> tuple[int, int]:
        """To sort by: the worst first, then what moves and is nearer to a limit than to the middle of its scale."""
        value, (bottom, top) = self.body.value, self.scale
        moves = value is not None and abs(self.curve.per_minute) > MOVES * self.span
        near = value is not None and any(abs(value - limit) < (top - bottom) / 4 for limit in self._limits(*OUTERMOST_FIRST))
        beyond = value is not None and self.ink(value) != QUIET
        return RANK[self.color], 0 if moves and (near or beyond) else 1

    def ink(self, value: float) -> str:
        """Of a value: that of the outermost limit beyond which it is. A limit whose alarm nobody has heard of yet counts as yellow."""
        for condition in OUTERMOST_FIRST:
            limit = self._limits(condition)
            if limit and (value >= limit[0] if condition in (Condition.HIGH, Condition.HIGH_HIGH) else value <= limit[0]):
                return INK[Color(self.tiers.get((self.body.sensor, condition), Tier.YELLOW))]
        return QUIET

    def _limits(self, *conditions: Condition) -> list[float]:
        found: list[float | None] = [getattr(self.body.limits, condition) for condition in conditions]
        return [limit for limit in found if limit is not None]


def wanted(picture: Picture, width: int) -> int:
    """How many lines show every sensor."""
    columns = max(1, width // CELL)
    counts = Counter(sensor.zone for sensor in picture.sensors)
    return 1 + sum(1 - (-counts[zone.zone] // columns) for zone in picture.site.zones) if picture.site else 1


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
        lines.append(_zone(zone, sensors, (width, _name_width(site, width)), alone=rows[zone.zone] == 0))
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
    return [
        Shown(body, picture.curves[body.sensor], worst.get(body.sensor, _health(body)), picture.tiers) for body in picture.sensors if body.zone == zone.zone
    ]


def _health(body: SensorBody) -> Color:
    return Color.GREEN if body.health is SensorHealth.HEALTHY and body.good else Color.GREY


def _name(zone: ZoneBody) -> Text:
    return Text.assemble((zone.name, "bold"), (f" {zone.zone}", "dim")) if zone.name else Text(zone.zone, "bold")


def _name_width(site: SiteBody, width: int) -> int:
    """Cells of the longest name and id, or as many as there are."""
    return min(max(_name(zone).cell_len for zone in site.zones), max(LEAST_NAME, width - BESIDE))


def _zone(zone: ZoneBody, sensors: list[Shown], widths: tuple[int, int], *, alone: bool) -> Text:
    """A zone's line. widths: of the line and of its name; where name and id have no room together, the name goes first."""
    width, column = widths
    name = _name(zone)
    service = Text(f"{zone.in_service}/{zone.of}", "" if zone.in_service == zone.of else INK[Color.YELLOW])
    cells: list[tuple[Text | str, int]] = [
        (paint.chip(zone.color), CHIP_WIDTH),
        (name if name.cell_len <= column else Text(zone.name or zone.zone, "bold"), column),
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
    """Mark, id, value, unit, then the curve, the rate and the place as far as there is room; or what is wrong."""
    body = shown.body
    value = "-" if body.value is None else paint.number(body.value, shown.span)
    ink = INK[shown.color] if shown.color is not Color.GREEN else ""
    mark = Text.assemble(("●" if shown.color is not Color.GREY else "○", INK[shown.color]), f" {_short(body.sensor):<6}")
    trouble = _trouble(body)
    if trouble:
        last = "" if body.value is None else f" (last {value})"
        return Text.assemble(mark, (f" {trouble}{last}", INK[Color.YELLOW]))
    head = Text.assemble(mark, (f"{f' {value}':>6}", ink), (f" {body.unit or '':<4} ", "dim"))
    rate = shown.curve.per_minute
    digits = paint.digits(shown.span) if abs(rate) < 1000 else 0
    moving = f" {f'{rate:+.{digits}f}':>6}/min" if abs(rate) > MOVES * shown.span else ""
    room = max(0, min(LONGEST_CURVE, width - head.cell_len - RATE))
    left = width - head.cell_len - room - RATE - 2
    place = f"  {body.place}" if left >= LEAST_PLACE and body.place else ""
    return Text.assemble(head, _curve(shown, room), (f"{moving:<{RATE}}", ink), (place, "dim"))


def _short(identity: str) -> str:
    return identity if len(identity) <= LONGEST_ID else f"{identity[: LONGEST_ID - 1]}…"


def _trouble(body: SensorBody) -> str:
    if body.health is SensorHealth.UNHEARD:
        return "not heard yet"
    if body.sick:
        return ", ".join(body.sick).replace("_", " ")
    if body.over_range:
        return "over range"
    return "" if body.good else "no good reading"


def _curve(shown: Shown, room: int) -> Text:
    """The newest values as bars over the sensor's scale."""
    bottom, top = shown.scale
    bars = Text()
    for _, value in list(shown.curve.points)[-room:] if room else []:
        share = (value - bottom) / ((top - bottom) or 1)
        bars.append(BARS[max(0, min(7, int(share * 8)))], shown.ink(value))
    bars.pad_left(room - len(bars))
    return bars
