"""Alarms, events and notices as the outside reads them, and records as the journal keeps them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.alarms import Ward
from support.sites import T0, sensor

from adapters.codecs import alarm_json
from alerts.alarm import NoticeKind, Suppression, SuppressionKind, Tier
from alerts.chain import opened
from alerts.edge import EdgeKind
from alerts.ports import Notice
from alerts.reading import SECOND

ALARM_KEYS = [
    "alarm",
    "occurrence",
    "annunciation",
    "family",
    "under",
    "lead",
    "site",
    "zone",
    "sensor",
    "condition",
    "tier",
    "state",
    "suppression",
    "active",
    "acknowledged",
    "latched",
    "value_lost",
    "over_range",
    "late",
    "mode",
    "value",
    "peak",
    "limit",
    "unit",
    "raised_at",
    "changed_at",
    "returned_at",
    "acknowledged_by",
    "comment",
    "verified",
    "feedback_due",
    "first_out",
    "place",
    "consequence",
    "action",
    "journaled",
    "sequence",
]
EVENT_KEYS = ["event", "from", "to", "by", "at", "recorded_at"]
SAID = {"place": "pump P-3", "consequence": "explosion", "action": "leave"}


def ward() -> Ward:
    """A ward in which GT-1.high_high was raised a second after T0."""
    made = Ward(sensor("GT-1", **SAID), sensor("GT-2"))
    made.true("GT-1.high_high", 1, 60, peak=61.5)
    return made


def alarm(made: Ward, name: str = "GT-1.high_high") -> dict[str, Any]:
    read: dict[str, Any] = json.loads(alarm_json.alarm_bytes(made[name], made.site))
    return read


def notice(**changes: Any) -> Notice:
    return Notice("north", "GT-1.high_high", "GT-1.high_high@41", 1, NoticeKind.RAISE, 0, 0, "li", "desk", due=T0 + 9 * SECOND, **changes)


def test_an_alarm_has_exactly_the_keys_of_the_contract() -> None:
    assert list(alarm(ward())) == ALARM_KEYS


def test_an_alarm_reads_as_it_stands() -> None:
    read = alarm(ward())
    expected = {
        "alarm": "GT-1.high_high",
        "occurrence": "GT-1.high_high@41",
        "family": "GT-1.up",
        "tier": "red",
        "state": "active_unacknowledged",
        "active": True,
        "acknowledged": False,
        "latched": False,
        "mode": "real",
        "value": 60.0,
        "peak": 61.5,
        "limit": 50.0,
        "unit": "%LEL",
        "raised_at": "2025-11-21T08:00:01.000Z",
        "returned_at": None,
        "under": [],
        "suppression": [],
        "journaled": True,
        "sequence": 41,
    } | SAID
    assert {key: read[key] for key in expected} == expected


def test_states_that_were_answered_or_wait_for_a_reset_say_so() -> None:
    made = ward()
    made.do("acknowledge", "GT-1.high_high")
    made.false("GT-1.high_high", 5, 10)
    read = alarm(made)
    assert (read["active"], read["acknowledged"], read["latched"], read["acknowledged_by"]) == (False, True, True, "li")
    assert read["returned_at"] == "2025-11-21T08:00:05.000Z"


def test_an_alarm_of_no_sensor_says_what_it_stands_for_as_its_place() -> None:
    made = ward()
    made.true("rtu-1.offline", 2, members=("GT-1", "GT-2"))
    read = alarm(made, "rtu-1.offline")
    assert (read["sensor"], read["place"], read["consequence"], read["action"]) == (None, "GT-1, GT-2", None, None)


def test_a_rule_says_what_to_do() -> None:
    rule = {"id": "R-1", "zone": "pumps", "all": [{"kind": "combustible_gas", "condition": "high"}], "action": "cut power"}
    made = Ward(rules=[rule])
    made.true("R-1.rule", 1)
    assert alarm(made, "R-1.rule")["action"] == "cut power"


def test_a_suppression_is_an_object_of_its_own() -> None:
    made = Ward(sensor("GT-1", commissioned=None))
    made.true("GT-1.high", 1, 30)
    (said,) = alarm(made, "GT-1.high")["suppression"]
    assert list(said) == ["kind", "by", "reason", "permit", "since", "until"]
    assert (said["kind"], said["since"], said["until"]) == ("commissioning", "2025-11-21T08:00:01.000Z", None)


def test_an_event_is_the_alarm_and_what_happened() -> None:
    made = Ward()
    (event,) = made.book.edges([made.edge("GT-1.high_high", EdgeKind.TRUE, 1, 60)], made.moment + SECOND)
    read = json.loads(alarm_json.event_bytes(event, made.site))
    assert list(read) == ALARM_KEYS + EVENT_KEYS
    assert [read[key] for key in EVENT_KEYS] == [
        "raise",
        "normal",
        "active_unacknowledged",
        None,
        "2025-11-21T08:00:01.000Z",
        "2025-11-21T08:00:02.000Z",
    ]


def test_a_notice_is_the_event_and_whom_it_is_for() -> None:
    made = Ward()
    (event,) = made.book.edges([made.edge("GT-1.high_high", EdgeKind.TRUE, 1, 60)], made.moment)
    read = json.loads(alarm_json.notice_body(event, notice(), made.site, made.moment))
    assert list(read) == [*ALARM_KEYS, *EVENT_KEYS, "notification"]
    assert read["event"] == "raise"
    assert read["notification"] == {"id": notice().id, "step": 0, "person": "li", "kind": "raise", "may_repeat": False}


def test_a_later_step_tells_of_the_alarm_as_it_stands() -> None:
    made = ward()
    read = json.loads(alarm_json.notice_body(made["GT-1.high_high"], notice(), made.site, made.moment))
    assert (read["event"], read["from"], read["to"]) == ("escalate", "active_unacknowledged", "active_unacknowledged")
    assert (read["at"], read["recorded_at"]) == ("2025-11-21T08:00:09.000Z", "2025-11-21T08:00:01.000Z")


def test_a_message_told_before_the_journal_has_it_says_so() -> None:
    """Also where a person's comment looks like the key."""
    made = ward()
    made.do("acknowledge", "GT-1.high_high", comment='"journaled":true, "may_repeat":false')
    body = alarm_json.notice_body(made["GT-1.high_high"], notice(), made.site, made.moment)
    before, told, again = json.loads(body), json.loads(alarm_json.unjournaled(body)), json.loads(alarm_json.repeated(body))
    assert told == before | {"journaled": False}
    assert again == before | {"notification": before["notification"] | {"may_repeat": True}}


def test_the_state_of_a_site_names_its_zones_and_how_long_it_holds() -> None:
    made = ward()
    read = json.loads(alarm_json.state_bytes(made.book.color(made.moment), made.moment, made.moment + 30 * SECOND))
    assert read == {
        "color": "red",
        "zones": {"pumps": {"color": "red", "in_service": 2, "of": 2}},
        "active": 1,
        "unacknowledged": 1,
        "at": "2025-11-21T08:00:01.000Z",
        "valid_until": "2025-11-21T08:00:31.000Z",
    }


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_times_are_rfc_3339_in_utc_with_milliseconds(at: int) -> None:
    text = alarm_json.time_text(at)
    assert len(text) == len("2025-11-21T08:00:00.000Z")
    assert text.endswith("Z")
    assert (dt.datetime.fromisoformat(text) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1) == at // 1_000_000


def test_a_record_read_back_is_the_same_alarm() -> None:
    made = Ward(sensor("GT-1", commissioned=None))
    made.true("GT-1.high", 1, 30)
    made.true("GT-1.stale", 2)
    for each in made.book.alarms().values():
        assert alarm_json.alarm_from_record(alarm_json.alarm_record(each)) == each
    assert made["GT-1.high"].suppression == (Suppression(SuppressionKind.COMMISSIONING, reason="no function test is on record", since=T0 + SECOND),)


def test_the_state_of_a_chase_and_a_message_read_back_the_same() -> None:
    chain = opened(ward()["GT-1.high_high"], T0)
    assert alarm_json.chain_from_record(alarm_json.encode_record(chain)) == chain
    told = notice(to="+86", tier=Tier.RED, sequence=41)
    assert alarm_json.notice_from_record(alarm_json.encode_record(told)) == told


@pytest.mark.parametrize("record", [b"", b"{}", b"[1]", b'{"site": 5}'])
def test_what_is_no_record_is_refused(record: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        alarm_json.alarm_from_record(record)
