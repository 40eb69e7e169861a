"""The gateway's side of the recorder: starts it, starts it again when it dies, and hands its reports to the spool."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters import backoff, registry
from adapters.codecs.frames import Labels
from adapters.spool import Spool
from adapters.spool_file import Report
from alerts.alarm import Quarantine
from alerts.ports import Aside
from alerts.register import Register

log = logging.getLogger("hazgate.recorder")

STOP_WITHIN = 5.0
"""Seconds for an orderly end; then it is killed, and what it had not confirmed stays in the spool."""
AGAIN_FIRST, AGAIN_MOST = 0.2, 10.0
"""Seconds until a recorder that died is started again, doubling until one has reported."""
LONGEST_REPORT = 2**21
"""Bytes: the refused readings of one line, each with the longest of words."""
LEAN = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""Environment that keeps 30 MB of buffers for threads it does not have out of the recorder's memory."""


_NONE: Labels = {}


def labels(register: Register, store: Any) -> Labels:
    """Zone, device and kind of every sensor, for a kind of store that keeps them; nothing for one that does not."""
    made: dict[str, dict[str, tuple[str, str, str]]] = {}
    if registry.find(registry.STORES, store.kind).labels:
        for point in register:
            made.setdefault(point.site.site, {})[point.sensor.id] = (point.sensor.zone, point.sensor.device, point.sensor.kind)
    return made


class Recording:
    """Owns the recorder process. On the loop's thread."""

    def __init__(
        self, spool: Spool, data_dir: Path, store: Mapping[str, object], keep: int, on_store: Callable[[str | None], None], labels: Labels = _NONE
    ) -> None:
        """Nothing runs yet.

        `store` is the gateway file's `store` as plain values, `keep` for how long readings are kept (ns). `on_store`
        hears why the store cannot be written, or None when it can again. `labels`: what the store keeps beside each
        reading of a sensor.
        """
        self._spool = spool
        self._data_dir = data_dir
        self._store = store
        self._keep = keep
        self._on_store = on_store
        self._labels = labels
        self._stopping = asyncio.Event()
        self._ended = 0
        """Recorders in a row that ended before they reached the store."""
        self._refused: list[Aside] = []
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The recorder's process id, while it runs."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start the recorder, in the background."""
        self._task = asyncio.create_task(self._run(), name="recording")

    async def stop(self) -> None:
        """Let it drain what is left, for a few seconds. Stop the spool after it: it writes down the last report."""
        self._stopping.set()
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(b'{"finish": true}\n')
        if self._task is None:
            return
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await asyncio.shield(self._task)
        except TimeoutError:
            log.error("the recorder did not finish in %.0f s", STOP_WITHIN)  # noqa: TRY400 - the trace of a timeout says nothing
            if self._process is not None:
                self._process.kill()
            await self._task

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                status = await self._live()
            except (OSError, ValueError) as error:
                status = str(error)
            if self._stopping.is_set():
                return
            self._ended += 1
            log.error("the recorder ended (%s); starting another", status)
            self._on_store(f"the recorder ended ({status})")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff.wait(self._ended, AGAIN_FIRST, AGAIN_MOST))

    async def _live(self) -> str:
        """One recorder from start to end; returns how it ended."""
        command = (sys.executable, "-P", "-m", "gateway.recorder")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=os.environ | LEAN, limit=LONGEST_REPORT)
        self._process = process
        self._refused.clear()
        if process.stdin is None or process.stdout is None:
            raise OSError("the recorder has no pipes")
        where = {"data_dir": str(self._data_dir.absolute()), "store": self._store, "keep": self._keep}
        orders = where | {"after": self._spool.stored_through, "labels": self._labels}
        process.stdin.write(json.dumps(orders).encode() + b"\n")
        if self._stopping.is_set():
            process.stdin.write(b'{"finish": true}\n')
        try:
            # all that a dead recorder had reported is read before the next one is told where to go on
            async for line in process.stdout:
                self._heard(json.loads(line))
        finally:
            if process.returncode is None and not process.stdout.at_eof():
                process.kill()
            status = await process.wait()
            self._process = None
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def _heard(self, report: Mapping[str, Any]) -> None:
        match report:
            case {"rejected": rejected}:
                self._refused.extend(map(_aside, rejected))
            case {"after": after, "through": through, "read": read, "rows": rows, "duplicate": duplicate}:
                rejected, self._refused = tuple(self._refused), []
                self._spool.stored(Report(after, through, read, rows, duplicate, rejected))
            case {"unreachable": words}:
                self._on_store(words)
            case {"reachable": True}:
                self._ended = 0
                self._on_store(None)
            case _:
                log.error("the recorder said something unknown")


def _aside(rejected: Mapping[str, Any]) -> Aside:
    payload = json.dumps({key: rejected[key] for key in ("sensor", "time", "value")}).encode()
    topic = f"{rejected['site']}/{rejected['sensor']}"
    return Aside(topic, Quarantine.REJECTED_BY_STORE, rejected["words"], payload, len(payload), rejected["arrival"])
