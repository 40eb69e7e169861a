"""What the demo would hear, made up: alarm events, messages and answers of the interface."""

from __future__ import annotations

from typing import Any

from support.sites import T0

from adapters.codecs.alarm_json import time_text
from alerts.alarm import EventKind, State
from alerts.reading import SECOND
from gateway.api.models import AlarmBody, Health, LimitsBody, SensorBody, SensorHealth, SiteBody, ZoneBody
from gateway.demo.heard import AlarmEvent, Heard, Notice, Told
from gateway.demo.plot import Plot

PLOT = Plot("Pump seal leak", ("quiet", "leak", "isolated", "clear"), 45, ("off-delays to 5 s",))
LATENCY = 5_000_000
"""How long an event takes to be heard, ns."""


def at(seconds: float) -> int:
    """A moment, ns."""
    return T0 + round(seconds * SECOND)


def alarm(identity: str, state: State = State.ACTIVE_UNACKNOWLEDGED, **changes: Any) -> AlarmBody:
    """An alarm of a gas head as the interface shows it."""
    return AlarmBody.model_validate(_alarm(identity, state, **changes))


def _alarm(identity: str, state: State, **changes: Any) -> dict[str, Any]:
    source, _, condition = identity.rpartition(".")
    made = {
        "alarm": identity,
        "occurrence": f"{identity}@1",
        "annunciation": 1,
        "family": f"{source}.up",
        "under": [],
        "lead": True,
        "site": "north",
        "zone": "pumps",
        "sensor": source,
        "condition": condition,
        "tier": "red" if condition == "high_high" else "orange",
        "state": state,
        "suppression": [],
        "active": state.active,
        "acknowledged": not state.unacknowledged,
        "latched": state.latched,
        "value_lost": False,
        "over_range": False,
        "late": False,
        "mode": "real",
        "value": 30.0,
        "peak": 60.0,
        "limit": 20.0,
        "unit": "%LEL",
        "raised_at": time_text(at(0)),
        "changed_at": time_text(at(0)),
        "returned_at": None,
        "acknowledged_by": None if state.unacknowledged else "li",
        "comment": None,
        "verified": None,
        "feedback_due": None,
        "first_out": condition == "high",
        "place": "seal of pump P-1",
        "consequence": "explosive atmosphere",
        "action": "stop the pumps, clear the area",
        "journaled": True,
        "sequence": 7,
    }
    return made | changes


def event(kind: EventKind, identity: str, seconds: float, to: State, **changes: Any) -> AlarmEvent:
    """An alarm event `seconds` after `T0`."""
    happened = {"event": kind, "from": State.NORMAL, "to": to, "by": None, "at": time_text(at(seconds)), "recorded_at": time_text(at(seconds))}
    return AlarmEvent.model_validate(_alarm(identity, to, **(happened | changes)))


def heard(kind: EventKind, identity: str, seconds: float, to: State, **changes: Any) -> Heard:
    """The same, heard `LATENCY` later."""
    return Heard(received=at(seconds) + LATENCY, event=event(kind, identity, seconds, to, **changes))


def told(identity: str, seconds: float, person: str = "li", channel: str = "desk", **notification: Any) -> Told:
    """A message to a person about an alarm that was raised."""
    note = {"id": f"{identity}/{person}/{channel}", "step": 0, "person": person, "kind": "raise", "may_repeat": False} | notification
    body = event(EventKind.RAISE, identity, seconds, State.ACTIVE_UNACKNOWLEDGED).model_dump(by_alias=True) | {"notification": note}
    return Told(at(seconds), channel, f"1-{note['id']}", Notice.model_validate(body))


def sensor(identity: str, value: float | None, seconds: float = 0.0, **changes: Any) -> SensorBody:
    """A healthy gas head as the interface shows it."""
    made: dict[str, Any] = {
        "sensor": identity,
        "kind": "combustible_gas",
        "gas": "propane",
        "zone": "pumps",
        "device": "rtu-1",
        "place": "pump P-1",
        "unit": "%LEL",
        "value": value,
        "time": time_text(at(seconds)),
        "arrival": time_text(at(seconds)),
        "age": 0.1,
        "rate_per_minute": 0.0,
        "health": SensorHealth.HEALTHY,
        "sick": [],
        "good": True,
        "over_range": False,
        "range": (0, 100),
        "limits": LimitsBody(low_low=None, low=None, high=20, high_high=40),
        "commissioned": "2026-01-15",
    }
    return SensorBody.model_validate(made | changes)


def health(**changes: Any) -> Health:
    """A gateway that takes readings in."""
    made = {"ingesting": True, "obstacles": {}, "gateway": "g", "version": "1", "boot": "b", "since": "s", "at": "a", "link": "up"}
    made |= {"watch": "standing by", "drops": "watched", "store": "reachable", "faults": [], "warnings": 0, "journal_head": ""}
    return Health.model_validate(made | changes)


def site(*zones: str, color: str = "green") -> SiteBody:
    """A site with zones of four sensors each."""
    made = [ZoneBody(zone=zone, name="泵区", hazard="LPG pumps", color=color, in_service=4, of=4) for zone in zones]
    brief = {"site": "north", "name": "北罐区", "timezone": "Asia/Shanghai", "color": color, "active": 1, "unacknowledged": 1, "sensors": 4 * len(zones)}
    return SiteBody.model_validate(brief | {"at": time_text(at(0)), "zones": made})
