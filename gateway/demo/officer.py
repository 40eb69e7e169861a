"""The scripted officer: does over HTTP, with a token of the person on duty, what a person would do at a desk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from alerts.alarm import State, Verb
from alerts.chain import CHASING
from alerts.ports import Transient
from alerts.reading import SECOND
from gateway.api.models import AlarmBody, SensorBody
from gateway.demo.client import Client
from gateway.demo.heard import Told
from gateway.demo.picture import Picture

THINKS: Final = 5 * SECOND
"""Between being told and acknowledging."""
LOOKS_TWICE: Final = SECOND + SECOND // 2
"""Between seeing that all of a sensor's alarms have returned and resetting them; also after a refusal."""
GOES_THERE: Final = 8 * SECOND
"""Between seeing that a head that went over its range shows a value again and measuring beside it."""
INSTRUMENT: Final = "portable-1"
LOOKS_EVERY: Final = 0.25


class Officer:
    """Acknowledges what the officer was told of, if it still stands and leads; measures where a head went over its range; resets what has returned.

    The officer knows what messages said and what the gateway's list of alarms shows, and names occurrence and sequence of
    what was seen: an alarm that has changed meanwhile is refused, looked at and tried again.
    """

    def __init__(self, person: str, client: Client, picture: Picture, now: Callable[[], int]) -> None:
        self.person = person
        self._client = client
        self._picture = picture
        self._now = now
        self._told: dict[str, int] = {}
        self._returned: dict[str, int] = {}
        self._over_range: dict[str, int] = {}

    def told(self, told: Told) -> None:
        """A message came; whether it is for this officer is looked at here."""
        if told.person == self.person and told.notice.notification.kind in CHASING:
            self._told.setdefault(told.notice.alarm, told.at)

    async def run(self) -> None:
        """Be on duty until cancelled."""
        while True:
            for alarm in list(self._picture.alarms):
                await self._look_at(alarm)
            for sensor in list(self._picture.sensors):
                await self._measure(sensor)
            await asyncio.sleep(LOOKS_EVERY)

    async def _look_at(self, alarm: AlarmBody) -> None:
        now = self._now()
        if not alarm.lead:
            self._told.pop(alarm.alarm, None)
        elif alarm.state.unacknowledged and now - self._told.get(alarm.alarm, now) >= THINKS:
            await self._do(Verb.ACKNOWLEDGE, alarm)
        elif alarm.state is State.LATCHED_ACKNOWLEDGED and self._has_returned(alarm, now):
            await self._do(Verb.RESET, alarm)

    async def _measure(self, sensor: SensorBody) -> None:
        """A head that went over its range is believed again after a measurement with another instrument, which here agrees with it."""
        now = self._now()
        if not sensor.over_range or sensor.value is None or sensor.value >= sensor.range[1]:
            self._over_range.pop(sensor.sensor, None)
        elif self._picture.site is not None and now - self._over_range.setdefault(sensor.sensor, now) >= GOES_THERE:
            del self._over_range[sensor.sensor]
            with contextlib.suppress(Transient):
                path = f"/sites/{self._picture.site.site}/sensors/{sensor.sensor}/{Verb.VERIFY}"
                await self._client.post(path, {"instrument": INSTRUMENT, "value": sensor.value})

    def _has_returned(self, alarm: AlarmBody, now: int) -> bool:
        """Whether all alarms of its family have, and that was seen a while ago."""
        if any(other.active for other in self._picture.alarms if other.family == alarm.family):
            self._returned.pop(alarm.occurrence, None)
            return False
        return now - self._returned.setdefault(alarm.occurrence, now) >= LOOKS_TWICE

    async def _do(self, verb: Verb, alarm: AlarmBody) -> None:
        seen = {"occurrence": alarm.occurrence, "sequence": alarm.sequence}
        try:
            answer = await self._client.post(f"/sites/{alarm.site}/alarms/{alarm.alarm}/{verb}", seen)
        except Transient:
            return
        now = self._now()
        self._returned.pop(alarm.occurrence, None)
        self._told.pop(alarm.alarm, None)
        if answer.refusal:
            self._picture.note(now, f"{self._picture.person(self.person)}: {verb} of {alarm.alarm} refused: {answer.refusal}", "yellow")
            self._told[alarm.alarm] = now - THINKS + LOOKS_TWICE
