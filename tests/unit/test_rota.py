"""Who is on duty: shifts by the site's wall clock, in every night of the year."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.chasing import ALL_DAY, ROTA, build_site, with_rota

from alerts.alarm import Role
from alerts.reading import SECOND
from alerts.rota import Gap, Roster

BERLIN = "Europe/Berlin"
HOUR = 3600 * SECOND
DAY = 24 * HOUR


def at(text: str, timezone: str = BERLIN, *, fold: int = 0) -> int:
    """The instant of a wall-clock time, ns; `fold` 1 is the second showing of a repeated hour."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold).timestamp()) * SECOND


def shift(person: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"people": [person], "from": start, "to": end, **more}


def officers(*shifts: dict[str, Any], timezone: str = BERLIN) -> Roster:
    return Roster(build_site(timezone, rota=with_rota(officer=shifts)))


def on_duty(roster: Roster, when: int) -> tuple[str, ...]:
    return roster.on_duty(Role.OFFICER, when)


@pytest.mark.parametrize(("start", "end"), [("00:00", "24:00"), ("00:00", "00:00"), ("07:30", "07:30")])
def test_a_shift_of_a_whole_day_leaves_no_gap(start: str, end: str) -> None:
    roster = officers(shift("li", start, end))
    assert [gap for gap in roster.gaps(at("2025-01-01"), at("2026-01-01")) if gap.role is Role.OFFICER] == []


def test_a_shift_holds_from_its_first_instant_until_just_before_its_end() -> None:
    roster = officers(shift("li", "06:00", "14:00"))
    duty = [on_duty(roster, at("2025-06-03T06:00") + ns) for ns in (-1, 0, 8 * HOUR - 1, 8 * HOUR)]
    assert duty == [(), ("li",), ("li",), ()]


def test_a_shift_across_midnight_belongs_to_the_day_it_begins_on() -> None:
    """Friday's night shift is on duty early on Saturday, and nobody is on Friday morning."""
    roster = officers(shift("li", "22:00", "06:00", days=["fri"]))
    times = ("2025-06-06T05:59", "2025-06-06T22:00", "2025-06-07T05:59", "2025-06-07T06:00", "2025-06-07T22:00")
    assert [on_duty(roster, at(time)) for time in times] == [(), ("li",), ("li",), (), ()]


def test_the_first_shift_in_file_order_that_runs_is_the_one() -> None:
    roster = officers(shift("wang", "12:00", "13:00"), shift("li", "00:00", "24:00"))
    assert [on_duty(roster, at(f"2025-06-03T{time}")) for time in ("11:59", "12:30", "13:00")] == [("li",), ("wang",), ("li",)]


def test_shifts_follow_the_wall_clock_when_clocks_go_forward() -> None:
    """30 March 2025: 02:00 becomes 03:00; the early shift still begins when clocks show 06:00, an hour sooner in elapsed time."""
    roster = officers(shift("li", "22:00", "06:00"), shift("wang", "06:00", "22:00"))
    begin, end = at("2025-03-29T22:00"), at("2025-03-30T06:00")
    assert end - begin == 7 * HOUR
    assert [on_duty(roster, when) for when in (begin, end - 1, end)] == [("li",), ("li",), ("wang",)]


def test_shifts_follow_the_wall_clock_when_clocks_go_back() -> None:
    """26 October 2025: 03:00 becomes 02:00; the night shift is nine hours long and leaves no gap."""
    roster = officers(shift("li", "22:00", "06:00"), shift("wang", "06:00", "22:00"))
    begin, end = at("2025-10-25T22:00"), at("2025-10-26T06:00")
    assert end - begin == 9 * HOUR
    assert [on_duty(roster, when) for when in (begin, at("2025-10-26T02:30", fold=1), end - 1, end)] == [("li",), ("li",), ("li",), ("wang",)]


def test_a_change_of_shift_in_the_hour_that_is_skipped_happens_at_the_jump() -> None:
    roster = officers(shift("li", "22:00", "02:30"), shift("wang", "02:30", "22:00"))
    jump = at("2025-03-30T03:00")
    assert [on_duty(roster, when) for when in (jump - 1, jump)] == [("li",), ("wang",)]


def test_a_change_of_shift_in_the_hour_that_is_repeated_happens_once() -> None:
    """After the first 02:30 the second 02:15 does not bring the night shift back."""
    roster = officers(shift("li", "22:00", "02:30"), shift("wang", "02:30", "22:00"))
    change = at("2025-10-26T02:30", fold=0)
    assert [on_duty(roster, when) for when in (change - 1, change, at("2025-10-26T02:15", fold=1))] == [("li",), ("wang",), ("wang",)]


def test_a_site_without_daylight_saving_keeps_one_offset_all_year() -> None:
    roster = officers(shift("li", "06:00", "14:00"), timezone="Asia/Shanghai")
    for day in ("2025-03-30", "2025-10-26"):
        assert on_duty(roster, at(f"{day}T06:00", "UTC") - 8 * HOUR) == ("li",)
        assert on_duty(roster, at(f"{day}T06:00", "UTC") - 8 * HOUR - 1) == ()


@given(
    timezone=st.sampled_from([BERLIN, "Asia/Shanghai", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "Pacific/Apia"]),
    changes=st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=4, unique=True),
    when=st.integers(at("2010-01-01", "UTC") // SECOND, at("2026-01-01", "UTC") // SECOND),
)
def test_shifts_that_meet_on_paper_have_exactly_one_on_duty_at_any_instant(timezone: str, changes: list[int], when: int) -> None:
    """Whatever the clocks do, a day divided into shifts is divided at every instant: no gap, no overlap."""
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in sorted(changes)]
    shifts = [shift("li", start, end) for start, end in zip(times, [*times[1:], times[0]], strict=True)]
    running = [one for one in shifts if on_duty(officers(one, timezone=timezone), when * SECOND)]
    assert len(running) == 1


def test_a_role_without_a_rota_is_on_duty_in_all_its_holders() -> None:
    assert Roster(build_site()).on_duty(Role.MANAGER, at("2025-06-03")) == ("an", "bo")


def test_people_of_a_step_are_named_in_its_order_and_once() -> None:
    roster = Roster(build_site())
    assert roster.people(["leader", "li", "officer", "an", "nobody"], at("2025-06-03")) == ("wang", "li", "an")


def test_a_person_named_by_id_is_told_off_duty_too() -> None:
    roster = officers(shift("li", "06:00", "07:00"))
    assert roster.people(["officer"], at("2025-06-03T12:00")) == ()
    assert roster.people(["officer", "li"], at("2025-06-03T12:00")) == ("li",)


def test_gaps_are_found_to_the_instant_and_cut_to_what_was_asked() -> None:
    roster = officers(shift("li", "06:00", "14:00"), shift("wang", "13:00", "22:00"))
    since, until = at("2025-06-03T00:00"), at("2025-06-04T07:00")
    night = Gap(Role.OFFICER, at("2025-06-03T22:00"), at("2025-06-04T06:00"))
    assert roster.gaps(since, until) == [Gap(Role.OFFICER, since, at("2025-06-03T06:00")), night]


def test_gaps_agree_with_who_is_on_duty_over_both_changes_of_the_clocks() -> None:
    roster = officers(shift("li", "06:00", "02:15", days=["sat", "sun"]), shift("wang", "02:45", "06:00", days=["sun"]))
    for day in ("2025-03-29", "2025-10-25"):
        since = at(f"{day}T00:00")
        gaps = [gap for gap in roster.gaps(since, since + 3 * DAY) if gap.role is Role.OFFICER]
        for when in range(since, since + 3 * DAY, 15 * 60 * SECOND):
            assert any(gap.since <= when < gap.until for gap in gaps) == (on_duty(roster, when) == ())


def test_a_role_that_is_to_be_told_and_that_nobody_holds_is_one_gap() -> None:
    roster = Roster(build_site(last_resort={"tell": ["engineer"]}))
    assert roster.gaps(5, 9) == [Gap(Role.ENGINEER, 5, 9)]


def test_several_rotas_of_one_role_are_read_as_one() -> None:
    more = {"role": "officer", "shifts": [shift("wang", "14:00", "06:00")]}
    roster = Roster(build_site(BERLIN, rota=[{"role": "officer", "shifts": [shift("li", "06:00", "14:00")]}, more, ROTA[1]]))
    assert [on_duty(roster, at(f"2025-06-03T{time}")) for time in ("13:00", "15:00")] == [("li",), ("wang",)]
    assert roster.gaps(at("2025-06-01"), at("2025-07-01")) == []


def test_everybody_on_a_shift_is_on_duty() -> None:
    assert on_duty(officers({"people": ["li", "wang"], **ALL_DAY}), at("2025-06-03")) == ("li", "wang")
