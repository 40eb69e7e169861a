"""How far the incident has come, from what can be seen from outside."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from alerts.alarm import LIMIT_CONDITIONS, EventKind, State
from gateway.demo.heard import AlarmEvent, Told, instant


class Stage(StrEnum):
    """The incident from beginning to end."""

    QUIET = "quiet"
    LEAK = "leak"
    DETECTED = "detected"
    TOLD = "told"
    ACKNOWLEDGED = "acknowledged"
    ISOLATED = "isolated"
    RETURNED = "returned"
    RESET = "reset"
    OVER = "over"


PHASES: Final = frozenset({Stage.QUIET, Stage.LEAK, Stage.ISOLATED})
"""Stages that the plant reaches; the simulator's phases have the same names. The others are the gateway's and the officer's."""


class Incident:
    """`reached` says when each stage was reached for the first time, ns. A limit alarm is one of a gas, a pressure …, not of a sick sensor."""

    def __init__(self) -> None:
        self.reached: dict[Stage, int] = {}
        self._standing: dict[str, State] = {}

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
        if name in PHASES:
            self._reach(Stage(name), at)

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
            case EventKind.RAISE:
                self._reach(Stage.DETECTED, at)
            case EventKind.ACKNOWLEDGE:
                self._reach(Stage.ACKNOWLEDGED, at)
            case EventKind.RESET:
                self._reach(Stage.RESET, at)
        if not any(state.active for state in self._standing.values()):
            self._reach(Stage.RETURNED, at)
        if all(state is State.NORMAL for state in self._standing.values()):
            self._reach(Stage.OVER, at)

    def _reach(self, stage: Stage, at: int) -> None:
        self.reached.setdefault(stage, at)
