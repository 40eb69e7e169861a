"""When which sensors were in alarm, as journal and books have it: what of the record must be given up last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from adapters import journal_files
from alerts.alarm import Alarm, Tier
from alerts.evidence import OPEN, Evidence
from alerts.register import Register

_END_OF_TIME: Final = 2**63 - 1


class _Body(msgspec.Struct):
    """What of an alarm event matters here."""

    occurrence: str
    tier: Tier
    active: bool
    raised_at: dt.datetime
    returned_at: dt.datetime | None


_BODY: Final = msgspec.json.Decoder(_Body)


class Alarmed:
    """Follows the journal. Alarms of maintenance (BLUE) do not count: they last for months and endanger nobody."""

    def __init__(self, path: Path, register: Register, since: int) -> None:
        """`path` is the journal's file, `since` (ns) where to begin: alarms that were over by then are not known."""
        self._path = path
        self._register = register
        self._since = since
        self._spans: dict[tuple[str, str, str], tuple[str, str, int, int]] = {}

    def follow(self) -> None:
        """Read what is new in the journal. Some microseconds an event, in whatever thread. Raises Transient or Permanent."""
        for row in journal_files.rows(self._path, self._since, _END_OF_TIME):
            self._since = max(self._since, row.recorded_at)
            try:
                said = _BODY.decode(row.body)
            except msgspec.DecodeError:
                continue  # a row that is about no alarm
            source = row.alarm.rpartition(".")[0]
            until = OPEN if said.active else _ns(said.returned_at or said.raised_at)
            if said.tier is not Tier.BLUE:
                self._spans[row.site, row.alarm, said.occurrence] = (row.site, source, _ns(said.raised_at), until)

    def evidence(self, standing: Iterable[Alarm]) -> Evidence:
        """All that is known, and the alarms that stand, of which the journal may not have heard yet."""
        now = [(a.site, a.source, a.raised_at, OPEN if a.state.active else a.returned_at or a.raised_at) for a in standing if a.tier is not Tier.BLUE]
        return Evidence((site, sensor, since, until) for site, source, since, until in [*self._spans.values(), *now] for sensor in self._sensors(site, source))

    def _sensors(self, site: str, source: str) -> Iterator[str]:
        """An alarm of a device is about all that it measures. A sensor that is configured no longer is known by its alarms alone."""
        points = self._register.device(site, source)
        if self._register.find(site, source) is None and points:
            yield from (point.sensor.id for point in points)
        else:
            yield source


def _ns(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000) * 1_000_000
