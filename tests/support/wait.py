"""Waiting for a state instead of sleeping for a time."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
WITHIN = 20.0
"""Seconds that a state may take to come on a busy machine; a test that sees it sooner goes on sooner."""


@overload
async def eventually(look: Callable[[], Awaitable[T]], *, within: float = WITHIN, every: float = 0.01) -> T: ...
@overload
async def eventually(look: Callable[[], T], *, within: float = WITHIN, every: float = 0.01) -> T: ...
async def eventually(look: Callable[[], T | Awaitable[T]], *, within: float = WITHIN, every: float = 0.01) -> T:
    """Look, every `every` seconds, until something true is seen, and return that. Fails with the last sight after `within` seconds.

    look: a plain or an async function; an AssertionError it raises counts as "not yet" and is what the failure shows.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        complaint: AssertionError | None = None
        seen: T | None = None
        try:
            sight = look()
            seen = await sight if inspect.isawaitable(sight) else sight
        except AssertionError as error:
            complaint = error
        if complaint is None and seen:
            return seen
        if loop.time() >= deadline:
            raise AssertionError(f"not within {within:g} s; last seen: {complaint or seen!r}") from complaint
        await asyncio.sleep(every)
