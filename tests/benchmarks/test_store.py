"""The embedded store: how much disk a reading takes, and how long the day of one sensor takes to be found among thirty days of a thousand."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from support.figures import command, machine
from support.gateway import HAZGATE, Gateway, gateway, site_file
from support.history import day_file
from support.offline import messages
from support.recording import readings
from support.servers import mosquitto
from support.sink import webhook_sink
from support.sites import sensor

from adapters.clock import SystemClock
from adapters.codecs.frames import Names
from adapters.dayfiles import DAY, name_of
from adapters.duck import DuckSettings, DuckStore
from alerts.ports import Frame, Query
from alerts.reading import NO_SEQ, Readings
from gateway.history import opened
from simulators.run import run_offline
from simulators.scenario import load

SENSORS, DAYS = 1_000, 30
BYTES_TARGET, FIND_TARGET = 10.0, 1.0
"""Bytes a reading, and s."""
EVERY = 60
"""Seconds between two readings of a sensor on the days that nobody asks for."""
TIMES = 5
SCENARIO = Path(__file__).parents[2] / "simulators" / "scenarios" / "quiet-day.yaml"


def in_order(data_dir: Path, now: int) -> tuple[float, float]:
    """Let the store put every day that is over in order; its seconds of processor time, and the longest step's of the clock."""
    store = DuckStore(DuckSettings(), data_dir, "bench", Names())
    before, longest, began = time.process_time(), 0.0, time.perf_counter()
    while store.tidy(now):
        longest, began = max(longest, time.perf_counter() - began), time.perf_counter()
    store.close()
    return time.process_time() - before, longest


def size(data_dir: Path) -> int:
    """Bytes of all its day files."""
    return sum(path.stat().st_size for path in (data_dir / "readings").glob("*.duckdb"))


def simulated(recording: Path, names: Names) -> Iterator[Readings]:
    """The readings of an offline run as the gateway would store them, about as many together as come in half a second of a large site."""
    with recording.open("rb") as file:
        rows = ((names.find("park", each.sensor), each, message.arrival) for message in messages(file) for each in message.readings)
        while some := list(islice(rows, 500)):
            made = readings(*((index, 0.0, each.value) for index, each, _ in some), seq=[NO_SEQ if each.seq is None else each.seq for _, each, _ in some])
            yield replace(made, time=np.array([each.time for _, each, _ in some]), arrival=np.array([arrival for _, _, arrival in some]))


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_bytes_a_reading_of_the_simulated_quiet_day(tmp_path: Path) -> None:
    scenario, recording, names = load(SCENARIO), tmp_path / "quiet.jsonl", Names()
    with recording.open("w", encoding="utf-8") as file:
        run_offline(scenario, scenario.script.seed, scenario.script.duration, file)
    store = DuckStore(DuckSettings(), tmp_path, "bench", names)
    stored = sum(store.write([Frame(number, some)]).stored for number, some in enumerate(simulated(recording, names), 1))
    store.close()
    drained = size(tmp_path) / stored
    in_order(tmp_path, SystemClock().now())
    print(f"\n{machine()}\nDuckDB, quiet-day, {stored} readings of 200 sensors every 10 s: {drained:.1f} bytes a reading as drained,")
    print(f"  {size(tmp_path) / stored:.1f} when the day is over and in order (target {BYTES_TARGET:.0f})")
    assert stored == 1_728_000
    assert drained < 5 * BYTES_TARGET


def forget_pages(file: Path) -> None:
    """Have the next look at a file come from the disk."""
    with file.open("rb") as opened_file:
        os.fsync(opened_file.fileno())
        os.posix_fadvise(opened_file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def found(data_dir: Path, query: Query) -> tuple[int, float]:
    """How many readings the running recorder finds, and in how many seconds."""
    began = time.perf_counter()
    with opened(data_dir, {"kind": "duckdb"}) as source:
        assert source is not None
        many = sum(len(stretch.readings) for stretch in source.history(query))
    return many, time.perf_counter() - began


async def exported(north: Gateway, query: Query) -> float:
    """Seconds of the whole command, from its start to its end."""
    since, until = (f"{np.datetime64(moment, 'ns').astype('datetime64[s]')}Z" for moment in (query.since, query.until))
    words = ["export", "readings", "--config", str(north.config), "--since", since, "--until", until, "--sensor", str(query.sensor)]
    return (await command(HAZGATE, *words, "--output", north.folder / "out.csv"))[0]


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
async def test_the_day_of_one_sensor_out_of_thirty_days_of_a_thousand(tmp_path: Path) -> None:
    """Today as it is drained and yesterday in order hold every second, the 28 days before them every minute."""
    today = SystemClock().now() // DAY
    data_dir = tmp_path / "data"
    yesterday = data_dir / "readings" / f"{name_of(today - 1)}.duckdb"
    past = sum(day_file(yesterday.parent, today - back, SENSORS, EVERY if back > 1 else 1) for back in range(1, DAYS))
    drained = yesterday.stat().st_size / (SENSORS * 86_400)
    processor, longest = in_order(data_dir, (today + 1) * DAY)
    ordered = yesterday.stat().st_size / (SENSORS * 86_400)
    day_file(yesterday.parent, today, SENSORS)
    print(f"\n{machine()}\nDuckDB, {SENSORS} sensors at 1 Hz: {drained:.1f} bytes a reading as drained,")
    print(f"  {ordered:.1f} when the day is over and in order (target {BYTES_TARGET:.0f}); putting {past / 1e6:.0f} million readings in order took")
    print(f"  {processor:.0f} s of processor time, the longest step {longest:.2f} s")
    took = await finding(tmp_path, {"yesterday": today - 1, "today": today})
    for name, runs in took.items():
        print(f"  24 h of one sensor out of {DAYS} days, {name}: {', '.join(f'{each:.2f}' for each in sorted(runs))} s (target {FIND_TARGET:.0f} s)")
    shutil.rmtree(data_dir)
    assert drained < 5 * BYTES_TARGET
    assert max(max(runs) for runs in took.values()) < 20 * FIND_TARGET


async def finding(folder: Path, days: dict[str, int]) -> dict[str, list[float]]:
    """Seconds to find the whole day of one sensor, each day by its name, beside a running gateway with the data directory `folder/data`."""
    heads = [sensor(f"S-{n}", device=f"rtu-{n // 20}") for n in range(SENSORS)]
    data_dir = folder / "data"
    took: dict[str, list[float]] = {}
    async with mosquitto(log="error") as broker, webhook_sink() as sink, gateway(folder, broker, sink, site_file(*heads)) as north:
        await north.start()
        for name, day in days.items():
            query = Query(day * DAY, (day + 1) * DAY, "north", "S-123")
            for pages in ("from the disk", "again"):
                for _ in range(TIMES):
                    if pages == "from the disk":
                        await asyncio.to_thread(forget_pages, data_dir / "readings" / f"{name_of(day)}.duckdb")
                    number, seconds = await asyncio.to_thread(found, data_dir, query)
                    took.setdefault(f"{name}, {pages}", []).append(seconds)
                    assert number == 86_400
            took[f"{name}, the whole command `hazgate export`"] = [await exported(north, query) for _ in range(TIMES)]
    return took
