"""The cast finds each other, and nobody else, on a machine where other demos start at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.demo import PLOT, health

from gateway.demo.cast import Cast, Plan, _on_a_free_port
from gateway.demo.client import Answer, Client
from gateway.demo.parts import TRIES, EndedAtStart
from gateway.demo.picture import Picture


class Door(Client):
    """A gateway of some name."""

    def __init__(self, name: str) -> None:
        super().__init__(0)
        self.name = name

    def ask(self, _method: str, _path: str, _body: bytes | None) -> Answer:
        """Its health."""
        return Answer(200, health(gateway=self.name).model_dump_json().encode())


async def test_a_stranger_s_gateway_on_the_chosen_port_is_not_taken_for_ours(tmp_path: Path) -> None:
    first, second = (Cast(Plan(tmp_path, "site", tmp_path, None), Picture(PLOT), tmp_path) for _ in range(2))
    assert first._takes_readings(Door(first._name))
    assert not first._takes_readings(Door(second._name))
    for cast in (first, second):
        await cast.stop()


async def test_another_port_is_tried_where_somebody_else_was_faster() -> None:
    tried: list[int] = []

    async def start(port: int) -> int:
        tried.append(port)
        if len(tried) < TRIES:
            raise EndedAtStart("gateway ended at its start with exit status 5; its last words: taken")
        return port

    assert await _on_a_free_port(start) == tried[-1]
    assert len(set(tried)) == TRIES


async def test_what_never_starts_is_said_after_a_few_tries() -> None:
    async def start(_port: int) -> int:
        raise EndedAtStart("mosquitto ended at its start with exit status 1; its last words: no")

    with pytest.raises(EndedAtStart, match="its last words: no"):
        await _on_a_free_port(start)
