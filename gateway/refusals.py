"""Topics that the broker does not take from us: not tried again and again, said once, and made good when it does.

mosquitto 2.0 ends the connection at every publication that its access list denies, and a gateway without one is blind. So a
refusal bars its place (all alarms of a site are one) for some minutes, and then one publication tries it. What is
retained is kept meanwhile, the newest of each topic, and goes out when the place is open again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.mqtt import Publication
from alerts.alarm import Tier
from alerts.lifecycle import worse

log = logging.getLogger("hazgate.broker")

REFUSED_FOR: Final = 300.0
"""Seconds until a place that was refused is tried again, doubling with each try."""
LONGEST: Final = 3600.0
BARRED: Final = "the broker refused it a short while ago"
_EACH: Final = ("alarms", "replies")
"""Levels below which each topic is like the other: what is denied for one is denied for all."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A publication, how much it matters that it is seen, and which of two of one topic is the newer."""

    publication: Publication
    tier: Tier
    serial: int


@dataclass(slots=True)
class _Place:
    """A refused place. until: when it may be tried again, in the loop's seconds; wait: for how long it is barred after that. told: the tier that was said."""

    words: str
    told: Tier | None = None
    until: float = 0.0
    wait: float = REFUSED_FOR
    kept: dict[str, _Item] = field(default_factory=dict)
    trial: Publication | None = None
    timer: asyncio.TimerHandle | None = None


class Refusals:
    """Stands between whoever publishes and the connection. On the loop's thread."""

    def __init__(self, prefix: str, publish: Callable[[Publication], None]) -> None:
        """`publish` hands a publication to the connection."""
        self._prefix = prefix + "/"
        self._publish = publish
        self._places: dict[str, _Place] = {}
        self._serial = 0
        self.on_refused: Callable[[str, Tier, str], None] = lambda _place, _tier, _words: None
        """Told of a place that the broker refuses, how much it matters, and the broker's words; again when it matters more."""
        self.on_taken: Callable[[str], None] = lambda _place: None
        """Told of a place that was refused and is not any more."""

    def resume(self, places: Iterable[tuple[str, Tier, str]]) -> None:
        """These were refused in an earlier run: the first publication tries each of them."""
        for name, tier, words in places:
            self._places[name] = _Place(words, tier)

    def stop(self) -> None:
        """Try nothing more."""
        for place in self._places.values():
            if place.timer is not None:
                place.timer.cancel()

    def publish(self, publication: Publication, tier: Tier = Tier.YELLOW) -> None:
        """Publish, unless its place is barred: then what is retained waits, and anything else counts as refused.

        `tier` says how much it matters that it is seen. A refusal is told by whoever passes `refused`, and by
        `on_refused` for all others.
        """
        self._serial += 1
        item = _Item(publication, tier, self._serial)
        name = self.place(publication.topic)
        place = self._places.get(name)
        if place is not None and (place.trial is not None or asyncio.get_running_loop().time() < place.until):
            self._hold(place, name, item)
        else:
            self._send(name, item)

    def barred(self, publication: Publication) -> str | None:
        """Why a publication that waits in line must not be sent; None if it may be."""
        place = self._places.get(self.place(publication.topic))
        return None if place is None or place.trial is publication else BARRED

    def place(self, topic: str) -> str:
        """What is refused as one: a topic, or all alarms of a site or gateway, or all answers of a site."""
        above, _, _ = topic.rpartition("/")
        return f"{above}/+" if topic.startswith(self._prefix) and above.rpartition("/")[2] in _EACH else topic

    def _send(self, name: str, item: _Item) -> None:
        def done() -> None:
            self._taken(name, made)
            if item.publication.done is not None:
                item.publication.done()

        def refused(reason: str) -> None:
            place = self._places[name] if reason == BARRED else self._refused(name, made, reason)
            self._hold(place, name, item)

        made = replace(item.publication, done=done, refused=refused)
        if name in self._places:
            self._places[name].trial = made
        self._publish(made)

    def _refused(self, name: str, made: Publication, reason: str) -> _Place:
        place = self._places.setdefault(name, _Place(reason))
        if made is place.trial:
            place.wait, place.trial = min(2 * place.wait, LONGEST), None
        log.error("the broker refuses what is published to %s: %s; the next try is in %.0f s", name, reason, place.wait)
        if place.timer is not None:
            place.timer.cancel()
        loop = asyncio.get_running_loop()
        place.until = loop.time() + place.wait
        place.timer = loop.call_later(place.wait, self._retry, name)
        return place

    def _hold(self, place: _Place, name: str, item: _Item) -> None:
        publication = item.publication
        if publication.refused is None and (place.told is None or worse(item.tier, place.told) is not place.told):
            place.told = item.tier
            self.on_refused(name, item.tier, place.words)
        if publication.retain:
            kept = place.kept.get(publication.topic)
            place.kept[publication.topic] = item if kept is None or kept.serial < item.serial else kept
        elif publication.refused is not None:
            publication.refused(place.words)
        elif publication.done is not None:
            publication.done()

    def _retry(self, name: str) -> None:
        place = self._places[name]
        if place.kept:
            self._send(name, place.kept.pop(next(iter(place.kept))))

    def _taken(self, name: str, made: Publication) -> None:
        place = self._places.get(name)
        if place is not None and place.trial is made:
            del self._places[name]
            log.info("the broker takes what is published to %s again", name)
            self.on_taken(name)
            for item in place.kept.values():
                self._send(name, item)
