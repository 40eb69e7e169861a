"""What keeps an alarm from annunciating, and for how long. It never hides: a suppressed alarm is journaled and listed.

Inhibition and commissioning take a whole sensor out, in sight of all; only they may silence RED. Shelving takes one
alarm, and the type it takes cannot hold RED.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Literal

from alerts.alarm import Alarm, Mode, Suppression, SuppressionKind, Tier
from alerts.site import Sensor

CANARY: Final = "canary"
"""Kind of the gateway's made-up sensor, by which it tries the path to people; no file can name it."""
Shelvable = Literal[Tier.BLUE, Tier.YELLOW, Tier.ORANGE]
"""The tiers that can be shelved at all."""


def suppressions(sensors: Iterable[Sensor], at: int) -> tuple[Suppression, ...]:
    """What suppresses an alarm that is about `sensors`, from `at` (ns).

    Commissioning, if none of them is in service yet: one sensor in service is reason enough to tell somebody, and so
    is an alarm about no known sensor.
    """
    services = [sensor.commissioned is not None for sensor in sensors]
    if not services or any(services):
        return ()
    return (Suppression(SuppressionKind.COMMISSIONING, reason="no function test is on record", since=at),)


def circumstances(alarm: Alarm, sensor: Sensor | None) -> Mode:
    """Under which a new alarm stands, by its sensor and what suppresses it."""
    if sensor is not None and sensor.kind == CANARY:
        return Mode.TEST
    return Mode.COMMISSIONING if commissioning(alarm) else Mode.REAL


def commissioning(alarm: Alarm) -> bool:
    """Whether it stands apart because its sensor is not in service."""
    return any(each.kind is SuppressionKind.COMMISSIONING for each in alarm.suppression)


def in_service(alarm: Alarm) -> Alarm:
    """The alarm without what commissioning kept from it."""
    kept = tuple(each for each in alarm.suppression if each.kind is not SuppressionKind.COMMISSIONING)
    return replace(alarm, suppression=kept, mode=Mode.REAL)
