"""The scripted officer does what a person would, at a person's pace."""

from __future__ import annotations

import json
from collections.abc import Mapping

from support.demo import PLOT, alarm, at, sensor, site, told

from alerts.alarm import State
from gateway.api.models import AlarmBody
from gateway.demo.client import Answer, Client
from gateway.demo.officer import Officer
from gateway.demo.picture import Picture

SEEN, LATCHED = State.ACTIVE_ACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED


class Desk(Client):
    """Takes commands and answers as told."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asked: list[tuple[str, Mapping[str, object]]] = []
        self.reason = ""

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Note the command."""
        self.asked.append((path, body))
        return Answer(409, json.dumps({"title": "Conflict", "reason": self.reason}).encode()) if self.reason else Answer(200, b"{}")


class Shift:
    """An officer, a list of alarms, and a clock of seconds."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.picture = Picture(PLOT)
        self.now = 0.0
        self.officer = Officer("li", self.desk, self.picture, lambda: at(self.now))

    async def look(self, seconds: float, *alarms: AlarmBody) -> list[str]:
        """What the officer does at that time, seeing these alarms."""
        self.now = seconds
        self.picture.alarms = list(alarms)
        before = len(self.desk.asked)
        for each in alarms:
            await self.officer._look_at(each)
        return [path.rpartition("alarms/")[2] for path, _ in self.desk.asked[before:]]


async def test_an_alarm_is_acknowledged_some_seconds_after_the_officer_was_told() -> None:
    shift = Shift()
    shift.officer.told(told("GT-1.high", 10))
    assert await shift.look(14.9, alarm("GT-1.high")) == []
    assert await shift.look(15, alarm("GT-1.high")) == ["GT-1.high/acknowledge"]
    assert shift.desk.asked[0][1] == {"occurrence": "GT-1.high@1", "sequence": 7}
    assert await shift.look(15.2, alarm("GT-1.high")) == []


async def test_an_alarm_nobody_told_the_officer_of_is_left_alone() -> None:
    shift = Shift()
    shift.officer.told(told("GT-1.high", 10, person="wang"))
    shift.officer.told(told("GT-2.high", 10, kind="inform"))
    assert await shift.look(100, alarm("GT-1.high"), alarm("GT-2.high"), alarm("GT-3.high")) == []


async def test_an_alarm_folded_under_a_worse_one_waits_for_the_worse_one() -> None:
    shift = Shift()
    shift.officer.told(told("GT-1.high", 10))
    shift.officer.told(told("GT-1.high_high", 12))
    stand = (alarm("GT-1.high_high"), alarm("GT-1.high", lead=False))
    assert await shift.look(16, *stand) == []
    assert await shift.look(17, *stand) == ["GT-1.high_high/acknowledge"]


async def test_a_refusal_is_shown_and_tried_again_after_another_look() -> None:
    shift = Shift()
    shift.desk.reason = "changed"
    shift.officer.told(told("GT-1.high", 10))
    assert await shift.look(15, alarm("GT-1.high")) == ["GT-1.high/acknowledge"]
    assert shift.picture.feed[-1].text == "li: acknowledge of GT-1.high refused: changed"
    shift.desk.reason = ""
    assert await shift.look(16, alarm("GT-1.high")) == []
    assert await shift.look(16.5, alarm("GT-1.high", sequence=9)) == ["GT-1.high/acknowledge"]
    assert shift.desk.asked[-1][1]["sequence"] == 9


async def test_alarms_are_reset_when_the_whole_family_has_returned_and_that_was_seen_for_a_while() -> None:
    shift = Shift()
    latched, folded = alarm("GT-1.high_high", LATCHED), alarm("GT-1.high", SEEN, lead=False)
    assert await shift.look(30, latched, folded) == []
    assert await shift.look(40, latched, folded) == []
    returned = alarm("GT-1.high", LATCHED, lead=False)
    assert await shift.look(41, latched, returned) == []
    assert await shift.look(42.5, latched, returned) == ["GT-1.high_high/reset"]
    assert await shift.look(42.7, latched, returned) == []


async def test_a_head_that_went_over_its_range_is_measured_once_it_shows_a_value_again() -> None:
    shift = Shift()
    shift.picture.site = site("pumps")
    for second, value in ((30, 100.0), (40, 0.4), (47, 0.4)):
        shift.now = second
        await shift.officer._measure(sensor("GT-1", value, over_range=True))
    assert shift.desk.asked == []
    shift.now = 48
    await shift.officer._measure(sensor("GT-1", 0.4, over_range=True))
    assert shift.desk.asked == [("/sites/north/sensors/GT-1/verify", {"instrument": "portable-1", "value": 0.4})]
    await shift.officer._measure(sensor("GT-1", 0.4))
    assert len(shift.desk.asked) == 1
