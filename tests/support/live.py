"""The gateway's own pipeline in virtual time: what a running gateway makes of messages that come at given moments."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.codecs.alarm_json import event_bytes
from alerts.admit import Admission
from alerts.book import Book
from alerts.command import Numbers
from alerts.detect.batch import NEVER
from alerts.detect.engine import Engine
from alerts.reading import MILLISECOND
from alerts.register import Register
from alerts.site import Site
from gateway.admission import Admit
from gateway.pipeline import Pipeline
from gateway.routes import Routes
from gateway.stages import Detect, Live
from gateway.turn import Turn


@dataclass(slots=True)
class _Hand:
    """A clock that is set."""

    at: int

    def now(self) -> int:
        """What it was set to."""
        return self.at


class _Idle:
    """The stages that record and tell, of which nobody here wants anything."""

    def run(self, _turn: Turn) -> None:
        """Do nothing."""


def live_events(site: Site, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    """Each row of a recording as a message of its device at its `arrival`; the events, as they would be published."""
    return asyncio.run(_play(site, rows))


async def _play(site: Site, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    register = Register([site])
    clock = _Hand(rows[0]["arrival"] * MILLISECOND)
    admission, engine = Admission(register), Engine(register, clock.at)
    book = Book(site, engine, Numbers(0))
    admit = Admit("hazgate/v1", admission, [site.site], Routes(register), lambda *_: None)
    stages = (admit, _Idle(), Detect(engine, held=False), Live({site.site: book}), _Idle(), _Idle())
    pipeline = Pipeline(stages, clock, [engine.due, book.due])  # type: ignore[arg-type]  # a pipeline knows its stages by type; here only `run` matters
    events: list[bytes] = []
    pipeline.after = lambda turn: events.extend(event_bytes(event, site) for event in turn.events)

    def wait_until(moment: int) -> None:
        while (due := min(engine.due(), book.due() or NEVER)) <= moment:
            clock.at = max(clock.at, due)
            pipeline.turn()
        clock.at = max(clock.at, moment)

    for row in rows:
        wait_until(row["arrival"] * MILLISECOND)
        reading = {key: value for key, value in row.items() if key not in ("device", "arrival")}
        pipeline.message(f"hazgate/v1/{site.site}/{row['device']}/readings", json.dumps(reading).encode(), False, 0)
        pipeline.turn()
    wait_until(clock.at)
    await pipeline.stop()
    assert pipeline.failed == 0
    return events
