"""The gateway's clock, and every deadline that goes by it, while the system's clock steps, drifts and is set back."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from support.sites import ESCALATION, T0, sensor, site
from support.sites import raw as reading

from adapters import clock
from adapters.clock import SLEW, STEP, SystemClock
from alerts.admit import Admission, Way
from alerts.alarm import Event, EventKind, NoticeKind, Verb
from alerts.book import Book
from alerts.command import Command, Numbers
from alerts.detect.engine import Engine
from alerts.escalate import Chaser
from alerts.reading import MILLISECOND, SECOND
from alerts.register import Register
from alerts.rota import Roster

HOUR = 3600 * SECOND


@dataclass
class Machine:
    """What a machine's two clocks say: the monotonic one, and that of UTC, which may be set."""

    monotonic: int = 5 * HOUR
    utc: int = T0

    def passes(self, span: int) -> None:
        """Both go on."""
        self.monotonic += span
        self.utc += span


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic_ns=lambda: made.monotonic, time_ns=lambda: made.utc))
    return made


@pytest.mark.parametrize("step", [HOUR, -HOUR, 6 * SECOND, -6 * SECOND])
def test_a_step_is_reported_and_moves_nothing(step: int, machine: Machine) -> None:
    ours = SystemClock()
    machine.utc += step
    assert ours.now() == T0
    assert ours.follow() == step
    machine.passes(HOUR)
    assert ours.now() == T0 + HOUR
    assert ours.follow() == step


@pytest.mark.parametrize("offset", [STEP, -STEP, 4 * SECOND, -4 * SECOND])
def test_a_small_difference_is_taken_up_without_a_jump_and_never_backwards(offset: int, machine: Machine) -> None:
    ours = SystemClock()
    machine.utc += offset
    before = ours.now()
    for _ in range(1000):
        assert ours.follow() == 0
        for _ in range(10):
            machine.passes(SECOND)
            now = ours.now()
            assert abs(now - before - SECOND) <= SECOND * SLEW // 1_000_000 + 1
            before = now
    assert abs(ours.now() - machine.utc) < MILLISECOND


def test_a_clock_that_drifts_is_followed(machine: Machine) -> None:
    ours = SystemClock()
    for _ in range(360):
        machine.passes(10 * SECOND)
        machine.utc += MILLISECOND  # 100 millionths fast, as a cheap crystal
        ours.follow()
    assert abs(ours.now() - machine.utc) < 5 * MILLISECOND


class Watched:
    """A head with an on-delay of 10 s and a chain, on the gateway's own clock; when things came, in s of the monotonic one."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.clock = SystemClock()
        self.began = machine.monotonic
        chains = ESCALATION | {"red": ESCALATION["red"] | {"ack_expires": "90s"}}
        made = site(sensor("GT-1", on_delay="10s", stale="40s"), escalation=chains)
        register = Register([made])
        self.engine = Engine(register, self.clock.now())
        self.admission = Admission(register)
        self.book = Book(made, self.engine, Numbers(0))
        self.chaser = Chaser(made, Roster(made), {})
        self.came: dict[str, float] = {}

    @property
    def at(self) -> float:
        """Seconds since the beginning."""
        return (self.machine.monotonic - self.began) / SECOND

    def hears(self, value: float) -> None:
        """A device with a right clock says this."""
        self.admission.admit(("north", "rtu-1"), [reading("GT-1", value, (self.machine.utc - T0) / SECOND)], self.clock.now(), Way.LIVE)
        rows = self.admission.batch.take()
        assert rows is not None
        self._follow(self.book.edges(self.engine.judge(rows), self.clock.now()))

    def passes(self, seconds: float) -> None:
        """Time passes, looked at four times a second."""
        until = self.at + seconds
        while self.at < until:
            self.machine.passes(SECOND // 4)
            now = self.clock.now()
            self._follow(self.book.edges(self.engine.advance(now), now))
            self._follow(self.book.advance(now))

    def acknowledge(self) -> None:
        """The officer answers for the lead."""
        events = self.book.command(Command(Verb.ACKNOWLEDGE, "north", "li", alarm="GT-1.high_high"), self.clock.now())
        assert isinstance(events, list)
        self._follow(events)

    def _follow(self, events: list[Event]) -> None:
        now = self.clock.now()
        for event in events:
            self.came.setdefault(f"{event.alarm.id} {event.kind}", self.at)
        orders = [self.chaser.events(events, now), self.chaser.advance(now)]
        for notice in (notice for order in orders for notice in order.notices):
            self.came.setdefault(f"{notice.kind} {notice.person}", self.at)


@pytest.mark.parametrize("step", [0, HOUR, -HOUR, 4 * SECOND, -4 * SECOND], ids=["none", "forward", "back", "a little forward", "a little back"])
def test_no_deadline_moves_with_the_system_clock(step: int, machine: Machine) -> None:
    watched = Watched(machine)
    watched.hears(60)
    watched.passes(1)
    machine.utc += step
    watched.clock.follow()
    watched.passes(108)
    watched.acknowledge()
    watched.passes(100)
    came = watched.came
    assert came[f"GT-1.high_high {EventKind.RAISE}"] == pytest.approx(10, abs=0.5), "on-delay"
    assert came[f"GT-1.stale {EventKind.RAISE}"] == pytest.approx(40, abs=0.5), "silence"
    assert came[f"{NoticeKind.ESCALATE} wang"] == pytest.approx(70, abs=1), "the step 60 s after the alarm"
    assert came[f"GT-1.high_high {EventKind.EXPIRE}"] == pytest.approx(109 + 90, abs=1), "an acknowledgement that expires"


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_devices_whose_clocks_are_right_are_judged_at_arrival_after_the_gateways_was_set(step: int, machine: Machine) -> None:
    watched = Watched(machine)
    watched.hears(5)
    machine.utc += step
    watched.clock.follow()
    for _ in range(3):
        watched.passes(1)
        watched.hears(60)
    watched.passes(11)
    assert "GT-1.high_high raise" in watched.came
    assert [edge.condition for edge in watched.admission.edges] == ["clock_skew"]
