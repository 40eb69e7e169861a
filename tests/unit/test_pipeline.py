"""What a turn does when one of its stages fails."""

from __future__ import annotations

import asyncio

import pytest
from support.sites import T0

from gateway.pipeline import Pipeline
from gateway.turn import Turn


class Ticker:
    """A clock that stands."""

    def now(self) -> int:
        """Always `T0`."""
        return T0


class Stage:
    """Notes that it ran, then fails if told to."""

    def __init__(self, name: str, ran: list[str], *, fails: bool = False) -> None:
        self.name, self.ran, self.fails = name, ran, fails

    def run(self, _turn: Turn) -> None:
        """Note, and fail."""
        self.ran.append(self.name)
        if self.fails:
            raise ValueError("a defect")


async def test_the_stages_behind_one_that_fails_still_run_and_the_next_turn_comes(caplog: pytest.LogCaptureFixture) -> None:
    ran: list[str] = []
    names = ("admit", "record", "detect", "live", "chase", "write")
    stages = tuple(Stage(name, ran, fails=name == "detect") for name in names)
    pipeline = Pipeline(stages, Ticker(), [])  # type: ignore[arg-type]  # a pipeline knows its stages by type; here only `run` matters
    pipeline.message("t", b"", False, 0)
    await asyncio.sleep(0)
    assert ran == list(names)
    assert (pipeline.failed, pipeline.turns) == (1, 1)
    assert "the stage Stage failed" in caplog.text
    pipeline.message("t", b"", False, 0)
    await asyncio.sleep(0)
    assert ran == [*names, *names]
