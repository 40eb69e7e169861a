"""A scenario's readings judged in virtual time by the real admission, detection and books."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import msgspec

from adapters.codecs.readings_json import decode
from alerts.admit import Admission, Way
from alerts.alarm import Event
from alerts.book import Book
from alerts.command import Numbers
from alerts.detect.batch import NEVER
from alerts.detect.engine import Engine
from alerts.reading import MILLISECOND, RawReading
from alerts.register import Register
from alerts.site import Site
from gateway.config import load_site
from simulators.oracle import Ledger, Sighting, differences
from simulators.run import OFFLINE_START
from simulators.scenario import Scenario


def site_file(path: Path) -> Site:
    """The site at `path`, profiles merged in, as the gateway reads it; any error fails the test."""
    found = load_site(path)
    assert isinstance(found, Site), found
    return found


@dataclass(frozen=True, slots=True)
class Message:
    """What one device sent at one moment (ns): sent as the readings' stamps are, by the true clock."""

    device: str
    arrival: int
    readings: list[RawReading]


class Judge:
    """One site in virtual time, from `start` (ns) on. What it tells is in `ledger`, counted from `start`."""

    def __init__(self, site: Site, start: int) -> None:
        register = Register([site])
        self.ledger = Ledger()
        self.admission = Admission(register)
        self.engine = Engine(register, start)
        self._site, self._start, self._now = site.site, start, start
        self._book = Book(site, self.engine, Numbers(0))

    def play(self, messages: Iterable[Message], until: int) -> None:
        """Judge messages in order of arrival; those of one moment together. Then let the clock run to `until` (ns)."""
        for arrival, together in groupby(messages, key=lambda message: message.arrival):
            self._clock(arrival - 1)
            for message in together:
                rejected = self.admission.admit((self._site, message.device), message.readings, arrival, Way.LIVE)
                assert not rejected, rejected
            edges = list(self.admission.edges)
            self.admission.edges.clear()
            batch = self.admission.batch.take()
            if batch is not None:
                edges += self.engine.judge(batch)
            self._tell(self._book.edges(edges + self.engine.advance(arrival), arrival), arrival)
        self._clock(until)

    def _clock(self, until: int) -> None:
        """Let every deadline up to `until` pass, each at its own time."""
        now = self._now
        while (due := min(self.engine.due(), self._book.due() or NEVER)) <= until:
            now = max(due, now + 1)
            self._tell(self._book.edges(self.engine.advance(now), now) + self._book.advance(now), now)
        self._now = max(now, until)

    def _tell(self, events: list[Event], now: int) -> None:
        for event in events:
            self.ledger.add(Sighting(event.alarm.id, event.kind, event.alarm.tier, now - self._start))


class Envelope(msgspec.Struct):
    """The part of an offline run's line that no device sends. `arrival` is in ms."""

    device: str
    arrival: int


def messages(file: BinaryIO) -> Iterator[Message]:
    """The lines of an offline run as the messages they came in: neighbors of one device and moment are one."""
    for (device, arrival), lines in groupby(file, key=_envelope):
        decoded = decode(b"[" + b",".join(lines) + b"]")
        assert not decoded.unreadable, decoded.unreadable
        yield Message(device, arrival * MILLISECOND, decoded.readings)


def _envelope(line: bytes) -> tuple[str, int]:
    try:
        found = ENVELOPE.decode(line)
    except msgspec.DecodeError:  # a bare NaN, which only the standard library reads
        found = msgspec.convert(json.loads(line), Envelope)
    return found.device, found.arrival


ENVELOPE = msgspec.json.Decoder(Envelope)


def verdict(scenario: Scenario, site: Site, file: Path) -> tuple[list[str], tuple[Sighting, ...]]:
    """What an offline run in `file` differs in from the scenario's oracle, and every alarm event it caused."""
    judge = Judge(site, OFFLINE_START)
    with file.open("rb") as lines:
        judge.play(messages(lines), OFFLINE_START + scenario.script.duration)
    seen = judge.ledger.sightings()
    return differences(scenario.script.oracle, seen, scenario.place.sources, scenario.script.duration), seen
