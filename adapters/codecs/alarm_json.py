"""Alarms and their events as JSON: for topics, webhooks and files outside, and as records for the journal.

What goes out has exactly the keys of the contract, times as RFC 3339 in UTC with milliseconds. A record keeps every
field as it is inside, times in ns, so that reading it back gives the same alarm.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from alerts.alarm import Alarm, Event, EventKind, Suppression
from alerts.chain import ChainState
from alerts.color import SiteColor
from alerts.ports import Notice
from alerts.site import Sensor, Site

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_ALARM: Final = msgspec.json.Decoder(Alarm)
_CHAIN: Final = msgspec.json.Decoder(ChainState)
_NOTICE: Final = msgspec.json.Decoder(Notice)


class _Numbered(msgspec.Struct):
    sequence: int


_NUMBERED: Final = msgspec.json.Decoder(_Numbered)
Json = dict[str, object]


def alarm_bytes(alarm: Alarm, site: Site) -> bytes:
    """The alarm as it stands, for its retained topic."""
    return msgspec.json.encode(_alarm(alarm, site))


def retained_sequence(payload: bytes) -> int | None:
    """Which event an alarm's retained topic tells of; None for anything that is no alarm."""
    try:
        return _NUMBERED.decode(payload).sequence
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def event_bytes(event: Event, site: Site) -> bytes:
    """The alarm after an event, and the event."""
    return msgspec.json.encode(_event(event, site))


def notice_body(cause: Event | Alarm, notice: Notice, site: Site, now: int) -> bytes:
    """What one person is told over one channel.

    `cause` is the event that is told of, or, for a later step or repeat, the alarm as it stands: that is told as an
    `escalate` which fell due at `notice.due` and was recorded at `now` (ns).
    """
    if isinstance(cause, Alarm):
        cause = Event(EventKind.ESCALATE, cause, cause.state, notice.due, now)
    notification: Json = {"id": notice.id, "step": notice.step, "person": notice.person, "kind": notice.kind, "may_repeat": False}
    if notice.to is not None:
        notification["to"] = notice.to
    return msgspec.json.encode({**_event(cause, site), "notification": notification})


def unjournaled(body: bytes) -> bytes:
    """The same message, saying that the journal does not hold it yet. A text inside cannot be mistaken for the key: its quotes are escaped."""
    return body.replace(b'"journaled":true', b'"journaled":false')


def repeated(body: bytes) -> bytes:
    """The same notice, saying that it may have been received before."""
    return body.replace(b'"may_repeat":false', b'"may_repeat":true')


def state_bytes(state: SiteColor, now: int, valid_until: int) -> bytes:
    """The colors of a site and its zones at `now`, to be believed until `valid_until` (both ns)."""
    zones = {zone: {"color": each.color, "in_service": each.in_service, "of": each.of} for zone, each in state.zones.items()}
    return msgspec.json.encode(
        {
            "color": state.color,
            "zones": zones,
            "active": state.active,
            "unacknowledged": state.unacknowledged,
            "at": time_text(now),
            "valid_until": time_text(valid_until),
        }
    )


def alarm_record(alarm: Alarm) -> bytes:
    """Everything about an alarm, for the journal."""
    return msgspec.json.encode(alarm)


def alarm_from_record(record: bytes) -> Alarm:
    """The alarm that `alarm_record` wrote. Raises msgspec.DecodeError for bytes that are no such record."""
    return _ALARM.decode(record)


def encode_record(state: ChainState | Notice) -> bytes:
    """How far a chase has come, or a message not yet sent, for the journal."""
    return msgspec.json.encode(state)


def chain_from_record(record: bytes) -> ChainState:
    """The chain state that `encode_record` wrote. Raises msgspec.DecodeError."""
    return _CHAIN.decode(record)


def notice_from_record(record: bytes) -> Notice:
    """The notice that `encode_record` wrote. Raises msgspec.DecodeError."""
    return _NOTICE.decode(record)


def time_text(at: int) -> str:
    """A time in ns as RFC 3339, UTC, cut to milliseconds."""
    moment = _EPOCH + dt.timedelta(milliseconds=at // 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(at: int | None) -> str | None:
    return None if at is None else time_text(at)


def _event(event: Event, site: Site) -> Json:
    return {
        **_alarm(event.alarm, site),
        "event": event.kind,
        "from": event.before,
        "to": event.alarm.state,
        "by": event.by,
        "at": time_text(event.at),
        "recorded_at": time_text(event.recorded_at),
    }


def _alarm(alarm: Alarm, site: Site) -> Json:
    return {
        "alarm": alarm.id,
        "occurrence": alarm.occurrence,
        "annunciation": alarm.annunciation,
        "family": alarm.family,
        "under": alarm.under,
        "lead": alarm.lead,
        "site": alarm.site,
        "zone": alarm.zone,
        "sensor": alarm.sensor,
        "condition": alarm.condition,
        "tier": alarm.tier,
        "state": alarm.state,
        "suppression": [_suppression(each) for each in alarm.suppression],
        "active": alarm.state.active,
        "acknowledged": alarm.acknowledged_by is not None,
        "latched": alarm.state.latched,
        "value_lost": alarm.value_lost,
        "over_range": alarm.over_range,
        "late": alarm.late,
        "mode": alarm.mode,
        "value": alarm.value,
        "peak": alarm.peak,
        "limit": alarm.limit,
        "unit": alarm.unit,
        "raised_at": time_text(alarm.raised_at),
        "changed_at": time_text(alarm.changed_at),
        "returned_at": _time(alarm.returned_at),
        "acknowledged_by": alarm.acknowledged_by,
        "comment": alarm.comment,
        "verified": alarm.verified,
        "feedback_due": _time(alarm.feedback_due),
        "first_out": alarm.first_out,
        **_guidance(alarm, site),
        "journaled": True,
        "sequence": alarm.sequence,
    }


def _suppression(each: Suppression) -> Json:
    since, until = time_text(each.since), _time(each.until)
    return {"kind": each.kind, "by": each.by, "reason": each.reason, "permit": each.permit, "since": since, "until": until}


def _guidance(alarm: Alarm, site: Site) -> Json:
    """Where it is, what may come of it, what to do: the sensor's words. For a gathered cause the place is all it stands for."""
    sensor = _sensor(alarm, site)
    if sensor is not None:
        return {"place": sensor.place or None, "consequence": sensor.consequence or None, "action": sensor.action or None}
    rule = next((rule for rule in site.rules if rule.id == alarm.source), None)
    action = rule.action or None if rule is not None else None
    return {"place": ", ".join(alarm.members) or None, "consequence": None, "action": action}


def _sensor(alarm: Alarm, site: Site) -> Sensor | None:
    return next((sensor for sensor in site.sensors if sensor.id == alarm.sensor), None)
