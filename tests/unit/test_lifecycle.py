"""The table of states and triggers, cell by cell, and what its functions make of an alarm."""

from __future__ import annotations

import itertools

import pytest
from support.alarms import standing

from alerts.alarm import LIMIT_CONDITIONS, ONE_SHOT, Condition, Refusal, State, Tier
from alerts.lifecycle import AUTO, TABLE, Move, Trigger, acknowledged, latching, lost, promoted, raised, reset, returned, voided

N, AU, AA = State.NORMAL, State.ACTIVE_UNACKNOWLEDGED, State.ACTIVE_ACKNOWLEDGED
RU, LU, LA = State.RETURNED_UNACKNOWLEDGED, State.LATCHED_UNACKNOWLEDGED, State.LATCHED_ACKNOWLEDGED

EXPECTED = """
                        | true  | false | acknowledge        | reset                  | value_lost | void
normal                  | AU +1 | -     | refuse not_active  | refuse not_latched     | -          | -
active_unacknowledged   | -     | LU/RU | AA                 | refuse still_active    | AU +1      | -
active_acknowledged     | -     | LA/N  | refuse already     | refuse still_active    | AU +1      | AU +1
returned_unacknowledged | AU +1 | -     | N                  | refuse not_latched     | -          | -
latched_unacknowledged  | AU +1 | -     | LA                 | refuse not_acknowledged| -          | -
latched_acknowledged    | AU +1 | -     | refuse already     | N                      | -          | -
"""
"""The table as it is written down: where to (latching/not latching), whether it counts an annunciation, or why not."""

SHORT = {N: "N", AU: "AU", AA: "AA", RU: "RU", LU: "LU", LA: "LA"}


def expectations() -> list[tuple[State, Trigger, str]]:
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in EXPECTED.strip("\n").splitlines()]
    return [(State(row[0]), Trigger(name), cell) for row in rows for name, cell in zip(head[1:], row[1:], strict=True)]


def written(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, Refusal):
        return f"refuse {cell}"
    assert isinstance(cell, Move)
    to = SHORT[cell.to] + (f"/{SHORT[cell.unlatched]}" if cell.unlatched else "")
    return f"{to} +1" if cell.again else to


@pytest.mark.parametrize(("state", "trigger", "expected"), expectations())
def test_each_cell_of_the_table_is_as_written(state: State, trigger: Trigger, expected: str) -> None:
    assert written(TABLE[state, trigger]) == expected


def test_the_table_and_the_expectations_have_a_cell_for_every_state_and_trigger() -> None:
    everything = set(itertools.product(State, Trigger))
    assert set(TABLE) == everything
    assert {(state, trigger) for state, trigger, _ in expectations()} == everything


@pytest.mark.parametrize("state", list(State))
def test_turning_true_follows_the_table_in_every_state(state: State) -> None:
    alarm = standing("GT-1.high", state=state, acknowledged_by="li", returned_at=5)
    after = raised(alarm, 7, silent=False)
    if state.active:
        assert after is None
    else:
        assert after is not None
        assert (after.state, after.annunciation, after.acknowledged_by, after.returned_at) == (AU, 2, None, None)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("latches", [True, False])
def test_returning_follows_the_table_in_every_state(state: State, latches: bool) -> None:
    after = returned(standing("GT-1.high", state=state, value_lost=True, over_range=True), 9, latches=latches)
    if not state.active:
        assert after is None
    else:
        assert after is not None
        goals = {(AU, True): LU, (AU, False): RU, (AA, True): LA, (AA, False): N}
        assert after.state is goals[state, latches]
        assert (after.returned_at, after.value_lost, after.over_range) == (9, False, False)


@pytest.mark.parametrize("state", list(State))
def test_losing_the_value_voids_the_acknowledgement_and_is_at_least_orange(state: State) -> None:
    after = lost(standing("GT-1.high", state=state, tier=Tier.YELLOW, acknowledged_by="li", acknowledged_at=3))
    if not state.active:
        assert after is None
    else:
        assert after is not None
        assert (after.state, after.tier, after.annunciation, after.acknowledged_by) == (AU, Tier.ORANGE, 2, None)
        assert lost(after) is None


def test_losing_the_value_never_lowers_the_tier() -> None:
    after = lost(standing("GT-1.high_high", state=AU, tier=Tier.RED))
    assert after is not None
    assert after.tier is Tier.RED


@pytest.mark.parametrize("state", list(State))
def test_only_an_acknowledged_active_alarm_has_an_acknowledgement_to_lose(state: State) -> None:
    after = voided(standing("GT-1.high", state=state, acknowledged_by="li", acknowledged_at=3))
    assert (after is not None) == (state is AA)


def test_a_risen_tier_is_told_anew_acknowledged_or_not() -> None:
    """The outbox knows a message by its annunciation: without a new one the worse tier's chain would say nothing."""
    for state in (AU, AA):
        after = promoted(standing("GT-1.stale", state=state, tier=Tier.YELLOW), Tier.ORANGE)
        assert (after.state, after.tier, after.annunciation) == (AU, Tier.ORANGE, 2)


@pytest.mark.parametrize("state", list(State))
def test_only_a_latched_acknowledged_alarm_is_reset(state: State) -> None:
    assert reset(standing("GT-1.high", state=state)).state is (N if state is LA else state)


@pytest.mark.parametrize("condition", sorted(ONE_SHOT))
def test_a_one_shot_condition_is_over_once_acknowledged(condition: Condition) -> None:
    after = acknowledged(standing(f"gw-1.{condition}", state=AU), "li", 5)
    assert (after.state, after.acknowledged_by, after.acknowledged_at) == (N, "li", 5)


def test_what_nobody_needs_to_answer_is_raised_acknowledged() -> None:
    after = raised(standing("TT-1.high", state=N), 5, silent=True)
    assert after is not None
    assert (after.state, after.acknowledged_by, after.acknowledged_at) == (AA, AUTO, 5)


@pytest.mark.parametrize("state", [RU, LU, LA])
def test_what_came_again_must_be_answered_even_if_it_was_silent_at_first(state: State) -> None:
    after = raised(standing("TT-1.high", state=state), 5, silent=True)
    assert after is not None
    assert (after.state, after.acknowledged_by) == (AU, None)


@pytest.mark.parametrize("condition", sorted(LIMIT_CONDITIONS))
def test_limits_latch_where_the_sensor_does_and_blue_never(condition: Condition) -> None:
    assert latching(condition, Tier.ORANGE, configured=True)
    assert not latching(condition, Tier.ORANGE, configured=False)
    assert not latching(condition, Tier.BLUE, configured=True)


@pytest.mark.parametrize("condition", [Condition.STALE, Condition.OFFLINE, Condition.BROKER_LOST, Condition.RISE, Condition.PREDICTED_HIGH])
def test_health_gateway_and_rate_conditions_never_latch(condition: Condition) -> None:
    assert not latching(condition, Tier.ORANGE, configured=True)
