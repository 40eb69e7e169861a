"""The second connection to the broker: a clean session at QoS 0 that stands by.

What must not stand in the first session's line is heard here: what devices say while the record is stuck, what the
broker says of itself, what lies retained. It keeps nothing, so nothing is lost with it, and a broker that ends it for a
subscription it does not permit leaves the first one alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping

from adapters.mqtt import BrokerSettings, Handlers, Link, LinkState, Presence, Publication

log = logging.getLogger("hazgate.broker")
TRIES = 2
"""Connections that ended without an answer to one subscription, after which it is not asked for again."""


class Sideline:
    """One more connection, as `hazgate-{gateway}-watch`. On the loop's thread; handlers are set before `start`."""

    def __init__(self, settings: BrokerSettings, gateway: str, echo_topic: str) -> None:
        """`echo_topic`: what the gateway sends to itself comes here too."""
        self._echo_topic = echo_topic
        self._link = Link(settings, Presence(f"hazgate-{gateway}-watch", {echo_topic: 0}, kept=False), Handlers(self._message, self._state))
        self._wanted: dict[str, Mapping[str, int]] = {}
        self._refused: dict[str, Callable[[], None]] = {}
        self._unanswered: set[str] = set()
        self._ended_on: Counter[str] = Counter()
        self._of_topic: dict[str, Callable[[bytes, bool], None]] = {}
        self.on_message: Callable[[str, bytes], None] = lambda _topic, _payload: None
        """Told of what no topic's own handler takes and was not retained."""
        self.on_retained: Callable[[str, bytes], None] = lambda _topic, _payload: None
        """The same for what was retained."""
        self.on_state: Callable[[LinkState], None] = lambda _state: None

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self._link.state is LinkState.UP

    async def start(self) -> None:
        """Begin to connect, and keep at it."""
        await self._link.start()

    async def stop(self) -> None:
        """Go."""
        await self._link.stop()

    def hear(self, topic: str, handler: Callable[[bytes, bool], None], refused: Callable[[], None] = lambda: None) -> None:
        """Hear one topic on every connection: `handler(payload, retained)`. `refused`: the broker does not let us."""
        self._of_topic[topic] = handler
        self._refused[topic] = refused
        if topic != self._echo_topic:
            self.listen(topic, {topic: 0})

    def listen(self, name: str, filters: Mapping[str, int]) -> None:
        """Hear these topics, at QoS 0, on every connection until `unlisten(name)`."""
        self._wanted[name] = dict.fromkeys(filters, 0)
        self._ended_on.pop(name, None)
        self._ask(name)

    def unlisten(self, name: str) -> None:
        """Hear them no more."""
        filters = self._wanted.pop(name, None)
        if filters is not None:
            self._link.unsubscribe(list(filters))

    def send(self, payload: bytes) -> None:
        """Send something to ourselves, over both sessions. At QoS 1: it then stands in the first one's line behind everything before it."""
        if self.up:
            self._link.publish(Publication(self._echo_topic, payload))

    def hold_off(self, seconds: float) -> None:
        """Once the connection is lost, do not connect before that time has passed."""
        self._link.hold_off(seconds)

    def _ask(self, name: str) -> None:
        if not self.up or self._ended_on[name] >= TRIES:
            return

        def answered(refused: list[str]) -> None:
            self._unanswered.discard(name)
            self._ended_on.pop(name, None)
            if refused:
                log.warning("the broker refuses the second connection the subscription to %s", ", ".join(refused))
                self._refused.get(name, lambda: None)()

        self._unanswered.add(name)
        self._link.subscribe(self._wanted[name], answered)

    def _message(self, topic: str, payload: bytes, retained: bool, _token: int) -> None:
        handler = self._of_topic.get(topic)
        if handler is not None:
            handler(payload, retained)
        elif retained:
            self.on_retained(topic, payload)
        else:
            self.on_message(topic, payload)

    def _state(self, state: LinkState, reason: str) -> None:
        log.info("second connection to the broker %s%s", state, f": {reason}" if reason else "")
        for name in self._unanswered:
            self._ended_on[name] += 1
            if self._ended_on[name] == TRIES:
                log.warning("the broker ends the second connection when it is asked for %s; it is asked no more", name)
                self._refused.get(name, lambda: None)()
        self._unanswered.clear()
        if state is LinkState.UP:
            for name in self._wanted:
                self._ask(name)
        self.on_state(state)
