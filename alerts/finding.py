"""What can differ between the site files and what devices really send, and how it is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from alerts.alarm import Quarantine
from alerts.reading import MILLISECOND, SECOND
from alerts.register import Point, Register
from alerts.survey import Course, Survey, Voice


class Finding(StrEnum):
    """The kinds of difference, in the order in which they are listed."""

    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    NEVER_HEARD = "never_heard"
    UNKNOWN_SENSOR = "unknown_sensor"
    UNKNOWN_SITE = "unknown_site"
    UNKNOWN_TOPIC = "unknown_topic"
    WRONG_DEVICE = "wrong_device"
    WRONG_QUANTITY = "wrong_quantity"
    UNIT_MISSING = "unit_missing"
    UNIT_CONVERTED = "unit_converted"
    UNREADABLE = "unreadable"
    NO_VALUE = "no_value"
    OUTSIDE_RANGE = "outside_range"
    WRONG_INTERVAL = "wrong_interval"
    SILENT = "silent"
    CLOCK_SKEW = "clock_skew"


class Weight(StrEnum):
    """Whether something has to be mended, in the file or at the device, or is only worth knowing."""

    DISAGREES = "disagrees"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Found:
    """One difference.

    subject: the sensor, device, site or topic it is about. says: a sentence for the engineer on the spot. sensors: all
    it speaks of. configured, heard: what the file and the device say, where it is one word or figure; spans in seconds.
    """

    finding: Finding
    subject: str
    says: str
    weight: Weight = Weight.DISAGREES
    site: str | None = None
    device: str | None = None
    sensors: tuple[str, ...] = ()
    configured: float | str | None = None
    heard: float | str | None = None


@dataclass(frozen=True, slots=True)
class Listened:
    """What is compared. until: when listening ended, ns. expected(point): where a sensor's readings should come from, in words."""

    register: Register
    survey: Survey
    until: int
    expected: Callable[[Point], str]

    @property
    def span(self) -> int:
        """For how long, ns."""
        return self.until - self.survey.begun

    def course(self, point: Point) -> Course:
        """A sensor's live readings."""
        return self.survey.courses[point.index]

    def voice(self, point: Point) -> Voice | None:
        """What a sensor's own device said under its name."""
        return self.survey.voices.get((point.site.site, point.sensor.device, point.sensor.id))

    def required(self, point: Point) -> bool:
        """Whether the file says that this sensor's device has to say its unit."""
        return (point.site.site, point.sensor.device) in self.survey.strict

    def refused(self, reason: Quarantine) -> Iterator[tuple[tuple[str, str, str], Voice]]:
        """(site, device, name), by name, and what was said, where admission refused for this reason."""
        yield from sorted(((key, voice) for key, voice in self.survey.voices.items() if voice.reasons[reason]), key=lambda each: each[0])


def of_sensor(point: Point, finding: Finding, says: str, weight: Weight = Weight.DISAGREES, **figures: float | str) -> Found:
    """A difference that concerns one sensor; `figures` are `configured` and `heard`."""
    sensor = point.sensor
    return Found(finding, sensor.id, says, weight, point.site.site, sensor.device, (sensor.id,), **figures)


def many(count: int, what: str) -> str:
    """`1 reading`, `2 readings`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def span(ns: int) -> str:
    """A span as a person says it, by its two largest units: `8h 1m`, `1m 30s`, `2.5s`, `40ms`."""
    if ns < SECOND:
        return f"{round(ns / MILLISECOND)}ms"
    if ns < 10 * SECOND:
        return f"{ns / SECOND:.2g}s"
    seconds = round(ns / SECOND)
    units = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    first = next(place for place, (number, _) in enumerate(units) if number)
    return " ".join(f"{number}{unit}" for number, unit in units[first : first + 2] if number)
