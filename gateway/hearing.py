"""Whether anybody can be heard at all: what a broker that is away, or back, means for the silence of sensors."""

from __future__ import annotations

from collections.abc import Callable

from adapters.mqtt import LinkState
from alerts.alarm import Condition
from alerts.detect.engine import Engine
from alerts.ports import Clock
from gateway.selfwatch import SelfWatch


class Hearing:
    """While the broker is away every silence is listed under `broker_lost`; when it is back, whoever stays silent is told as its own."""

    def __init__(self, gateway: str, engine: Engine, watch: SelfWatch, clock: Clock, arm: Callable[[], None]) -> None:
        """`arm` sets the timer for deadlines that moved. Until the first `link_is(UP)` nobody is heard."""
        self._cause = f"{gateway}.{Condition.BROKER_LOST}"
        self._engine = engine
        self._watch = watch
        self._clock = clock
        self._arm = arm
        self._subscribed: int | None = None

    def link_is(self, state: LinkState) -> None:
        """The link to the broker changed, or (anything but UP, at start) is not there yet. Silence counts from the first subscription on."""
        silence, now = self._engine.silence, self._clock.now()
        if state is not LinkState.UP:
            if silence.cause is None:
                silence.cause = self._cause
                self._watch.broken(Condition.BROKER_LOST)
            return
        self._watch.works(Condition.BROKER_LOST)
        if self._subscribed is None:
            self._subscribed = now
            silence.subscribed(now)
        if silence.cause is not None:
            silence.cause_over(now)
        self._arm()
