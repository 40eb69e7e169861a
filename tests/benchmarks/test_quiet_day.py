"""`quiet-day` written by the simulator and judged by `replay`: a figure beside its target."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from support.figures import machine
from support.gateway import HAZGATE

SIMULATORS = Path(__file__).parents[2] / "simulators"
TARGET = 90.0
"""s, for both together."""


async def took(*arguments: str | Path) -> float:
    """Seconds that a command needs; it must succeed."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(HAZGATE, *arguments, stderr=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0
    return time.perf_counter() - began


@pytest.mark.benchmark
@pytest.mark.timeout(600)
async def test_a_quiet_day_generated_and_replayed(tmp_path: Path) -> None:
    recording = tmp_path / "quiet.jsonl"
    generated = await took("simulate", SIMULATORS / "scenarios" / "quiet-day.yaml", "--offline", recording)
    replayed = await took("replay", "--site", SIMULATORS / "sites" / "park.yaml", recording)
    print(f"\n{machine()}\nquiet-day, 1,728,000 readings of 200 sensors: generated in {generated:.1f} s, replayed in {replayed:.1f} s (target {TARGET:.0f} s)")
    assert generated + replayed < 5 * TARGET
