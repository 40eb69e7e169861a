"""Replay judges as the running gateway does, whatever the recording, and however it is cut."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.live import live_events
from support.sites import T0, sensor, site

from adapters.codecs.alarm_json import event_bytes
from adapters.codecs.rows import JsonLines
from alerts.bulk import Rows
from alerts.reading import MILLISECOND, SECOND
from alerts.replay import Replay, Tally
from alerts.site import Site

SITE = site(
    sensor("GT-1"),
    sensor("GT-2", stale="10s", on_delay="3s", latch=False),
    sensor("PT-1", kind="pressure", gas=None, unit="MPa", range=[0, 2], limits={"low": 0.2, "high": 1.6}, deadband=0.1, device="rtu-2", latch=False, tiers={}),
    sensor("GT-4", device="rtu-3", commissioned=None),
)
STRICT = site(*(each.model_dump(mode="json", exclude_unset=True) for each in SITE.sensors), devices=[{"id": "rtu-1", "unit": "required"}])
DEVICE = {"GT-1": "rtu-1", "GT-2": "rtu-1", "PT-1": "rtu-2", "GT-4": "rtu-3", "GT-9": "rtu-1"}


@st.composite
def recordings(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows with everything that goes wrong: gaps, repeats, disorder, wrong clocks, no values, other units, strangers."""
    arrival = T0 // MILLISECOND
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 60))):
        arrival += draw(st.sampled_from([1, 1, 500, 1000, 1000, 1000, 3000, 9000, 40_000, 4_000_000]))
        name = draw(st.sampled_from(["GT-1", "GT-1", "GT-2", "GT-2", "PT-1", "GT-4", "GT-9"]))
        stamp = arrival - draw(st.sampled_from([0, 0, 0, 0, 0, 800, 2500, 50_000, 100_000, -30_000, 28_800_000, -28_800_000]))
        if rows and draw(st.integers(0, 9)) == 0:
            stamp = rows[-1]["time"]
        row: dict[str, Any] = {
            "time": stamp,
            "sensor": name,
            "value": draw(st.sampled_from([1.0, 1.0, 1.0, 1.5, 24.0, 30.0, 60.0, 100.0, -50.0, math.nan])),
            "quality": draw(st.sampled_from(["good", "good", "good", "good", "uncertain", "bad", "calibrating"])),
            "device": draw(st.sampled_from([DEVICE[name]] * 9 + ["rtu-2"])),
            "arrival": arrival,
        }
        unit = draw(st.sampled_from([None, None, None, "%LEL", "kPa", "MPa"]))
        rows.append(row | ({"unit": unit} if unit else {}) | ({"historical": True} if draw(st.integers(0, 19)) == 0 else {}))
    return rows


def replayed(where: Site, rows: list[dict[str, Any]], cuts: tuple[int, ...] = ()) -> tuple[list[bytes], Tally]:
    """The events of a recording that is fed in these stretches."""
    lines = [json.dumps(row).encode() for row in rows]
    reader, driver = JsonLines(lines[0]), Replay(where)
    events: list[bytes] = []
    for begin, end in pairwise([0, *sorted(cuts), len(lines)]):
        parsed = reader.read(lines[begin:end])
        assert parsed.unreadable == []
        events += [event_bytes(event, where) for event in driver.feed(parsed.rows)]
    return [*events, *(event_bytes(event, where) for event in driver.end())], driver.tally


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings())
def test_live_and_replay_find_the_same_events_byte_for_byte(rows: list[dict[str, Any]]) -> None:
    assert replayed(SITE, rows)[0] == live_events(SITE, rows)


def test_calm_readings_without_the_unit_they_had_to_say_are_doubted_and_an_export_is_not() -> None:
    """What was exported is in the units of the site file, whether or not a column says so."""
    rows = [{"time": T0 // MILLISECOND + 1000 * n, "sensor": "GT-1", "value": 1.0} for n in range(8)]
    sent = [row | {"device": "rtu-1", "arrival": row["time"]} for row in rows]
    assert replayed(STRICT, rows)[0] == []
    assert replayed(STRICT, [row | {"unit": "%LEL"} for row in sent])[0] == []
    events = replayed(STRICT, sent)[0]
    assert [json.loads(event)["alarm"] for event in events] == ["rtu-1.suspect_data"]
    assert events == live_events(STRICT, sent)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings(), st.sets(st.integers(1, 59)))
def test_a_device_that_has_to_say_its_unit_is_doubted_in_replay_as_it_is_live(rows: list[dict[str, Any]], cuts: set[int]) -> None:
    assert replayed(STRICT, rows, tuple(cut for cut in cuts if cut < len(rows)))[0] == live_events(STRICT, rows)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings(), st.sets(st.integers(1, 59)))
def test_events_and_counts_do_not_depend_on_how_the_recording_is_cut(rows: list[dict[str, Any]], cuts: set[int]) -> None:
    whole = replayed(SITE, rows)
    assert replayed(SITE, rows, tuple(cut for cut in cuts if cut < len(rows))) == whole
    assert replayed(SITE, rows, tuple(range(1, len(rows)))) == whole


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recordings())
def test_every_row_is_judged_or_set_aside_with_a_reason(rows: list[dict[str, Any]]) -> None:
    tally = replayed(SITE, rows)[1]
    assert tally.read == len(rows) == tally.judged + tally.aside.total()
    assert tally.late <= tally.judged
    assert set(tally.aside) <= {"duplicate", "unknown_sensor", "wrong_device", "wrong_quantity"}


def calm_then_leak(seconds: int) -> list[dict[str, Any]]:
    """Two devices at 1 Hz, noise, and a leak at GT-1 that rises in the last minute."""
    rng = np.random.default_rng(7)
    rows = []
    for second in range(seconds):
        leak = max(0.0, second - (seconds - 60))
        for place, (name, base) in enumerate([("GT-1", 3.0 + leak), ("GT-2", 2.0), ("PT-1", 1.0), ("GT-4", 4.0)]):
            stamp = T0 // MILLISECOND + second * 1000 + place
            rows.append({"time": stamp, "sensor": name, "value": round(base + float(rng.normal(0, 0.05)), 3), "device": DEVICE[name], "arrival": stamp + place})
    return rows


def test_long_calm_stretches_are_judged_as_the_gateway_judges_them() -> None:
    """The short way for calm readings is taken, and leaves behind what the long way leaves."""
    rows = calm_then_leak(600)
    taken = []

    class Watched(Replay):
        def _pace(self, size: int, calm: int) -> None:
            taken.append(calm)
            super()._pace(size, calm)

    driver = Watched(SITE)
    parsed = JsonLines(json.dumps(rows[0]).encode()).read([json.dumps(row).encode() for row in rows])
    events = [event_bytes(event, SITE) for event in [*driver.feed(parsed.rows), *driver.end()]]
    assert events == live_events(SITE, rows)
    assert sum(taken) > 0.8 * len(rows)
    assert {"GT-1.high", "GT-1.high_high"} <= {json.loads(event)["alarm"] for event in events}


def rows_of(*facts: tuple[str, float, float]) -> Rows:
    """(sensor, seconds after T0, value)."""
    times = np.array([T0 + round(at * SECOND) for _, at, _ in facts], np.int64)
    return Rows([name for name, _, _ in facts], times, np.array([value for *_, value in facts]), np.zeros(len(facts), np.uint8))


def test_deadlines_in_a_gap_pass_at_their_own_moments() -> None:
    """A sensor that is silent for an hour was stale after 30 s, not after the hour."""
    events = Replay(site(sensor("GT-1"))).feed(rows_of(("GT-1", 0, 1), ("GT-1", 1, 1), ("GT-1", 3601, 1)))
    assert [(event.alarm.id, event.kind.value, (event.recorded_at - T0) / SECOND) for event in events] == [
        ("GT-1.stale", "raise", 31),
        ("GT-1.stale", "return", 3601),
    ]


def test_without_arrivals_virtual_time_is_the_largest_stamp_and_what_lies_behind_it_is_late() -> None:
    driver = Replay(site(sensor("GT-1"), sensor("GT-2", device="rtu-2")))
    driver.feed(rows_of(*(("GT-1", at, 1) for at in range(600)), *(("GT-2", at, 1) for at in range(600))))
    assert driver.tally.until == T0 + 599 * SECOND
    assert driver.tally.judged == 1200
    assert driver.tally.late > 500


def test_rows_of_another_site_are_set_aside() -> None:
    rows = rows_of(("GT-1", 0, 60), ("GT-1", 1, 60))
    driver = Replay(site(sensor("GT-1")))
    assert driver.feed(Rows(rows.sensor, rows.time, rows.value, rows.quality, site=["south", "south"])) == []
    assert driver.tally.aside == {"unknown_sensor": 2}


def test_a_catch_up_that_was_sent_as_one_is_one_message_however_it_is_cut() -> None:
    now = T0 // MILLISECOND
    row = {"sensor": "GT-1", "device": "rtu-1", "arrival": now + 5000, "historical": True}
    rows = [{"time": now, "sensor": "GT-1", "value": 1.0, "device": "rtu-1", "arrival": now}]
    rows += [row | {"time": now - 9000 + 1000 * n, "value": value} for n, value in enumerate([30.0, 60.0, 20.0])]
    whole = replayed(SITE, rows)
    assert [(event["event"], event["tier"], event["peak"]) for event in map(json.loads, whole[0])] == [("raise", "orange", 60.0)]
    assert replayed(SITE, rows, (1, 2, 3)) == whole
