"""Reading day files: what they hold between two moments, in order of time and in bounded pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from adapters.codecs.frames import Names, empty
from adapters.dayfiles import DAY, ELSEWHEN, DayFile, DayFiles
from alerts.ports import Query, Stretch
from alerts.reading import MILLISECOND, Readings

PIECE = 100_000
"""Readings in a piece of history, about: 5 MB of columns. A sensor's day at one reading a second (86,400) is one piece."""
_SELECT = """
SELECT point, ms * 1000000 + ns AS time, coalesce(value, 'NaN'::DOUBLE) AS value, quality, (ms + delay) * 1000000 AS arrival,
    coalesce(device_time, CAST('-9223372036854775808' AS BIGINT)) AS device_time, coalesce(raw, 'NaN'::DOUBLE) AS raw, coalesce(seq, -1) AS seq
FROM {0}.rows WHERE {1}
"""


class Reader:
    """The history that the files hold. Each piece is read when it is asked for; the files may be written to between two of them."""

    def __init__(self, engine: DayFiles, names: Names) -> None:
        self._engine = engine
        self._names = names

    def history(self, query: Query) -> Iterator[Stretch]:
        """Pieces of about `PIECE` readings, or of one millisecond if that holds more; a sensor's day of fewer is one, found at the first look."""
        given = query.since
        for day in self._days(query):
            since, until = max(day * DAY, given), min((day + 1) * DAY, query.until)
            whole = self._piece(day, replace(query, since=since, until=until), most=PIECE) if query.sensor is not None else None
            if whole is not None and len(whole) < PIECE:
                yield Stretch(until, whole)
                given = until
                continue
            for cut in [*self._cuts(day, replace(query, since=since, until=until)), until]:
                yield Stretch(cut, self._piece(day, replace(query, since=given, until=cut)))
                given = cut
        if given < query.until:
            yield Stretch(query.until, empty())

    def _days(self, query: Query) -> list[int]:
        """The days of the query for which anything is held, in order."""
        found = self._engine.existing()
        days = {int(np.datetime64(name, "D").astype(np.int64)) for name in found if name != ELSEWHEN}
        if ELSEWHEN in found:
            with self._engine.guarded():
                sql = "SELECT DISTINCT CAST(floor(ms / 86400000) AS BIGINT) FROM {0}.rows"
                days.update(day for (day,) in self._engine.rows(sql, self._engine.attach(ELSEWHEN)))
        return sorted(day for day in days if day * DAY < query.until and (day + 1) * DAY > query.since)

    def _cuts(self, day: int, query: Query) -> list[int]:
        """Times (ns) that cut a day into pieces of about `PIECE` readings."""
        cuts: set[int] = set()
        for name in self._engine.of_day(day):
            with self._engine.guarded():
                file = self._engine.attach(name)
                condition = self._condition(file, query)
                many = self._engine.rows("SELECT count(*) FROM {0}.rows WHERE {1}", file, condition=condition)[0][0]
                shares = np.linspace(0, 1, many // PIECE + 2)[1:-1].tolist()
                if shares:
                    sql = f"SELECT approx_quantile(ms, {shares}) FROM {{0}}.rows WHERE {{1}}"  # noqa: S608 - computed numbers
                    cuts.update(int(ms) * MILLISECOND for ms in self._engine.rows(sql, file, condition=condition)[0][0])
        return sorted(cut for cut in cuts if query.since < cut < query.until)

    def _piece(self, day: int, query: Query, most: int | None = None) -> Readings:
        """What the query asks for of a day; `most` rows of each file at most, if given, and then not the first ones."""
        parts = [empty()]
        for name in self._engine.of_day(day):
            with self._engine.guarded():
                file = self._engine.attach(name)
                limit = "" if most is None else f" LIMIT {most}"
                columns = self._engine.columns(_SELECT, file, self._condition(file, query) + limit)
            sensor = np.array(file.names, np.int32)[columns.pop("point")]
            parts.append(Readings(sensor=sensor, mark=np.zeros(len(sensor), np.uint8), **columns))
        readings = Readings.concatenate(parts)
        return readings.take(np.argsort(readings.time, kind="stable"))

    def _condition(self, file: DayFile, query: Query) -> str:
        """The query as a WHERE over the packed columns: numbers only, so that it cannot carry anybody's text."""
        condition = (
            f"ms BETWEEN {query.since // MILLISECOND} AND {query.until // MILLISECOND} "
            f"AND ms * 1000000 + ns >= {query.since} AND ms * 1000000 + ns < {query.until}"
        )
        if query.site is None and query.sensor is None:
            return condition
        known = enumerate(self._names.known[index] for index in file.names)
        wanted = [point for point, (site, sensor) in known if query.site in (None, site) and query.sensor in (None, sensor)]
        return f"{condition} AND point IN ({', '.join(map(str, wanted or [-1]))})"
