"""A minute of the soak: under load everything is killed or stopped once, and nothing is lost, doubled, missed or told twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from soak import faults
from soak.runs import Order, Row, sequence

TROUBLES = (faults.gateway_killed, faults.recorder_killed, faults.broker_restarted, faults.store_hangs)
SEED = 4


@pytest.mark.timeout(240)
@pytest.mark.parametrize("influx", [True, False], ids=["influxdb", "embedded"])
async def test_whatever_dies_under_load_nothing_is_lost_doubled_missed_or_told_twice(tmp_path: Path, *, influx: bool) -> None:
    order = Order(folder=tmp_path, seed=SEED, rate=300, influx=influx)
    row: Row = await sequence(order, "short", troubles=TROUBLES, progress=lambda _share: None)
    assert row.promises == [], row.verdict.words
    assert row.verdict.acknowledged > 300 * len(TROUBLES)
    assert row.verdict.stored >= row.verdict.acknowledged
    assert row.verdict.broker == 0, "an orderly restart of the broker keeps everything"
