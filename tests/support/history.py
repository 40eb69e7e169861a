"""Day files of the embedded store with believable readings, made inside DuckDB: a day of a large site takes seconds, not hours."""

from __future__ import annotations

from pathlib import Path

import duckdb

from adapters.dayfiles import CREATE, DAY, ROW_GROUP, name_of
from alerts.reading import MILLISECOND

NOISE = "sqrt(-2 * ln(1 - random())) * cos(6.283185 * random())"
"""Normally distributed with deviation 1, after Box and Muller."""
VALUES = f"""
CASE s % 4
    WHEN 0 THEN round(greatest(0, 0.3 * {NOISE}), 1)
    WHEN 1 THEN round(0.9 + 0.002 * {NOISE}, 3)
    WHEN 2 THEN round(21 + 6 * sin(6.283185 * k / 86400) + 0.05 * {NOISE}, 1)
    ELSE round(40 + 5 * sin(6.283185 * k / 40000) + 0.03 * {NOISE}, 2)
END
"""
"""%LEL, MPa, degC and % with the noise and the resolution that the simulators give these instruments (`plant.dials` of their scenarios)."""
ROWS = f"""
INSERT INTO day.rows
SELECT s::INTEGER, {{start}} + k * 1000 + hash(s) % 1000 + (random() * 8)::BIGINT AS ms, 0, {VALUES}, 0, (4 + random() * 40)::BIGINT, NULL, NULL, k + s
FROM range({{since}}, {{until}}, {{every}}) steps(k), range({{sensors}}) points(s) ORDER BY ms
"""
HOUR = 3_600


def day_file(folder: Path, day: int, sensors: int, every: int = 1) -> int:
    """Write the file of a day (counted from 1970) as draining would have: in order of time; returns how many readings it holds.

    Sensors `S-0`, `S-1`, … of the site `north` report every `every` seconds, each at its own moment with 8 ms of jitter, with
    good quality and a `seq` of their own, and arrive 4 to 44 ms later.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = day * DAY // MILLISECOND
    with duckdb.connect(config={"memory_limit": "1GB"}) as db:
        db.execute(f"ATTACH '{folder / name_of(day)}.duckdb' AS day (ROW_GROUP_SIZE {ROW_GROUP})")
        db.execute(CREATE.format("day"))
        db.execute(f"INSERT INTO day.points SELECT s, 'north', 'S-' || s FROM range({sensors}) points(s)")
        for since in range(0, 24 * HOUR, HOUR):
            db.execute(ROWS.format(start=start, sensors=sensors, since=since, until=since + HOUR, every=every))
        db.execute("CHECKPOINT day")
    return sensors * (24 * HOUR // every)
