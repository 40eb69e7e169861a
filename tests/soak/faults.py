"""What can happen to the stand.

Each fault takes a source of chance, leaves everything running again, and answers from when on recovery counts (s of
the loop's clock): from a kill or the begin of a restart, but from the end of what can only be sat out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Final

from soak.stand import RECOVER_WITHIN, Stand
from support.wait import eventually

Fault = Callable[[Stand, Random], Awaitable[float]]


@contextlib.contextmanager
def _down(stand: Stand) -> Iterator[None]:
    """The gateway is ended and started within."""
    began = stand.now
    try:
        yield
    finally:
        stand.past.down.append((began, stand.now))


async def gateway_killed(stand: Stand, _chance: Random) -> float:
    """SIGKILL to the gateway; started again at once."""
    began = stand.now
    with _down(stand):
        await stand.north.kill()
        await stand.wake()
    return began


async def gateway_stopped(stand: Stand, _chance: Random) -> float:
    """An orderly restart of the gateway."""
    began = stand.now
    with _down(stand):
        await stand.north.stop()
        await stand.wake()
    return began


async def gateway_hangs(stand: Stand, chance: Random) -> float:
    """SIGSTOP to the gateway for a few seconds: longer than the broker waits for it, or shorter."""
    pid = stand.north.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(chance.uniform(0.5, 6.0))
    finally:
        os.kill(pid, signal.SIGCONT)
    return stand.now


async def recorder_killed(stand: Stand, _chance: Random) -> float:
    """SIGKILL to the recorder; the gateway starts another."""
    _signal_recorder(stand, signal.SIGKILL)
    return stand.now


async def recorder_hangs(stand: Stand, chance: Random) -> float:
    """SIGSTOP to the recorder for a few seconds."""
    _signal_recorder(stand, signal.SIGSTOP)
    try:
        await asyncio.sleep(chance.uniform(1.0, 8.0))
    finally:
        _signal_recorder(stand, signal.SIGCONT)
    return stand.now


async def store_hangs(stand: Stand, chance: Random) -> float:
    """SIGSTOP to the store for a few seconds; the embedded one stops with the recorder."""
    if stand.server is None:
        return await recorder_hangs(stand, chance)
    stand.server.suspend()
    try:
        await asyncio.sleep(chance.uniform(1.0, 8.0))
    finally:
        stand.server.proceed()
    return stand.now


async def store_killed(stand: Stand, chance: Random) -> float:
    """SIGKILL to the store, which comes back after a few seconds; the embedded one dies with the recorder."""
    if stand.server is None:
        return await recorder_killed(stand, chance)
    await asyncio.to_thread(stand.server.kill)
    await asyncio.sleep(chance.uniform(0.0, 5.0))
    back = stand.now
    await asyncio.to_thread(stand.server.start)
    return back


async def broker_restarted(stand: Stand, _chance: Random) -> float:
    """An orderly restart of the broker, which writes down what it holds."""
    began = stand.now
    await stand.broker.restart()
    return began


async def broker_hangs(stand: Stand, chance: Random) -> float:
    """SIGSTOP to the broker for a few seconds: connections stay open and nobody answers."""
    stand.broker.suspend()
    try:
        await asyncio.sleep(chance.uniform(1.0, 8.0))
    finally:
        stand.broker.proceed()
    return stand.now


async def broker_killed(stand: Stand, _chance: Random) -> float:
    """SIGKILL to the broker while the gateway is connected."""
    began = stand.now
    stand.past.broker_killed.append(began)
    await stand.broker.kill()
    await stand.broker.start()
    return began


async def broker_killed_with_the_gateway_away(stand: Stand, chance: Random) -> float:
    """SIGKILL to the broker while it alone holds what comes in."""
    with _down(stand):
        await stand.north.kill()
        await asyncio.sleep(chance.uniform(3.0, 12.0))
        await broker_killed(stand, chance)
        back = stand.now
        await stand.wake()
    return back


def _signal_recorder(stand: Stand, number: signal.Signals) -> None:
    for pid in stand.pids[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def store_away(stand: Stand, seconds: float, progress: Callable[[float], None]) -> float:
    """The store is down for so long, and the gateway is restarted in the middle of it."""
    began = stand.now
    await _store_ended(stand)
    await _pass(stand, began, seconds, 0.5, progress)
    await gateway_stopped(stand, Random(0))
    if stand.server is None:
        await eventually(lambda: stand.pids[1:], within=RECOVER_WITHIN)
        await _store_ended(stand)
    await _pass(stand, began, seconds, 1.0, progress)
    back = stand.now
    if stand.server is None:
        _signal_recorder(stand, signal.SIGCONT)
    else:
        await asyncio.to_thread(stand.server.start)
    return back


async def _store_ended(stand: Stand) -> None:
    if stand.server is None:
        _signal_recorder(stand, signal.SIGSTOP)
    else:
        await asyncio.to_thread(stand.server.kill)


async def _pass(stand: Stand, began: float, seconds: float, share: float, progress: Callable[[float], None]) -> None:
    """Let time go by until that share of it is over."""
    while stand.now < began + seconds * share:
        await asyncio.sleep(1)
        progress(min((stand.now - began) / seconds, 1))


OF_GATEWAY_AND_BROKER: Final[tuple[Fault, ...]] = (
    gateway_killed,
    gateway_stopped,
    gateway_hangs,
    broker_restarted,
    broker_hangs,
    broker_killed,
    broker_killed_with_the_gateway_away,
)
OF_STORE: Final[tuple[Fault, ...]] = (recorder_killed, recorder_hangs, store_hangs, store_killed)
