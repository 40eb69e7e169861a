"""Retained alarm topics that no longer tell the truth: left by an earlier run with other files, or brought back by a broker that went back in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from adapters.codecs.alarm_json import retained_sequence
from adapters.journal import Outgoing
from gateway.sideline import Sideline

log = logging.getLogger("hazgate.broker")
COLLECT = 2.0
"""Seconds for a broker to send what it retains, once it is asked."""
NAME = "leftovers"


class Leftovers:
    """Compares what the broker retains with what stands, each time the broker is there again. On the loop's thread."""

    def __init__(self, sideline: Sideline, filters: Iterable[str], standing: Callable[[], Iterable[Outgoing]], publish: Callable[[str, bytes], None]) -> None:
        """filters: our own alarm topics. standing(): the topics as they should be. publish(topic, payload): sends retained."""
        self._sideline = sideline
        self._filters = dict.fromkeys(filters, 0)
        self._ours = tuple(name.removesuffix("+") for name in self._filters)
        self._standing = standing
        self._publish = publish
        self._found: dict[str, bytes] = {}
        self._stood: dict[str, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def look(self) -> None:
        """Ask for everything that is retained, and set it right once it is here."""
        self.stop()
        self._found.clear()
        self._stood = {outgoing.target: outgoing.number for outgoing in self._standing()}
        self._sideline.listen(NAME, self._filters)
        self._timer = asyncio.get_running_loop().call_later(COLLECT, self._compare)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def found(self, topic: str, payload: bytes) -> None:
        """The broker retains this. What is no alarm topic of ours (a device's status, say) is not ours to touch."""
        if self._timer is not None and payload and topic.startswith(self._ours):
            self._found[topic] = payload

    def _compare(self) -> None:
        self._timer = None
        if not self._sideline.up:
            return
        self._sideline.unlisten(NAME)
        wanted = {outgoing.target: outgoing for outgoing in self._standing()}
        gone = [topic for topic in self._found if topic not in wanted]
        for topic in gone:
            self._publish(topic, b"")
        # what changed since was published after the broker was asked
        same = [outgoing for topic, outgoing in wanted.items() if self._stood.get(topic) == outgoing.number]
        stale = [outgoing for outgoing in same if retained_sequence(self._found.get(outgoing.target, b"")) != outgoing.number]
        for outgoing in stale:
            self._publish(outgoing.target, outgoing.body)
        if gone or stale:
            log.warning("the broker retained %d alarms that do not stand, and lacked %d that do: set right", len(gone), len(stale))
