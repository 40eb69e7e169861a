"""An event loop whose time passes only when nothing is left to do, and whose disk takes as long as the test says."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any


class _Idle(selectors.SelectSelector):
    """Instead of waiting, time is moved on by what the loop would have waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector`. Raises RuntimeError where a loop would wait for ever."""
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        if not found and timeout:
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in virtual time, seconds since `begin`. What goes to an executor is done on the loop, in the middle of the seconds that its `disk` takes."""

    def __init__(self, begin: float, disk: Mapping[str, float]) -> None:
        """`disk`: seconds by the name of the executor's threads."""
        self._idle = _Idle()
        self._idle.now = begin
        super().__init__(self._idle)
        self._clock_resolution = 1e-6
        self.disk = disk

    def time(self) -> float:
        """Virtual seconds."""
        return self._idle.now

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # typeshed binds the arguments to type variables
        """Nothing happens for half the time that it takes, and for the other half nobody knows that it has."""
        done: asyncio.Future[Any] = self.create_future()
        half = self.disk[getattr(executor, "_thread_name_prefix", "")] / 2

        def carry_out() -> None:
            answer: Callable[[], None]
            try:
                answer = partial(done.set_result, func(*args))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is whoever waits who must see it
                answer = partial(done.set_exception, error)
            self.call_later(half, lambda: None if done.done() else answer())

        self.call_later(half, carry_out)
        return done

    def end(self) -> None:
        """Everything stops where it stands, as in a crash."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()
