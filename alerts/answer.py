"""What becomes of a command: carried out, or refused with the one reason that goes first."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from alerts import family
from alerts.alarm import DOWN_FAMILY, LIMIT_CONDITIONS, Alarm, Condition, EventKind, Refusal, Role, Tier, Verb, Verified
from alerts.command import TOO_LATE, Command, first, malformed, permitted
from alerts.conditions import Conditions
from alerts.ledger import Cause, Change
from alerts.lifecycle import AUTO, TABLE, Trigger, acknowledged, reset, voided
from alerts.site import Sensor
from alerts.watch import Watch

LARGEST: Final = 1e300
"""No measured value comes near it; beyond it an integer is no longer a float."""


class Answers:
    """Answers commands about the alarms of one site."""

    def __init__(self, watch: Watch, conditions: Conditions) -> None:
        self._watch = watch
        self._conditions = conditions
        self._roles = {person.id: person.role for person in watch.site.people}
        self._verbs = {
            Verb.ACKNOWLEDGE: self._acknowledge,
            Verb.UNACKNOWLEDGE: self._unacknowledge,
            Verb.VERIFY: self._verify,
            Verb.RESET: self._reset,
        }

    def answer(self, command: Command, now: int) -> Refusal | None:
        """Carry a command out at `now` (ns), or say why not; None is success. A refusal changes nothing."""
        refusal = self._refusal(command, now)
        return refusal if refusal is not None else self._verbs[command.verb](command, now)

    def _refusal(self, command: Command, now: int) -> Refusal | None:
        """What is wrong with a command whatever the alarm's state, in the order of the contract."""
        if command.by not in self._roles:
            return Refusal.UNKNOWN_PERSON
        alarm = self._watch.standing.get(command.alarm or "")
        if not permitted(command, self._roles[command.by], None if alarm is None else alarm.tier) or self._belongs_to_another(command, alarm):
            return Refusal.NOT_PERMITTED
        if malformed(command) or (command.verb is Verb.VERIFY and not _is_finding(command)):
            return Refusal.MALFORMED
        if alarm is None and not self._exists(command):
            return Refusal.UNKNOWN_ALARM
        if alarm is not None and self._changed(command, alarm):
            return Refusal.CHANGED
        return Refusal.TOO_LATE if command.at is not None and now - command.at > TOO_LATE else None

    def _leads(self, person: str) -> bool:
        return Role.LEADER in self._roles[person]

    def _belongs_to_another(self, command: Command, alarm: Alarm | None) -> bool:
        """Whether only a leader may: undo somebody else's acknowledgement, or stand in for a reading that is missing."""
        if self._leads(command.by):
            return False
        if command.verb is Verb.UNACKNOWLEDGE:
            return alarm is not None and alarm.acknowledged_by not in (None, command.by)
        if command.verb is Verb.VERIFY and command.sensor is not None:
            return not self._over_range(command.sensor, command.at or 0) and self._value_lost(command.sensor)
        return False

    def _exists(self, command: Command) -> bool:
        if command.sensor is not None:
            return self._watch.sources.sensor(command.sensor) is not None
        return command.alarm is not None and self._watch.sources.knows(command.alarm)

    def _changed(self, command: Command, alarm: Alarm) -> bool:
        if command.occurrence is not None and command.occurrence != alarm.occurrence:
            return True
        if command.sequence is None:
            return False
        folded = self._watch.standing.family(alarm.family) if alarm.lead or command.verb is Verb.RESET else [alarm]
        return any(member.relevant > command.sequence for member in folded)

    def _over_range(self, sensor: str, now: int) -> bool:
        flagged = any(alarm.over_range for alarm in self._watch.standing.of_sensor(sensor))
        return flagged or self._watch.facts.latest(self._watch.site.site, sensor, now).over_range

    def _value_lost(self, sensor: str) -> bool:
        return any(alarm.value_lost for alarm in self._watch.standing.of_sensor(sensor))

    def _acknowledge(self, command: Command, now: int) -> Refusal | None:
        """The lead answers for the lower ones folded under it; a folded one only for itself."""
        alarm = self._watch.standing.get(command.alarm or "")
        if alarm is None:
            return Refusal.NOT_ACTIVE
        cell = TABLE[alarm.state, Trigger.ACKNOWLEDGE]
        if cell is Refusal.ALREADY and self._is_second(alarm, command.by):
            self._watch.ledger.write([Change(_commented(alarm, command), EventKind.ACKNOWLEDGE)], Cause(now, now, command.by))
            return None
        if isinstance(cell, Refusal):
            return cell
        folded = [each for each in self._watch.standing.family(alarm.family) if alarm.lead and each.id != alarm.id and each.state.unacknowledged]
        answered = [_commented(acknowledged(each, command.by, now), command) for each in (alarm, *folded)]
        self._watch.ledger.write([Change(each, EventKind.ACKNOWLEDGE) for each in answered], Cause(now, now, command.by))
        if alarm.condition is Condition.PAST_EXCURSION:
            self._watch.facts.answered(alarm.site, alarm.source, now)
        return None

    def _is_second(self, alarm: Alarm, person: str) -> bool:
        """Whether the alarm's chain goes on until another person has answered too, and this is another one."""
        return self._watch.chain(alarm).acknowledgers > 1 and alarm.acknowledged_by not in (AUTO, person)

    def _unacknowledge(self, command: Command, now: int) -> Refusal | None:
        alarm = self._watch.standing.get(command.alarm or "")
        if alarm is None:
            return Refusal.NOT_ACTIVE
        after = voided(alarm)
        if after is None:
            return Refusal.ALREADY if alarm.state.unacknowledged else Refusal.NOT_ACTIVE
        self._watch.ledger.write([Change(_commented(after, command), EventKind.UNACKNOWLEDGE, told=True)], Cause(now, now, command.by))
        return None

    def _verify(self, command: Command, now: int) -> Refusal | None:
        if command.sensor is not None:
            return self._verify_sensor(command, command.sensor, now)
        alarm = self._watch.standing.get(command.alarm or "")
        if alarm is None:
            return Refusal.NOT_ACTIVE
        how = command.args.get("how")
        finding = replace(alarm, verified=Verified(str(command.args["result"])), comment=str(how) if how else alarm.comment)
        self._watch.ledger.write([Change(_commented(finding, command), EventKind.VERIFY)], Cause(now, now, command.by))
        return None

    def _verify_sensor(self, command: Command, sensor: str, now: int) -> Refusal | None:
        """An independent measurement ends over-range; a leader's also stands for the good reading that is missing."""
        watch = self._watch
        concerned = [alarm for alarm in watch.standing.of_sensor(sensor) if alarm.condition in LIMIT_CONDITIONS or alarm.value_lost]
        beyond = [alarm for alarm in concerned if alarm.over_range]
        target = family.lead(beyond or [alarm for alarm in concerned if alarm.value_lost] or concerned)
        if target is None or not (self._over_range(sensor, now) or self._value_lost(sensor)):
            return Refusal.NOT_ACTIVE
        instrument, value = _measured(command)
        verified = replace(target, over_range=False, comment=f"{instrument}: {value:g} {target.unit or ''}".strip())
        cleared = [Change(replace(alarm, over_range=False)) for alarm in beyond if alarm.id != target.id]
        watch.ledger.write([*cleared, Change(verified, EventKind.VERIFY)], Cause(now, now, command.by))
        if self._leads(command.by):
            self._conditions.take(watch.facts.verified(watch.site.site, sensor, value, now), now)
        else:
            watch.facts.clear_over_range(watch.site.site, sensor)
        self._conditions.resume(sensor, now)
        return None

    def _reset(self, command: Command, now: int) -> Refusal | None:
        """Acts on the whole family: one side of one sensor."""
        source, _, condition = (command.alarm or "").partition(".")
        name = Alarm(self._watch.site.site, source, Condition(condition), Tier.BLUE).family
        members = self._watch.standing.family(name)
        latched = [alarm for alarm in members if alarm.state.latched]
        refusals = {Refusal.NOT_LATCHED} if not latched else set()
        if members and self._over_range(source, now):
            refusals.add(Refusal.OVER_RANGE)
        for alarm in members:
            refusals |= self._holding_back(alarm, now)
        refusal = first(refusals)
        if refusal is None:
            changes = [Change(_commented(reset(alarm), command), EventKind.RESET) for alarm in latched]
            self._watch.ledger.write(changes, Cause(now, now, command.by))
        return refusal

    def _holding_back(self, alarm: Alarm, now: int) -> set[Refusal]:
        refusals = {Refusal.VALUE_LOST} if alarm.value_lost else set()
        cell = TABLE[alarm.state, Trigger.RESET]
        if isinstance(cell, Refusal) and cell is not Refusal.NOT_LATCHED:
            refusals.add(cell)
        sensor = self._watch.sources.sensor(alarm.source)
        unproven = self._unproven(alarm, sensor, now) if alarm.state.latched and sensor is not None else None
        return refusals if unproven is None else refusals | {unproven}

    def _unproven(self, alarm: Alarm, sensor: Sensor, now: int) -> Refusal | None:
        """Whether a fresh good reading shows that the danger is over: outside the deadband of the limit as it is set now."""
        latest = self._watch.facts.latest(alarm.site, sensor.id, now)
        if not latest.good or latest.value is None:
            return Refusal.NO_FRESH_READING
        if alarm.condition not in LIMIT_CONDITIONS:
            return None
        limit = getattr(sensor.limits, alarm.condition)
        limit = alarm.limit if limit is None else limit
        outside = limit is None or (latest.value > limit + sensor.deadband if alarm.condition in DOWN_FAMILY else latest.value < limit - sensor.deadband)
        return None if outside else Refusal.INSIDE_DEADBAND


def _commented(alarm: Alarm, command: Command) -> Alarm:
    return alarm if command.comment is None else replace(alarm, comment=command.comment)


def _is_finding(command: Command) -> bool:
    """Whether a `verify` says what it must: a result on an alarm, an instrument and a finite value on a sensor."""
    if command.sensor is None:
        return command.args.get("result") in tuple(Verified) and isinstance(command.args.get("how", ""), str)
    instrument, value = _measured(command)
    return bool(instrument) and math.isfinite(value)


def _measured(command: Command) -> tuple[str, float]:
    """Instrument and value of a `verify` on a sensor; an empty text and NaN for what is not there."""
    instrument, value = command.args.get("instrument"), command.args.get("value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return instrument.strip() if isinstance(instrument, str) else "", float(str(value)) if is_number else math.nan
