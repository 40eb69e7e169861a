"""What the demo hears from outside: alarm events over MQTT, messages to people over the webhook."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from pydantic import BaseModel, Field

from alerts.alarm import EventKind, NoticeKind, State
from gateway.api.models import AlarmBody

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def instant(text: str) -> int:
    """An RFC 3339 time in ns since 1970. Raises ValueError for anything else."""
    return (dt.datetime.fromisoformat(text) - _EPOCH) // dt.timedelta(microseconds=1) * 1000


class AlarmEvent(AlarmBody):
    """An alarm as it stands after something happened to it."""

    event: EventKind
    before: State = Field(alias="from")
    to: State
    by: str | None
    at: str
    recorded_at: str


class Notification(BaseModel):
    """Whom a message is for, and why."""

    id: str
    step: int
    person: str
    kind: NoticeKind
    may_repeat: bool


class Notice(AlarmEvent):
    """The body of a webhook."""

    notification: Notification


@dataclass(frozen=True, slots=True)
class Told:
    """A message that arrived over a channel. at: ns. key: its `Idempotency-Key`."""

    at: int
    channel: str
    key: str
    notice: Notice

    @property
    def person(self) -> str:
        """Whom it was for."""
        return self.notice.notification.person


class Heard(BaseModel):
    """An alarm event and when it came, ns."""

    received: int
    event: AlarmEvent

    @property
    def latency(self) -> float:
        """Milliseconds from the time stamp of what caused the event to its receipt; see `gateway.demo.listener`."""
        return (self.received - instant(self.event.at)) / 1e6
