"""Was anything lost, doubled, missed or told twice? The publisher's ledger against the store, and the trips against what the sink was told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray
from soak.ledger import HIGH, NORMAL, PARTS, Ledger
from soak.stand import Past, Stand
from support.gateway import HAZGATE
from support.sink import Request
from support.wait import eventually

from alerts.reading import MILLISECOND, SECOND

CRASH_WINDOW = 2.0
"""Seconds before a death within which a message may have gone out without the journal knowing."""
TELL_WITHIN = 60.0
LIVE_WINDOW = 60 * SECOND
"""A stamp further than that from its arrival may be taken for a wrong clock, and the reading stored at its arrival."""
_SHOWN = 20
_FREE = ("acknowledged", "stored", "repeats", "broker", "words")


@dataclass(slots=True)
class Verdict:
    """What came of a run.

    lost: confirmed by the broker, and neither in the store nor the broker's own half. doubled: in the store once
    more. strange: in the store, but never published so. moved: stored at another time than their own. missed: trips
    that nobody was told of. told_twice: messages that came again without the mark, or with it outside the crash
    window, and second messages of one trip. unbalanced: readings by which the gateway's count of the store is off.
    repeats: marked ones inside the window. broker: what the broker confirmed and lost when it was killed.
    words: particulars of what is wrong.
    """

    acknowledged: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    strange: int = 0
    moved: int = 0
    missed: int = 0
    told_twice: int = 0
    unbalanced: int = 0
    repeats: int = 0
    broker: int = 0
    words: list[str] = field(default_factory=list)

    @property
    def broken(self) -> dict[str, int]:
        """The promises that were broken, and how often."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _FREE and getattr(self, each.name)}


async def judge(stand: Stand, folder: Path) -> Verdict:
    """Let everything drain and compare. Files are written to `folder`, and deleted."""
    balance = await stand.drained()
    file = folder / "readings.parquet"
    command = (HAZGATE, "export", "readings", "--config", str(stand.north.config), "--since", "-7d", "--until", "2100-01-01T00:00:00Z")
    process = await asyncio.create_subprocess_exec(*command, "--format", "parquet", "--output", str(file))
    if await process.wait():
        raise RuntimeError("what was stored could not be exported")
    verdict = Verdict()
    owed, rows = await asyncio.to_thread(compare, stand.ledger, stand.past, file, verdict)
    file.unlink()
    if rows != balance["stored"]:
        verdict.unbalanced = abs(rows - balance["stored"])
        verdict.words.append(f"the gateway counts {balance['stored']} stored, and {rows} are: {balance}")
    await _alarms(stand, [sensor for sensor, serial in stand.ledger.trips.items() if owed[serial]], verdict)
    return verdict


def compare(ledger: Ledger, past: Past, file: Path, verdict: Verdict) -> tuple[NDArray[np.bool_], int]:
    """Fill in what concerns readings; which of them must be there, by serial number, and how many rows the store has."""
    found = _rows(ledger, file)
    sensor, stamp = np.array(ledger.sensor, np.int64), np.array(ledger.time, np.int64) * MILLISECOND
    acknowledged = np.array(ledger.acknowledged)
    ours = (found["serial"] >= 0) & (found["serial"] < len(sensor))
    serial = np.where(ours, found["serial"], 0)
    published = np.full(len(sensor), NORMAL)
    published[list(ledger.trips.values())] = HIGH
    ours &= (sensor[serial] == found["sensor"]) & (published[serial] + serial / PARTS == found["value"])
    late = np.abs(found["arrival"] - stamp[serial]) > LIVE_WINDOW
    moved = ours & (found["time"] != stamp[serial]) & ~(late & (found["time"] == found["arrival"]))
    times = np.bincount(serial[ours], minlength=len(sensor))
    missing = (acknowledged > 0) & (times == 0)
    brokers = missing.copy()
    brokers[missing] = [past.unsaved(moment) for moment in acknowledged[missing].tolist()]
    verdict.acknowledged, verdict.stored = int((acknowledged > 0).sum()), int((times > 0).sum())
    verdict.strange, verdict.moved = int((~ours).sum()), int(moved.sum())
    verdict.lost, verdict.broker = int((missing & ~brokers).sum()), int(brokers.sum())
    verdict.doubled = int((times[times > 1] - 1).sum())
    for name, which in (("lost", missing & ~brokers), ("doubled", times > 1), ("moved", np.isin(np.arange(len(sensor)), serial[moved]))):
        verdict.words += [f"{name}: {_where(ledger, past, int(n))}" for n in np.flatnonzero(which)[:_SHOWN]]
    return (acknowledged > 0) & ~brokers, len(found["time"])


def _rows(ledger: Ledger, file: Path) -> dict[str, NDArray[Any]]:
    """Columns of what the store has; `sensor` is the place among the ledger's names, -1 for a stranger."""
    with duckdb.connect() as database:
        query = 'SELECT sensor, epoch_ns("time") "time", epoch_ns(arrival) arrival, "value" FROM read_parquet(?)'
        columns = database.execute(query, [str(file)]).fetchnumpy()
    places = {name: place for place, name in enumerate(ledger.names)}
    names, inverse = np.unique(columns["sensor"].astype(str), return_inverse=True)
    value = np.ma.filled(columns["value"], np.nan)
    serial = np.nan_to_num(np.round((value - np.where(value >= HIGH, HIGH, NORMAL)) * PARTS), nan=-1).astype(np.int64)
    return {
        "sensor": np.array([places.get(name, -1) for name in names.tolist()], np.int64)[inverse],
        "time": columns["time"].astype(np.int64),
        "arrival": columns["arrival"].astype(np.int64),
        "value": value,
        "serial": serial,
    }


def _where(ledger: Ledger, past: Past, serial: int) -> str:
    """A reading, and what was going on when it was confirmed."""
    at = ledger.acknowledged[serial]
    deaths = ", ".join(f"{start - at:+.2f}…{end - at:+.2f}" for start, end in past.down if abs(start - at) < 30)
    kills = ", ".join(f"{kill - at:+.2f}" for kill in past.broker_killed if abs(kill - at) < 30)
    said = f"{ledger.names[ledger.sensor[serial]]} at {ledger.time[serial]}, serial {serial}, confirmed {past.since(at):.2f} s after the start"
    return f"{said}; gateway down at [{deaths}] s from then, broker killed at [{kills}]"


async def _alarms(stand: Stand, trips: list[str], verdict: Verdict) -> None:
    """Fill in what concerns messages."""
    try:
        await eventually(lambda: all(map(stand.told, trips)), within=TELL_WITHIN, every=0.1)
    except AssertionError:
        missed = [sensor for sensor in trips if not stand.told(sensor)]
        verdict.missed = len(missed)
        verdict.words += [f"missed: {_where(stand.ledger, stand.past, stand.ledger.trips[sensor])}" for sensor in missed[:_SHOWN]]
    for words in told_again(stand.sink.requests, stand.past, verdict):
        verdict.told_twice += 1
        verdict.words.append(f"told twice: {words}")


def told_again(requests: list[Request], past: Past, verdict: Verdict) -> Iterator[str]:
    """What was told again and should not have been; counts the repeats that may be."""
    same: dict[tuple[str, str], list[Request]] = defaultdict(list)
    trips: dict[tuple[str, str], set[str]] = defaultdict(set)
    for request in requests:
        body: dict[str, Any] = request.json
        same[request.path, body["notification"]["id"]].append(request)
        if str(body["alarm"]).startswith(("T-", "rtu-T-")):
            source = str(body["alarm"]).removeprefix("rtu-").partition(".")[0]
            trips[request.path, source].add(body["notification"]["id"])
    for (path, identity), sent in same.items():
        for first, second in pairwise(sent):
            marked: Any = second.json["notification"]
            inside = any(start - CRASH_WINDOW <= first.at <= end and second.at >= start for start, end in past.down)
            if marked["may_repeat"] and inside:
                verdict.repeats += 1
            else:
                yield f"{identity} over {path} at {past.since(first.at):.2f} and {past.since(second.at):.2f} s, may_repeat {marked['may_repeat']}"
    for (path, source), identities in trips.items():
        if len(identities) > 1:
            yield f"{source} over {path} by {len(identities)} messages: {sorted(identities)}"
