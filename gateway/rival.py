"""Somebody else with our name: another gateway with this id, or any client with our client id, on the same broker.

A broker lets one connection have a client id and ends the older one; of the two, each gets what the other then misses.
Three things show it: the broker says so (MQTT 5; mosquitto 2.0 does not), it ends the first connection while the second
lives on, or the gateway's status topic says that another one is there. Whoever is thrown out again and again stays away
longer and longer: two that throw each other out at once would both be deaf.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque

from adapters.codecs.status_json import decode_gateway_status
from adapters.mqtt import Ending, LinkState
from alerts.alarm import Condition
from gateway.brokering import Broker
from gateway.selfwatch import SelfWatch
from gateway.sideline import Sideline

log = logging.getLogger("hazgate.broker")
AWAY = (0.0, 15.0, 60.0)
"""Seconds to stay away after the first, the second and every further time within `MEMORY`; a little more or less by chance."""
MEMORY = 300.0
PROBE = 2.0
"""Seconds for a word to ourselves to come back over the second connection, which shows that the broker lives."""
QUIET = 180.0
"""Seconds connected without a sign of anybody, after which there is nobody any more: three times the longest stay away."""


class Rival:
    """Looks out for another one of our name. On the loop's thread."""

    def __init__(self, watch: SelfWatch, broker: Broker, sideline: Sideline, boot: str, since: int) -> None:
        """boot: the name of this start; since: when it was, ns."""
        self._watch = watch
        self._broker = broker
        self._sideline = sideline
        self._boot = boot
        self._since = since
        self._seen: deque[float] = deque()
        self._first = LinkState.CONNECTING
        self._losses = 0
        self._counted: int | None = None
        self._probe: bytes | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def near(self) -> bool:
        """Whether there was a sign of somebody lately."""
        return bool(self._seen) and asyncio.get_running_loop().time() - self._seen[-1] < QUIET

    async def start(self) -> None:
        """Look out; what an earlier run saw is over if nobody shows up."""
        self._wait_for_quiet()

    async def stop(self) -> None:
        """Look out no more."""
        if self._timer is not None:
            self._timer.cancel()

    def first_is(self, state: LinkState) -> None:
        """The first connection changed."""
        before, self._first = self._first, state
        if before is not LinkState.UP or state is not LinkState.DOWN:
            return
        self._losses += 1
        if self._broker.link.ending is Ending.TAKEN:
            self._sign("the broker says that another client has our id")
        elif self._broker.link.ending is Ending.CLOSED and self._sideline.up:
            self._probe = f"{self._boot} there? {random.getrandbits(32)}".encode()
            self._sideline.send(self._probe)
            asyncio.get_running_loop().call_later(PROBE, self._forget, self._probe)

    def second_is(self, state: LinkState) -> None:
        """The second connection changed: if it was lost too, the broker ended both, or is gone."""
        if state is not LinkState.UP:
            self._probe = None

    def echo(self, payload: bytes) -> None:
        """Something came back over the second connection."""
        if payload == self._probe and self._broker.link.state is not LinkState.UP:
            self._probe = None
            self._sign("the broker ended our first connection while it goes on serving the second")

    def status(self, payload: bytes, retained: bool) -> None:
        """The gateway's status topic says this. What an earlier run of ours left there is older than this start."""
        status = decode_gateway_status(payload)
        if status is not None and status.boot == self._boot:
            return
        if status is not None and status.at > self._since:
            self._sign(f"another gateway of this name is there (boot {status.boot})")
        if not retained:
            self._broker.announce()  # the other's farewell, or a will of ours that came late, is not the last word

    def _forget(self, probe: bytes) -> None:
        if self._probe == probe:
            self._probe = None

    def _sign(self, words: str) -> None:
        if self._counted != self._losses:  # two signs may be of one encounter
            self._counted = self._losses
            now = asyncio.get_running_loop().time()
            self._seen.append(now)
            while self._seen[0] < now - MEMORY:
                self._seen.popleft()
            away = AWAY[min(len(self._seen), len(AWAY)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 (so that two do not keep step)
            log.error("%s: somebody else uses the name of this gateway; each hears what the other misses. Staying away for %.0f s", words, away)
            self._broker.link.hold_off(away)
            self._sideline.hold_off(away)
        self._watch.broken(Condition.DUPLICATE_GATEWAY, 0, [words])
        self._wait_for_quiet()

    def _wait_for_quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET, self._quiet)

    def _quiet(self) -> None:
        if self._broker.link.state is LinkState.UP:
            self._watch.works(Condition.DUPLICATE_GATEWAY)
        else:
            self._wait_for_quiet()
