"""Names and values of the alarm domain: every enumeration of the public contract lives here. Times are int ns since 1970, UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """How urgent an alarm is, from maintenance (blue) to people in danger (red)."""

    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for blue up to 3 for red: the order in which alarms are listed and led."""
        return list(Tier).index(self)

    @property
    def urgent(self) -> bool:
        """Whether somebody goes now (ORANGE, RED): these may wait at most 200 ms for the journal."""
        return self in (Tier.ORANGE, Tier.RED)


class Color(StrEnum):
    """What a zone or a site shows. Grey is "we do not know" and is never green."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREY = "grey"
    BLUE = "blue"
    GREEN = "green"


class Mode(StrEnum):
    """Under which circumstances an alarm stands."""

    REAL = "real"
    DRILL = "drill"
    TEST = "test"
    COMMISSIONING = "commissioning"


class State(StrEnum):
    """The six states an alarm can be in."""

    NORMAL = "normal"
    ACTIVE_UNACKNOWLEDGED = "active_unacknowledged"
    ACTIVE_ACKNOWLEDGED = "active_acknowledged"
    RETURNED_UNACKNOWLEDGED = "returned_unacknowledged"
    LATCHED_UNACKNOWLEDGED = "latched_unacknowledged"
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"

    @property
    def active(self) -> bool:
        """The condition stands."""
        return self in (State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED)

    @property
    def unacknowledged(self) -> bool:
        """Nobody has answered for this annunciation yet."""
        return self in (State.ACTIVE_UNACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED)

    @property
    def latched(self) -> bool:
        """The condition is over but waits for a reset."""
        return self in (State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED)


class Condition(StrEnum):
    """What can be wrong with a source. An alarm's id is `{source}.{condition}`."""

    LOW_LOW = "low_low"
    LOW = "low"
    HIGH = "high"
    HIGH_HIGH = "high_high"
    RISE = "rise"
    FALL = "fall"
    PREDICTED_LOW = "predicted_low"
    PREDICTED_LOW_LOW = "predicted_low_low"
    PREDICTED_HIGH = "predicted_high"
    PREDICTED_HIGH_HIGH = "predicted_high_high"
    STEL = "stel"
    TWA = "twa"
    FIRE = "fire"
    TRIP = "trip"
    OFF_NORMAL = "off_normal"
    MANUAL = "manual"
    UNUSUAL_LOAD = "unusual_load"
    DISCREPANCY = "discrepancy"
    VOTED = "voted"
    RULE = "rule"
    PAST_EXCURSION = "past_excursion"
    STALE = "stale"
    OFFLINE = "offline"
    STUCK = "stuck"
    OUT_OF_RANGE = "out_of_range"
    BAD_QUALITY = "bad_quality"
    CURRENT_FAULT = "current_fault"
    SUSPECT_DATA = "suspect_data"
    DRIFT = "drift"
    CLOCK_SKEW = "clock_skew"
    CALIBRATION_DUE = "calibration_due"
    TEST_DUE = "test_due"
    INHIBITED = "inhibited"
    COMMISSIONING = "commissioning"
    VOTE_DEGRADED = "vote_degraded"
    VOTE_LOST = "vote_lost"
    LOW_COVERAGE = "low_coverage"
    UNKNOWN_SENSOR = "unknown_sensor"
    BROKER_LOST = "broker_lost"
    BROKER_DROPPING = "broker_dropping"
    STORE_UNREACHABLE = "store_unreachable"
    SPOOL_FILLING = "spool_filling"
    BALANCE_OPEN = "balance_open"
    RECORD_LOST = "record_lost"
    JOURNAL_FAILED = "journal_failed"
    DISK_LOW = "disk_low"
    QUARANTINE_FILLING = "quarantine_filling"
    CANARY_FAILED = "canary_failed"
    NOTIFICATION_FAILED = "notification_failed"
    ESCALATION_EXHAUSTED = "escalation_exhausted"
    ESCALATION_MISSED = "escalation_missed"
    UNREACHABLE_PERSON = "unreachable_person"
    ROTA_GAP = "rota_gap"
    MONITORING_GAP = "monitoring_gap"
    GATEWAY_CLOCK = "gateway_clock"
    DUPLICATE_GATEWAY = "duplicate_gateway"
    CONFIG_CHANGED = "config_changed"


LIMITS = (Condition.LOW_LOW, Condition.LOW, Condition.HIGH, Condition.HIGH_HIGH)
"""The four limit conditions, in the column order of the detector's arrays."""

UP_FAMILY = frozenset({Condition.PREDICTED_HIGH, Condition.PREDICTED_HIGH_HIGH, Condition.RISE, Condition.HIGH, Condition.HIGH_HIGH})
DOWN_FAMILY = frozenset({Condition.PREDICTED_LOW, Condition.PREDICTED_LOW_LOW, Condition.FALL, Condition.LOW, Condition.LOW_LOW})
LIMIT_CONDITIONS = frozenset(LIMITS)
ONE_SHOT = frozenset(
    {Condition.PAST_EXCURSION, Condition.MONITORING_GAP, Condition.CONFIG_CHANGED, Condition.RECORD_LOST, Condition.MANUAL, Condition.GATEWAY_CLOCK}
)
SICK = frozenset({Condition.STALE, Condition.OFFLINE, Condition.OUT_OF_RANGE, Condition.BAD_QUALITY, Condition.CURRENT_FAULT})
"""Conditions under which a sensor has no trustworthy value."""
LAST_RESORT_ONLY = frozenset({Condition.ESCALATION_EXHAUSTED, Condition.ESCALATION_MISSED, Condition.NOTIFICATION_FAILED})
"""Told once, to `last_resort`; they run no chain and never raise one another."""


class EventKind(StrEnum):
    """What happened to an alarm."""

    RAISE = "raise"
    RE_RAISE = "re_raise"
    LEAD = "lead"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    EXPIRE = "expire"
    VALUE_LOST = "value_lost"
    OVER_RANGE = "over_range"
    SUBSUME = "subsume"
    RESET = "reset"
    SILENCE = "silence"
    SIREN_OFF = "siren_off"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    INHIBIT = "inhibit"
    UNINHIBIT = "uninhibit"
    COMMISSION = "commission"
    REPLACE = "replace"
    CALIBRATED = "calibrated"
    TIER_RAISE = "tier_raise"
    CONFIGURATION = "configuration"
    ATTEND = "attend"
    COMMENT = "comment"
    VERIFY = "verify"
    FEEDBACK = "feedback"
    SIGN_OFF = "sign_off"
    TAKE_OVER = "take_over"
    ESCALATE = "escalate"
    PERMIT_OPENED = "permit_opened"
    PERMIT_CLOSED = "permit_closed"
    DRILL_STARTED = "drill_started"
    DRILL_ABORTED = "drill_aborted"
    DRILL_ENDED = "drill_ended"
    CLOSE = "close"


class Verb(StrEnum):
    """What a person may ask for."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SILENCE = "silence"
    RESET = "reset"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    INHIBIT = "inhibit"
    UNINHIBIT = "uninhibit"
    COMMISSION = "commission"
    REPLACE = "replace"
    CALIBRATED = "calibrated"
    VERIFY = "verify"
    FEEDBACK = "feedback"
    SIGN_OFF = "sign-off"
    ATTEND = "attend"
    TAKE_OVER = "take-over"
    COMMENT = "comment"
    RAISE = "raise"
    SIREN_OFF = "siren-off"
    PERMIT_OPEN = "permit-open"
    PERMIT_CLOSE = "permit-close"
    DRILL_START = "drill-start"
    DRILL_STOP = "drill-stop"


class Refusal(StrEnum):
    """Why a command was refused, declared in the order in which reasons are given when several apply."""

    UNKNOWN_PERSON = "unknown_person"
    NOT_PERMITTED = "not_permitted"
    MALFORMED = "malformed"
    UNKNOWN_ALARM = "unknown_alarm"
    OFF = "off"
    CHANGED = "changed"
    TOO_LATE = "too_late"
    WRONG_CODE = "wrong_code"
    AMBIGUOUS = "ambiguous"
    PERMIT_REQUIRED = "permit_required"
    REASON_REQUIRED = "reason_required"
    USE_INHIBIT = "use_inhibit"
    RED_CANNOT_BE_SHELVED = "red_cannot_be_shelved"
    RED_SINGLY = "red_singly"
    ACTIVE_ALARM = "active_alarm"
    TOO_LONG = "too_long"
    COVERAGE = "coverage"
    RESPONSE_TOO_LOW = "response_too_low"
    SAME_PERSON = "same_person"
    ALREADY = "already"
    NOT_ACTIVE = "not_active"
    OVER_RANGE = "over_range"
    VALUE_LOST = "value_lost"
    STILL_ACTIVE = "still_active"
    NO_FRESH_READING = "no_fresh_reading"
    INSIDE_DEADBAND = "inside_deadband"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOT_LATCHED = "not_latched"


class Quarantine(StrEnum):
    """Why a payload or a reading was set aside instead of recorded."""

    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_SENSOR = "unknown_sensor"
    WRONG_DEVICE = "wrong_device"
    WRONG_QUANTITY = "wrong_quantity"
    REJECTED_BY_STORE = "rejected_by_store"


class Role(StrEnum):
    """What a person is on this site, and so what they may do."""

    OFFICER = "officer"
    LEADER = "leader"
    ENGINEER = "engineer"
    MANAGER = "manager"
    ADMINISTRATOR = "administrator"
    VIEWER = "viewer"
    UPSTREAM = "upstream"


class SuppressionKind(StrEnum):
    """Why an alarm is kept from annunciating."""

    SHELVED = "shelved"
    INHIBITED = "inhibited"
    COMMISSIONING = "commissioning"
    WHEN = "when"


class Verified(StrEnum):
    """What a person found on the spot."""

    REAL = "real"
    FALSE = "false"
    TEST = "test"
    UNKNOWN = "unknown"


class NoticeKind(StrEnum):
    """Why a person is being told."""

    RAISE = "raise"
    AGAIN = "again"
    ESCALATE = "escalate"
    REPEAT = "repeat"
    INFORM = "inform"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One reason why an alarm does not annunciate. `since` and `until` are ns; `until` None means without an end of its own."""

    kind: SuppressionKind
    by: str | None = None
    reason: str | None = None
    permit: str | None = None
    since: int = 0
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as it stands: a condition of a source, in its present occurrence.

    `site`, `source`, `condition` identify it; `source` is a sensor, device, zone, vote, rule or gateway id.
    Values are in the sensor's configured unit; times are ns. `started` is the sequence of the event that began this
    occurrence, `relevant` that of the last event that makes an older command `changed`.
    """

    site: str
    source: str
    condition: Condition
    tier: Tier
    state: State = State.NORMAL
    started: int = 0
    annunciation: int = 0
    zone: str | None = None
    sensor: str | None = None
    under: tuple[str, ...] = ()
    lead: bool = False
    suppression: tuple[Suppression, ...] = ()
    value_lost: bool = False
    over_range: bool = False
    late: bool = False
    mode: Mode = Mode.REAL
    value: float | None = None
    peak: float | None = None
    limit: float | None = None
    unit: str | None = None
    raised_at: int = 0
    changed_at: int = 0
    returned_at: int | None = None
    acknowledged_at: int | None = None
    acknowledged_by: str | None = None
    comment: str | None = None
    verified: Verified | None = None
    feedback_due: int | None = None
    first_out: bool = False
    members: tuple[str, ...] = ()
    sequence: int = 0
    relevant: int = 0

    @property
    def id(self) -> str:
        """`{source}.{condition}`, unique within its site."""
        return f"{self.source}.{self.condition}"

    @property
    def occurrence(self) -> str:
        """`{id}@{sequence of the event that began it}`."""
        return f"{self.id}@{self.started}"

    @property
    def family(self) -> str:
        """The group of alarms with one lead: one side of a sensor's limits; every other alarm is a family of its own."""
        side = "up" if self.condition in UP_FAMILY else "down" if self.condition in DOWN_FAMILY else None
        return self.id if side is None else f"{self.source}.{side}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an alarm; a row of the journal.

    `alarm` is the alarm after the event and `before` its state before it. `at` is event time, `recorded_at` the
    gateway's clock, both ns. `key` names the cause (alarm, edge, sensor time) so that judging the same reading
    twice after a crash does nothing; it is None for what people and clocks cause.
    """

    kind: EventKind
    alarm: Alarm
    before: State
    at: int
    recorded_at: int
    by: str | None = None
    key: str | None = None
    annunciates: bool = False

    @property
    def sequence(self) -> int:
        """The journal's row number of this event."""
        return self.alarm.sequence
