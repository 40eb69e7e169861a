"""What tests of trouble ask of a running gateway, and what they do to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from support.gateway import Gateway
from support.sink import Sink

from adapters.clock import SystemClock
from alerts.reading import MILLISECOND

_HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
held.execute("ROLLBACK")
"""


@contextlib.asynccontextmanager
async def nothing_is_committed(database: Path) -> AsyncIterator[None]:
    """Another process holds the write lock of a database, as a disk that hangs would hold its commits."""
    command = (sys.executable, "-c", _HOLDER, str(database))
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"held\n"
        yield
    finally:
        process.stdin.close()
        await process.wait()


def stamp() -> int:
    """Now, in ms since 1970, as devices stamp."""
    return SystemClock().now() // MILLISECOND


def told(sink: Sink, alarm: str, person: str = "li") -> list[str]:
    """Why somebody was told of an alarm at the desk, in order."""
    bodies = [json.loads(request.body) for request in sink.requests if request.path == "/desk"]
    return [body["notification"]["kind"] for body in bodies if body["alarm"] == alarm and body["notification"]["person"] == person]


async def health(north: Gateway) -> dict[str, Any]:
    """What it says of itself, whether or not it is well."""
    body: dict[str, Any] = (await north.client.get("/api/v1/health")).json()
    return body


async def figure(north: Gateway, name: str) -> float:
    """One of its metrics, by name and labels; 0 for one without a sample."""
    lines = (await north.client.get("/metrics")).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == f"hazgate_{name}"), 0.0)


async def stored(north: Gateway, received: int) -> bool:
    """Whether so many readings were received, all of them are in the store, and the balance closes."""
    balance = await north.get("balance")
    return bool(balance["closes"] and balance["received"] == received and balance["stored"] == received)


async def stands(north: Gateway, alarm: str) -> bool:
    """Whether an alarm is listed as active."""
    return (await north.alarms()).get(alarm, "").startswith("active")
