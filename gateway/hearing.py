"""Whether anybody can be heard at all: what a broker that is away, back, or there and says nothing, means for the silence of sensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from adapters.mqtt import LinkState
from alerts.alarm import Condition
from alerts.detect.engine import Engine
from alerts.ports import Clock
from gateway.selfwatch import GRACE, SelfWatch

UNHEARD: Final = "connected and subscribed, but no device is heard: see the access list of the broker, and the network of the devices"


class Hearing:
    """While the broker is away, or gives nothing, every silence is listed under `broker_lost`; after that, whoever stays silent is told as its own."""

    def __init__(self, gateway: str, engine: Engine, watch: SelfWatch, clock: Clock, arm: Callable[[], None]) -> None:
        """`arm` sets the timer for deadlines that moved. Until the first `link_is(UP)` nobody is heard."""
        self._cause = f"{gateway}.{Condition.BROKER_LOST}"
        self._silence = engine.silence
        self._silence.broker = self._cause
        self._watch = watch
        self._clock = clock
        self._arm = arm
        self._subscribed: int | None = None
        self._away: str | None = None
        self._denied: tuple[str, ...] = ()
        self._unheard = False

    def link_is(self, state: LinkState, reason: str = "", denied: Sequence[str] = ()) -> None:
        """The link to the broker changed, or (anything but UP, at start) is not there yet. Silence counts from the first subscription on.

        `reason`: why it is not UP, in words. denied: topic filters that the broker does not let us hear.
        """
        silence, now = self._silence, self._clock.now()
        self._denied = tuple(denied)
        if state is not LinkState.UP:
            self._away = self._away or reason  # the first reason says more than that of each attempt to connect
            silence.cause = self._cause
        else:
            self._away = None
            if self._subscribed is None:
                self._subscribed = now
                silence.subscribed(now)
            if silence.cause is not None and not silence.unheard:
                silence.cause_over(now)
            self._arm()
        self._say()

    def look(self) -> None:
        """After a turn: nobody may be heard any more, or somebody again."""
        if self._unheard is not self._silence.unheard:
            self._unheard = self._silence.unheard
            self._say()

    def _say(self) -> None:
        if self._away is not None:
            self._watch.broken(Condition.BROKER_LOST, GRACE, [self._away] if self._away else [])
        elif self._unheard:
            self._watch.broken(Condition.BROKER_LOST, 0, [UNHEARD])
        elif self._denied:
            self._watch.broken(Condition.BROKER_LOST, 0, [f"the broker refuses the subscription to {', '.join(self._denied)}: see its access list"])
        else:
            self._watch.works(Condition.BROKER_LOST)
