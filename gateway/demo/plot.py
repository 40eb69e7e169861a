"""What is about to be played: what the screen has to know before it happens, and how the site differs from a real one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alerts.reading import SECOND
from alerts.site import Sensor, Site
from alerts.units import duration
from gateway.config_profiles import profiles

NOT: Final = "not a GDS, fire alarm system or SIS"


@dataclass(frozen=True, slots=True)
class Plot:
    """A scenario as the audience sees it.

    title: what happens, in a few words. phases: of the plant, by name, in order; the first is the quiet before, the second what
    goes wrong, the third what is done about it. seconds: how long it takes. haste: delays that the site has shortened.
    """

    title: str
    phases: tuple[str, ...]
    seconds: int
    haste: tuple[str, ...] = ()

    def banner(self, width: int) -> str:
        """What must not be forgotten while watching, as a line of the screen: how much delays are shortened only where there is room for it."""
        candidates = [[self._shortened()], ["delays shortened"]] if self.haste else [[]]
        lines = [f" {' · '.join(['SIMULATION', *hurried, NOT])}" for hurried in candidates]
        return next((line for line in lines if len(line) <= width), lines[-1])

    @property
    def notice(self) -> str:
        """The same in sentences, before it begins."""
        hurried = f" Its {self._shortened('are ')}, so that the incident is over within {self.seconds} s." if self.haste else ""
        return f"""\
This is a simulation: no real site is guarded.{hurried}
hazgate is not a gas detection and alarm system, a fire alarm system or a safety-instrumented system; `hazgate --version` says more."""

    def _shortened(self, verb: str = "") -> str:
        first, *others = (each.partition(" to ") for each in self.haste)
        return ", ".join([f"{first[0]} {verb}shortened to {first[2]}", *(f"{name} to {span}" for name, _, span in others)])


def haste(site: Site) -> tuple[str, ...]:
    """`off-delays to 5 s`, and the like for on-delays: those that are shorter than their kind of sensor has by default; none if none is."""
    off = [sensor.off_delay for sensor in site.sensors if sensor.off_delay < _usual(sensor, "off_delay")]
    on = [sensor.on_delay for sensor in site.sensors if sensor.on_delay < _usual(sensor, "on_delay")]
    return tuple(f"{name} to {_span(found)}" for name, found in (("off-delays", off), ("on-delays", on)) if found)


def _usual(sensor: Sensor, delay: str) -> int:
    return duration(str(getattr(profiles()[sensor.kind], delay).value))


def _span(delays: list[int]) -> str:
    least, most = min(delays) / SECOND, max(delays) / SECOND
    return f"{most:g} s" if least == most else f"{least:g} to {most:g} s"
