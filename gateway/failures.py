"""What could not be told, and how: the gateway's alarm `notification_failed`, and which channels do not work (semantics 8.1).

An alarm on a topic that the broker does not take from us is seen by nobody who looks there, so it counts among them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from alerts.alarm import LAST_RESORT_ONLY, Tier
from alerts.lifecycle import worse
from alerts.site import Site
from gateway.turn import Fate, Settled

FAILURES: Final = "failures"
"""The name under which the journal keeps what could not be told."""
WORDS: Final = 200
"""Characters kept of why."""

Way = tuple[str, str, str]
"""Site, channel and person."""


class Failures:
    """Who is not reached over which channel, by the newest message that was tried. On the loop's thread.

    A failure is over when that person was reached over that channel: one channel does not mend another. A channel counts
    as failed until any message gets through it. Messages about failures raise nothing, or they would chase one another.
    """

    def __init__(self, keep: Callable[[dict[str, str]], object]) -> None:
        """`keep` makes text durable by name, in the order of the calls."""
        self._keep = keep
        self._people: dict[Way, tuple[Tier, str]] = {}
        self._topics: dict[str, tuple[Tier, str]] = {}
        self._channels: dict[str, None] = {}

    def resume(self, kept: str | None, sites: Sequence[Site], prefix: str) -> None:
        """Go on from what an earlier run kept, as far as anybody is still to be reached that way, or anything published there below `prefix`."""
        ways = {(site.site, reach.channel, person.id) for site in sites for person in site.people for reach in person.reach}
        found = json.loads(kept or '{"people": [], "topics": [], "channels": []}')
        for site, channel, person, tier, words in found["people"]:
            if (site, channel, person) in ways:
                self._people[site, channel, person] = (Tier(tier), words)
        ours = (f"{prefix}/gateways/", *(f"{prefix}/{site.site}/" for site in sites))
        self._topics = {topic: (Tier(tier), words) for topic, tier, words in found["topics"] if topic.startswith(ours)}
        self._channels = dict.fromkeys(channel for channel in found["channels"] if any(channel == way[1] for way in ways))

    def found(self) -> list[tuple[Tier, str]]:
        """What could not be told: the worst tier of it, and words."""
        return [*self._people.values(), *((tier, f"{topic}: {words}") for topic, (tier, words) in self._topics.items())]

    def topics(self) -> list[tuple[str, Tier, str]]:
        """What the broker does not take: topic, worst tier of what was to be seen there, and the broker's words."""
        return [(topic, tier, words) for topic, (tier, words) in self._topics.items()]

    def refused(self, topic: str, tier: Tier, words: str) -> None:
        """The broker does not take what is published to a topic."""
        self._topics[topic] = (tier, words[:WORDS])
        self._write()

    def taken(self, topic: str) -> None:
        """The broker takes it again."""
        if self._topics.pop(topic, None) is not None:
            self._write()

    def channels(self) -> frozenset[str]:
        """The channels whose newest message did not get through."""
        return frozenset(self._channels)

    def settled(self, settled: Settled) -> None:
        """What became of a message is known."""
        notice = settled.notice
        way = (notice.site, notice.channel, notice.person)
        before = len(self._channels), self._people.get(way)
        if settled.fate is Fate.DELIVERED:
            self._channels.pop(notice.channel, None)
            self._people.pop(way, None)
        else:
            self._channels[notice.channel] = None
            if notice.alarm.rpartition(".")[2] not in LAST_RESORT_ONLY:
                self._fails(way, notice.tier, f"{notice.person} over {notice.channel}: {settled.words[:WORDS]} ({notice.alarm})")
        if before != (len(self._channels), self._people.get(way)):
            self._write()

    def _write(self) -> None:
        people = [[*each, tier, words] for each, (tier, words) in self._people.items()]
        kept = {"people": people, "topics": self.topics(), "channels": list(self._channels)}
        self._keep({FAILURES: json.dumps(kept, ensure_ascii=False)})

    def _fails(self, way: Way, tier: Tier, words: str) -> None:
        known = self._people.get(way)
        if known is None or worse(tier, known[0]) is not known[0]:
            self._people[way] = (tier, words)
