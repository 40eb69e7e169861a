"""What the interface answers with. Times are RFC 3339 in UTC with milliseconds; values are in the sensor's configured unit."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from adapters.codecs.alarm_json import time_text
from alerts.alarm import Color, Condition, Mode, NoticeKind, Role, State, SuppressionKind, Tier, Verified
from gateway.view import View


class Health(BaseModel):
    """Whether readings are being taken in and judged, and if not, why."""

    ingesting: bool
    obstacles: dict[str, str] = Field(description="what keeps it from doing so, in words; empty while it does")
    gateway: str
    version: str
    boot: str
    since: str
    at: str
    link: str
    watch: str = Field(description="`standing by`, `not connected`, or since when and why the second connection to the broker feeds the alarm path")
    drops: str = Field(description="`watched`, or why the broker's counter of dropped messages is not seen")
    store: str = Field(description="`reachable`, or why not; the store does not decide over health, the spool stands in for it")
    journal_head: str | None = Field(None, description="the journal's newest signed head; whoever keeps it can hold the journal against it later")
    faults: list[str] = Field(description="fault points that are set; a gateway with one guards nothing")
    warnings: int = Field(description="how many warnings the configuration has; `hazgate check` prints them")

    @classmethod
    def of(cls, view: View) -> Health:
        """As it is at this moment."""
        obstacles = view.obstacles()
        return cls(
            ingesting=not obstacles,
            obstacles={obstacle.value: words for obstacle, words in obstacles.items()},
            gateway=view.gateway,
            version=view.version,
            boot=view.boot,
            since=time_text(view.since),
            at=time_text(view.clock.now()),
            link=view.link_state(),
            watch=view.eyes(),
            drops=view.brokerside.drops.sight,
            store=view.store_state(),
            faults=sorted(view.faults),
            warnings=len(view.warnings),
            journal_head=view.journal.sealed.text if view.journal.sealed else None,
        )


class BalanceBody(BaseModel):
    """received = stored + spooled + pending + quarantined + duplicate + dropped, each counted where it happens."""

    received: int
    stored: int
    spooled: int
    pending: int
    quarantined: int
    duplicate: int
    dropped: int
    closes: bool


class PersonBody(BaseModel):
    """Somebody of the site; how to reach them is not shown."""

    person: str
    name: str


class SiteBrief(BaseModel):
    """One line of the list of sites."""

    site: str
    name: str
    timezone: str
    color: Color
    active: int
    unacknowledged: int
    sensors: int


class ZoneBody(BaseModel):
    """A zone and what it shows."""

    zone: str
    name: str
    hazard: str
    color: Color
    in_service: int
    of: int
    source: str | None = Field(None, description="the registered source of major hazard it belongs to")


class SourceBody(BaseModel):
    """A registered source of major hazard: its level (1 is the worst), where it is filed, who answers for it, its zones."""

    source: str
    name: str
    level: int
    filing: str
    responsible: PersonBody | None
    zones: list[str]


class SiteBody(SiteBrief):
    """A site, its zones and their colors at `at`."""

    at: str
    zones: list[ZoneBody]
    sources: list[SourceBody] = Field(default_factory=list)


class SensorHealth(StrEnum):
    """Whether a sensor's value can be trusted: it can, it was never heard since start, or it is sick."""

    HEALTHY = "healthy"
    UNHEARD = "unheard"
    SICK = "sick"


class LimitsBody(BaseModel):
    """The limits that are judged; null is not judged."""

    low_low: float | None
    low: float | None
    high: float | None
    high_high: float | None


class SensorBody(BaseModel):
    """A sensor as it stands."""

    sensor: str
    kind: str
    gas: str | None
    zone: str
    device: str
    place: str
    unit: str | None
    value: float | None = Field(description="of the newest live reading that had one; null if there is none")
    state: str | None = Field(None, description="what that value is called, where the site file names the sensor's states")
    time: str | None = Field(description="event time of that value")
    arrival: str | None = Field(description="when the newest live reading came, with or without a value")
    age: float | None = Field(description="seconds since then")
    rate_per_minute: float | None = Field(description="change of the value a minute, from its last two readings")
    health: SensorHealth
    sick: list[Condition] = Field(description="why it is sick")
    good: bool = Field(description="whether the value comes from a fresh reading of good quality")
    over_range: bool
    range: tuple[float, float]
    limits: LimitsBody
    commissioned: date | None = Field(description="null: still in commissioning; it is recorded and judged, and tells nobody")


class SensorPage(BaseModel):
    """Sensors in the order of the site file."""

    sensors: list[SensorBody]
    total: int
    truncated: bool
    next_offset: int | None


class SuppressionBody(BaseModel):
    """One reason why an alarm does not annunciate."""

    kind: SuppressionKind
    by: str | None
    reason: str | None
    permit: str | None
    since: str | None
    until: str | None


class AlarmBody(BaseModel):
    """An alarm as it stands; the same as in its retained topic."""

    alarm: str
    occurrence: str
    annunciation: int
    family: str
    under: list[str]
    lead: bool
    site: str
    zone: str | None
    sensor: str | None
    condition: Condition
    tier: Tier
    state: State
    suppression: list[SuppressionBody]
    active: bool
    acknowledged: bool
    latched: bool
    value_lost: bool
    over_range: bool
    late: bool
    mode: Mode
    value: float | None
    peak: float | None
    limit: float | None
    unit: str | None
    raised_at: str
    changed_at: str
    returned_at: str | None
    acknowledged_by: str | None
    comment: str | None
    verified: Verified | None
    feedback_due: str | None
    first_out: bool
    place: str | None
    consequence: str | None
    action: str | None
    journaled: bool
    sequence: int


class AlarmPage(BaseModel):
    """Alarms that are not normal: by tier, unacknowledged first, toxic before combustible, elder first."""

    alarms: list[AlarmBody]
    total: int
    truncated: bool
    next_offset: int | None


class AlarmDone(BaseModel):
    """A command was carried out and is durable; the alarm as it stands now, null if it is normal again."""

    ok: bool
    alarm: AlarmBody | None


class SensorDone(BaseModel):
    """A command was carried out and is durable; the sensor as it stands now."""

    ok: bool
    sensor: SensorBody


class CommandRequest(BaseModel):
    """The body of a command: what the person saw, and what the verb needs. Other keys belong to the verb."""

    model_config = {"extra": "allow"}

    occurrence: str | None = None
    sequence: int | None = None
    comment: str | None = None
    until: str | int | None = None
    at: str | int | None = None


class DutyBody(BaseModel):
    """Who stands for a role now."""

    role: Role
    on_duty: list[PersonBody]


class GapBody(BaseModel):
    """A stretch in which nobody stands for a role."""

    role: Role
    since: str
    until: str


class RotaBody(BaseModel):
    """Who is on duty at `at`, and every gap of the next 30 days."""

    at: str
    duty: list[DutyBody]
    gaps: list[GapBody]


class NotificationBody(BaseModel):
    """One message to one person over one channel. `state`: open, delivered, failed, expired or withdrawn."""

    alarm: str
    occurrence: str
    annunciation: int
    kind: NoticeKind
    step: int
    round: int
    person: str
    channel: str
    tier: Tier
    due: str
    state: str
    words: str = Field(description="what the channel said")


class NotificationPage(BaseModel):
    """The newest messages, newest first; `truncated` where there are older ones."""

    notifications: list[NotificationBody]
    truncated: bool
