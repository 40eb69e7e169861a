"""Commands: who may do what, what each verb does, and every reason this version can give for refusing, in the contract's order."""

from __future__ import annotations

from typing import Any

import pytest
from support.alarms import EXPIRING, Ward, standing
from support.sites import T0, sensor

from alerts.alarm import Refusal, Role, State, Tier, Verb
from alerts.command import BUILT, VERBS, Command, first, permitted
from alerts.edge import EdgeKind
from alerts.reading import SECOND

PERSON = {
    Role.OFFICER: "li",
    Role.LEADER: "wang",
    Role.ENGINEER: "meng",
    Role.VIEWER: "gast",
    Role.UPSTREAM: "amt",
    Role.MANAGER: "chef",
    Role.ADMINISTRATOR: "root",
}
MAY = {
    Role.OFFICER: "acknowledge unacknowledge silence attend comment raise verify feedback reset shelve unshelve take-over",
    Role.LEADER: "acknowledge unacknowledge silence attend comment raise verify feedback reset shelve unshelve take-over "
    "sign-off siren-off permit-open permit-close drill-start drill-stop",
    Role.ENGINEER: "inhibit uninhibit commission calibrated replace",
}
"""Who may do what, as it is written down."""

MEASURED = {"instrument": "MX-4", "value": 0.4}


def raised(*extra: str, **changes: Any) -> Ward:
    """A ward in which GT-1.high_high stands (and what else is named)."""
    ward = Ward(**changes)
    for alarm in ("GT-1.high_high", *extra):
        ward.true(alarm, 1, 60)
    return ward


def latched(**facts: Any) -> Ward:
    """A ward in which GT-1.high_high is latched and acknowledged."""
    ward = raised()
    ward.do("acknowledge", "GT-1.high_high")
    ward.false("GT-1.high_high", 9, 10)
    ward.facts.say("GT-1", **facts)
    return ward


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("verb", list(Verb))
def test_each_role_may_do_what_is_written_and_nothing_else(role: Role, verb: Verb) -> None:
    allowed = verb in MAY.get(role, "").split()
    assert permitted(Command(verb, "north", "x"), [role], Tier.YELLOW) == allowed
    refused = raised().do(verb, "GT-1.high_high", PERSON[role])
    assert (refused is Refusal.NOT_PERMITTED) == (not allowed)


def test_the_table_speaks_of_every_role() -> None:
    assert set(VERBS) == set(Role)


@pytest.mark.parametrize("tier", list(Tier))
def test_an_officer_shelves_up_to_yellow_and_a_leader_up_to_orange(tier: Tier) -> None:
    """RED is refused with a reason of its own, to everybody."""
    command = Command(Verb.SHELVE, "north", "x")
    assert permitted(command, [Role.OFFICER], tier) == (tier is not Tier.ORANGE)
    assert permitted(command, [Role.LEADER], tier)


@pytest.mark.parametrize("verb", list(Verb))
def test_a_link_can_acknowledge_and_give_feedback_and_nothing_else(verb: Verb) -> None:
    assert permitted(Command(verb, "north", "x", via="link"), [Role.LEADER], None) == (verb in {"acknowledge", "feedback"})


def test_two_roles_together_may_what_either_may() -> None:
    assert permitted(Command(Verb.INHIBIT, "north", "x"), [Role.OFFICER, Role.ENGINEER], None)


def test_somebody_who_is_not_of_this_site_is_unknown() -> None:
    assert raised().do("acknowledge", "GT-1.high_high", "nobody") is Refusal.UNKNOWN_PERSON


@pytest.mark.parametrize("verb", sorted(set(Verb) - BUILT))
def test_a_verb_that_is_not_built_is_malformed(verb: str) -> None:
    by = next(PERSON[role] for role in (Role.LEADER, Role.ENGINEER) if verb in VERBS[role])
    assert raised().do(verb, "GT-1.high_high", by) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("verb", "alarm", "changes"),
    [
        ("acknowledge", None, {}),
        ("acknowledge", None, {"sensor": "GT-1"}),
        ("acknowledge", "GT-1.high_high", {"sensor": "GT-1"}),
        ("acknowledge", "GT-1.high_high", {"via": "link"}),
        ("acknowledge", "GT-1.high_high", {"via": "link", "occurrence": "GT-1.high_high@41"}),
        ("reset", None, {"sensor": "GT-1"}),
        ("verify", "GT-1.high_high", {}),
        ("verify", "GT-1.high_high", {"args": {"result": "perhaps"}}),
        ("verify", "GT-1.high_high", {"args": {"result": ["real"]}}),
        ("verify", "GT-1.high_high", {"args": {"result": "real", "how": 5}}),
        ("verify", None, {"sensor": "GT-1", "args": {"value": 1}}),
        ("verify", None, {"sensor": "GT-1", "args": {"instrument": " ", "value": 1}}),
        ("verify", None, {"sensor": "GT-1", "args": {"instrument": "MX-4", "value": True}}),
        ("verify", None, {"sensor": "GT-1", "args": {"instrument": "MX-4", "value": float("nan")}}),
        ("verify", None, {"sensor": "GT-1", "args": {"instrument": "MX-4", "value": "1"}}),
    ],
)
def test_a_command_that_lacks_what_its_verb_needs_is_malformed(verb: str, alarm: str | None, changes: dict[str, Any]) -> None:
    assert raised().do(verb, alarm, **changes) is Refusal.MALFORMED


@pytest.mark.parametrize("alarm", ["GT-9.high", "GT-1.nonsense", "GT-1", ""])
def test_an_alarm_that_the_site_cannot_have_is_unknown(alarm: str) -> None:
    assert raised().do("acknowledge", alarm) is Refusal.UNKNOWN_ALARM


def test_a_sensor_that_the_site_does_not_have_is_unknown() -> None:
    assert raised().do("verify", None, sensor="GT-9", args=MEASURED) is Refusal.UNKNOWN_ALARM


def test_a_link_with_occurrence_and_sequence_acknowledges() -> None:
    done = raised().do("acknowledge", "GT-1.high_high", via="link", occurrence="GT-1.high_high@41", sequence=41)
    assert done == ["acknowledge GT-1.high_high AU>AA"]


def test_another_occurrence_than_the_one_seen_is_changed() -> None:
    assert raised().do("acknowledge", "GT-1.high_high", occurrence="GT-1.high_high@7") is Refusal.CHANGED


def test_what_was_raised_again_after_it_was_seen_has_changed() -> None:
    ward = raised()
    ward.false("GT-1.high_high", 2, 10)
    ward.true("GT-1.high_high", 3, 60)
    assert ward.do("acknowledge", "GT-1.high_high", sequence=41) is Refusal.CHANGED
    assert ward.do("acknowledge", "GT-1.high_high", sequence=43) == ["acknowledge GT-1.high_high AU>AA"]


def test_a_folded_member_raised_after_the_lead_was_seen_changes_it_and_the_lead_shows_so() -> None:
    """The lead's record takes up the member's number: whoever reads it then can answer for both."""
    ward = raised()
    ward.true("GT-1.high", 2, 60)
    assert ward.do("acknowledge", "GT-1.high_high", sequence=41) is Refusal.CHANGED
    assert ward["GT-1.high_high"].sequence == 42
    assert ward.do("acknowledge", "GT-1.high_high", sequence=42) == ["acknowledge GT-1.high_high AU>AA", "acknowledge GT-1.high AU>AA"]


def test_what_one_reading_raised_is_answered_with_the_number_of_its_message() -> None:
    ward = Ward()
    ward.edges(*(ward.edge(f"GT-1.{limit}", EdgeKind.TRUE, 1, 100) for limit in ("high_high", "high")))
    assert isinstance(ward.do("acknowledge", "GT-1.high_high", sequence=42), list)


@pytest.mark.parametrize("event", ["value_lost", "over_range", "expire", "tier_raise"])
def test_losing_the_value_over_range_expiry_and_a_risen_tier_change_an_alarm(event: str) -> None:
    ward = Ward(sensor("GT-1"), sensor("GT-2"))
    alarm = "GT-1.stale" if event == "tier_raise" else "GT-1.high_high"
    ward.true(alarm, 1, 60)
    seen = ward[alarm].sequence
    if event == "value_lost":
        ward.true("GT-1.stale", 2)
    elif event == "over_range":
        ward.over_range(alarm, 2)
    elif event == "expire":
        ward.do("acknowledge", alarm)
        ward.clock(1000)
    else:
        ward.clock(8 * 3600 + 1)
    assert ward.do("acknowledge", alarm, sequence=seen) is Refusal.CHANGED


def test_a_return_a_verification_and_an_undone_answer_do_not_change_it() -> None:
    ward = raised()
    ward.do("acknowledge", "GT-1.high_high")
    ward.do("unacknowledge", "GT-1.high_high")
    ward.do("verify", "GT-1.high_high", args={"result": "real"})
    ward.false("GT-1.high_high", 5, 10)
    assert isinstance(ward.do("acknowledge", "GT-1.high_high", sequence=41), list)


def test_a_command_older_than_a_minute_is_too_late() -> None:
    ward = raised()
    ward.now = 100
    assert ward.do("acknowledge", "GT-1.high_high", sent=T0 + 39 * SECOND) is Refusal.TOO_LATE
    assert isinstance(ward.do("acknowledge", "GT-1.high_high", sent=T0 + 40 * SECOND), list)


@pytest.mark.parametrize(
    ("state", "verb", "refusal"),
    [
        (None, "acknowledge", Refusal.NOT_ACTIVE),
        (None, "unacknowledge", Refusal.NOT_ACTIVE),
        (None, "reset", Refusal.NOT_LATCHED),
        (None, "verify", Refusal.NOT_ACTIVE),
        (State.ACTIVE_UNACKNOWLEDGED, "unacknowledge", Refusal.ALREADY),
        (State.ACTIVE_UNACKNOWLEDGED, "reset", Refusal.STILL_ACTIVE),
        (State.ACTIVE_ACKNOWLEDGED, "acknowledge", Refusal.ALREADY),
        (State.ACTIVE_ACKNOWLEDGED, "reset", Refusal.STILL_ACTIVE),
        (State.RETURNED_UNACKNOWLEDGED, "unacknowledge", Refusal.ALREADY),
        (State.RETURNED_UNACKNOWLEDGED, "reset", Refusal.NOT_LATCHED),
        (State.LATCHED_UNACKNOWLEDGED, "unacknowledge", Refusal.ALREADY),
        (State.LATCHED_UNACKNOWLEDGED, "reset", Refusal.NOT_ACKNOWLEDGED),
        (State.LATCHED_ACKNOWLEDGED, "acknowledge", Refusal.ALREADY),
        (State.LATCHED_ACKNOWLEDGED, "unacknowledge", Refusal.NOT_ACTIVE),
    ],
)
def test_what_the_state_does_not_allow_is_refused(state: State | None, verb: str, refusal: Refusal) -> None:
    answered = state is not None and not state.unacknowledged
    alarms = [] if state is None else [standing("GT-1.high_high", state=state, acknowledged_by="li" if answered else None)]
    assert Ward(alarms=alarms).do(verb, "GT-1.high_high", args={"result": "real"}) is refusal


def test_an_officer_undoes_only_what_is_their_own() -> None:
    ward = raised()
    ward.do("acknowledge", "GT-1.high_high", "li")
    assert ward.do("unacknowledge", "GT-1.high_high", "bo") is Refusal.NOT_PERMITTED
    assert ward.do("unacknowledge", "GT-1.high_high", "li") == ["unacknowledge GT-1.high_high AA>AU !"]
    assert ward["GT-1.high_high"].annunciation == 2


def test_a_leader_undoes_anybodys() -> None:
    ward = raised()
    ward.do("acknowledge", "GT-1.high_high", "li")
    assert ward.do("unacknowledge", "GT-1.high_high", "wang") == ["unacknowledge GT-1.high_high AA>AU !"]


def test_a_finding_is_written_down_with_who_and_how() -> None:
    ward = raised()
    assert ward.do("verify", "GT-1.high_high", args={"result": "real", "how": "seen at the pump"}) == ["verify GT-1.high_high AU>AU"]
    assert (ward["GT-1.high_high"].verified, ward["GT-1.high_high"].comment) == ("real", "seen at the pump")


def test_reset_acts_on_the_whole_family() -> None:
    ward = raised("GT-1.high")
    ward.do("acknowledge", "GT-1.high_high")
    ward.false("GT-1.high_high", 5, 10)
    assert ward.do("reset", "GT-1.high_high") is Refusal.STILL_ACTIVE
    ward.false("GT-1.high", 6, 10)
    assert ward.do("reset", "GT-1.high") == ["reset GT-1.high_high LA>N", "reset GT-1.high LA>N"]


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"good": False}, Refusal.NO_FRESH_READING),
        ({"value": None}, Refusal.NO_FRESH_READING),
        ({"value": 48.0}, Refusal.INSIDE_DEADBAND),
        ({"value": 60.0}, Refusal.INSIDE_DEADBAND),
        ({"over_range": True, "good": False}, Refusal.OVER_RANGE),
    ],
)
def test_a_reset_needs_a_fresh_reading_outside_the_deadband(facts: dict[str, Any], refusal: Refusal) -> None:
    assert latched(**facts).do("reset", "GT-1.high_high") is refusal


def test_a_reset_just_outside_the_deadband_is_carried_out() -> None:
    assert latched(value=47.9).do("reset", "GT-1.high_high") == ["reset GT-1.high_high LA>N"]


def test_the_deadband_of_a_low_limit_lies_above_it() -> None:
    ward = Ward(sensor("OX-1", kind="oxygen", gas=None, unit="%VOL", range=[0, 30], limits={"low": 19.5}, deadband=0.3))
    ward.true("OX-1.low", 1, 19)
    ward.do("acknowledge", "OX-1.low")
    ward.false("OX-1.low", 2, 20)
    ward.facts.say("OX-1", value=19.8)
    assert ward.do("reset", "OX-1.low") is Refusal.INSIDE_DEADBAND
    ward.facts.say("OX-1", value=19.9)
    assert ward.do("reset", "OX-1.low") == ["reset OX-1.low LA>N"]


def test_of_several_reasons_the_contracts_first_is_given() -> None:
    ward = raised("GT-1.high")
    ward.over_range("GT-1.high_high", 2)
    ward.true("GT-1.stale", 3)
    assert ward.do("reset", "GT-1.high_high") is Refusal.OVER_RANGE
    ward.do("verify", None, sensor="GT-1", args=MEASURED)
    assert ward.do("reset", "GT-1.high_high") is Refusal.VALUE_LOST
    ward.false("GT-1.stale", 4)
    assert ward.do("reset", "GT-1.high_high") is Refusal.STILL_ACTIVE
    assert first([Refusal.NOT_LATCHED, Refusal.CHANGED, Refusal.ALREADY]) is Refusal.CHANGED
    assert first([]) is None


def test_a_stranger_who_also_writes_nonsense_is_told_that_he_is_a_stranger() -> None:
    ward = raised()
    assert ward.do("inhibit", "GT-9.nonsense", "nobody") is Refusal.UNKNOWN_PERSON
    assert ward.do("acknowledge", None, "gast") is Refusal.NOT_PERMITTED
    assert ward.do("acknowledge", "GT-9.nonsense", via="link") is Refusal.MALFORMED


def test_an_officer_ends_over_range_and_the_readings_count_again() -> None:
    ward = raised()
    ward.over_range("GT-1.high_high", 2)
    assert ward.do("verify", None, sensor="GT-1", args=MEASURED) == ["verify GT-1.high_high AU>AU"]
    alarm = ward["GT-1.high_high"]
    assert (alarm.over_range, alarm.tier, alarm.comment) == (False, Tier.RED, "MX-4: 0.4 %LEL")
    assert ward.facts.measured == [("GT-1", None)]
    assert ward.false("GT-1.high_high", 9, 10) == ["return GT-1.high_high AU>LU"]


def test_a_leaders_measurement_stands_for_the_missing_reading() -> None:
    ward = raised()
    ward.true("GT-1.stale", 40)
    ward.facts.ending = [ward.edge("GT-1.high_high", EdgeKind.FALSE, 0, 0.4)]
    events = ward.do("verify", None, "wang", sensor="GT-1", args=MEASURED)
    assert events == ["verify GT-1.high_high AU>AU", "return GT-1.high_high AU>LU", "expire GT-1.stale AA>AU !"]
    assert ward.facts.measured == [("GT-1", 0.4)]


def test_a_lost_value_can_be_replaced_by_a_leader_only() -> None:
    ward = raised()
    ward.true("GT-1.stale", 40)
    assert ward.do("verify", None, "li", sensor="GT-1", args=MEASURED) is Refusal.NOT_PERMITTED


@pytest.mark.parametrize("by", ["li", "wang"])
def test_nothing_is_to_be_measured_on_a_sensor_whose_readings_count(by: str) -> None:
    assert raised().do("verify", None, by, sensor="GT-1", args=MEASURED) is Refusal.NOT_ACTIVE


def test_clearing_over_range_of_several_alarms_makes_none_of_them_worse() -> None:
    ward = Ward(sensor("GT-1", tiers={"high": "yellow", "high_high": "orange"}))
    ward.true("GT-1.high", 1, 100)
    ward.true("GT-1.high_high", 1, 100)
    ward.over_range("GT-1.high_high", 1)
    ward.do("verify", None, sensor="GT-1", args=MEASURED)
    assert [(alarm.tier, alarm.over_range) for alarm in ward.book.alarms().values()] == [(Tier.YELLOW, False), (Tier.RED, False)]


def test_a_measurement_beyond_the_range_leaves_the_lead_of_the_other_side_alone() -> None:
    ward = raised()
    ward.over_range("GT-1.high_high", 2)
    ward.true("GT-1.stale", 3)
    ward.do("acknowledge", "GT-1.high_high")
    ward.true("GT-1.low", 4, 0)
    assert ward.do("verify", None, sensor="GT-1", args=MEASURED) == ["verify GT-1.high_high AA>AA"]
    assert [ward[alarm].lead for alarm in ("GT-1.high_high", "GT-1.low")] == [True, True]


def test_where_two_must_answer_a_second_person_may_acknowledge_too_and_the_first_not_again() -> None:
    red = {"steps": [{"tell": ["officer"]}], "repeat": "120s", "acknowledgers": 2}
    ward = Ward(escalation=EXPIRING | {"red": red})
    ward.true("GT-1.high_high", 1, 60)
    assert ward.do("acknowledge", "GT-1.high_high", "li", at=10) == ["acknowledge GT-1.high_high AU>AA"]
    assert ward.do("acknowledge", "GT-1.high_high", "li", at=11) is Refusal.ALREADY
    assert ward.do("acknowledge", "GT-1.high_high", "bo", at=12) == ["acknowledge GT-1.high_high AA>AA"]
    alarm = ward["GT-1.high_high"]
    assert (alarm.acknowledged_by, alarm.acknowledged_at) == ("li", T0 + 10 * SECOND), "a second answer does not put off the end of the first"
