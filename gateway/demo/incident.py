"""How far the incident has come, from what can be seen from outside."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

from alerts.alarm import LIMIT_CONDITIONS, EventKind, State
from gateway.demo.heard import AlarmEvent, Told, instant


class Stage(Enum):
    """The incident from beginning to end. The plant reaches the stages of PLANT, the gateway and the officer reach the others."""

    QUIET = "quiet"
    TROUBLE = "trouble"
    DETECTED = "detected"
    TOLD = "told"
    ACKNOWLEDGED = "acknowledged"
    REMEDY = "remedy"
    RETURNED = "returned"
    RESET = "reset"
    OVER = "over"


PLANT: Final = (Stage.QUIET, Stage.TROUBLE, Stage.REMEDY)
"""Reached by the first three phases of the scenario, under whose names they are shown."""
AFTERWARDS: Final = (Stage.RETURNED, Stage.RESET, Stage.OVER)
"""Stages of which none is reached any more once another alarm is raised."""


class Incident:
    """`reached` says when each stage was reached, ns. A limit alarm is one of a gas, a pressure …, not of a sick sensor.

    names: of the scenario's stages, in order. A scenario with fewer than three phases has no remedy.
    """

    def __init__(self, phases: Sequence[str]) -> None:
        """`phases`: of the scenario's plant, by name."""
        self._phases = dict(zip(phases, PLANT, strict=False))
        called = {stage: name for name, stage in self._phases.items()}
        self.names = {stage: called.get(stage, stage.value) for stage in Stage if stage in called or stage not in PLANT}
        self.reached: dict[Stage, int] = {}
        self._standing: dict[str, State] = {}
        self._was_reset = False

    @property
    def began(self) -> int | None:
        """When the site came to life, ns."""
        return self.reached.get(Stage.QUIET)

    @property
    def over(self) -> bool:
        """Whether everything that was raised has ended."""
        return Stage.OVER in self.reached

    @property
    def stage(self) -> Stage | None:
        """The last stage reached, in the order of the incident; None before the site came to life."""
        return next((stage for stage in reversed(Stage) if stage in self.reached), None)

    def phase(self, name: str, at: int) -> None:
        """The simulator has said that a phase begins."""
        if name in self._phases:
            self._reach(self._phases[name], at)

    def told(self, told: Told) -> None:
        """A person was told."""
        if told.notice.condition in LIMIT_CONDITIONS:
            self._reach(Stage.TOLD, told.at)

    def event(self, event: AlarmEvent) -> None:
        """An alarm event was heard."""
        if event.condition not in LIMIT_CONDITIONS:
            return
        at = instant(event.recorded_at)
        self._standing[event.alarm] = event.to
        match event.event:
            case EventKind.RAISE | EventKind.RE_RAISE:
                self._reach(Stage.DETECTED, at)
                for stage in AFTERWARDS:
                    self.reached.pop(stage, None)
            case EventKind.ACKNOWLEDGE:
                self._reach(Stage.ACKNOWLEDGED, at)
            case EventKind.RESET:
                self._was_reset = True
        self._end(event.event, at)

    def _end(self, last: EventKind, at: int) -> None:
        """How far the end has come: no stage of it while an alarm is active, so that one family that was reset early skips no stage of another."""
        states = self._standing.values()
        if any(state.active for state in states):
            return
        self._reach(Stage.RETURNED, at)
        if last is EventKind.RESET or (self._was_reset and not any(state.latched for state in states)):
            self._reach(Stage.RESET, at)
        if all(state is State.NORMAL for state in states):
            self._reach(Stage.OVER, at)

    def _reach(self, stage: Stage, at: int) -> None:
        self.reached.setdefault(stage, at)
