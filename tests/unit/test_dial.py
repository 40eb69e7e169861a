"""Dialing never stops the loop: neither a name server that does not answer nor a cancelled attempt holds anything up."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
from support.wait import eventually

from adapters import tls
from adapters.tls import dial


async def worst_stall(seconds: float) -> float:
    """The longest time for which the loop did nothing else, in s."""
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while (before := loop.time()) < end:
        await asyncio.sleep(0.005)
        worst = max(worst, loop.time() - before - 0.005)
    return worst


async def test_a_name_server_that_does_not_answer_does_not_stop_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def slow(*_args: Any, **_options: Any) -> list[Any]:
        answered.wait(10)
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    dialing = asyncio.create_task(dial("broker.example", 1883), name="dialing")
    assert await worst_stall(1.0) < 0.5
    assert not dialing.done()
    dialing.cancel()
    await asyncio.gather(dialing, return_exceptions=True)
    answered.set()
    await eventually(lambda: not any(thread.name == "dial" for thread in threading.enumerate()))


async def test_a_far_side_that_takes_the_connection_and_says_nothing_is_given_up_without_stopping_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dialing = asyncio.create_task(dial("127.0.0.1", silent.getsockname()[1], tls.client_context), name="dialing")
        assert await worst_stall(0.8) < 0.5
        outcome = (await asyncio.gather(dialing, return_exceptions=True))[0]
    assert "no answer within 1 s" in str(outcome)
