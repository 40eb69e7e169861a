"""The recorder: the process that drains the spool into the store and answers for history.

    python -m gateway.recorder

Its parent is the gateway. The first line on stdin says what to do: `{"data_dir", "store", "keep", "after", "labels"}`; a second one asks
it to finish; the end of stdin means that the gateway is gone, and then so is the recorder. On stdout it reports one
JSON object a line: frames the store has confirmed, and whether the store can be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import json
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from adapters import backoff
from adapters.clock import SystemClock
from adapters.codecs.frames import Labels
from alerts.ports import HazgateError, Query, Transient, Written
from alerts.reading import SECOND, Readings
from gateway import logs
from gateway.archive import BATCH, Archive
from gateway.history import READINGS, SOCKET, Block, aside_block, block, file_blocks, socket_address, stretch_block

log = logging.getLogger("hazgate.recorder")

T = TypeVar("T")
LAST_TRY = 16
"""The number of tries from which the pause grows no longer."""
LONGEST_ASKED = 120.0
"""Seconds for which a store is left alone at most, whatever it asks for."""
PAUSE = 0.5
"""Seconds between two looks at the spool: a transaction of the store holds what came in between."""
RETRY_FIRST, RETRY_MOST = 0.5, 10.0
"""Seconds until a store that failed is tried again, doubling; what a person has to mend is tried with the longest pause only."""
DAY = 86_400 * SECOND
ASK_WITHIN = 10.0
"""Seconds for a client to ask: one that connects and says nothing is let go."""
STALLED = 60.0
"""Seconds for a client to take a piece of an answer; one that does not is given up, for it may hold up the store."""
FORGET_EVERY = 3600 * SECOND
"""ns between two looks for files that are too old."""
TIDY_EVERY = 60 * SECOND
"""ns between two looks for readings to put in order, when the last one found none."""
FINISH_WITHIN = 3.0
"""Seconds to drain what is left when asked to finish; the rest stays in the spool."""
LONGEST_ORDERS = 2**26
"""Bytes: the labels of a million sensors."""
LONGEST_WORDS = 200
"""Characters of a store's refusal that are kept."""
REFUSED_AT_ONCE = 500
"""Refused readings told on one line: a batch may be refused whole."""
NICENESS = 5
"""On a busy core the alarm path goes first."""
_PR_SET_PDEATHSIG = 1


class Recorder:
    """Drains and answers. Everything that touches store or spool runs in one thread, step by step in turn."""

    def __init__(self, orders: Mapping[str, Any], tell: Callable[[Mapping[str, object]], None]) -> None:
        self._data_dir = Path(orders["data_dir"])
        self._store: Mapping[str, object] = orders["store"]
        self._after: int = orders["after"]
        self._labels: Labels = orders.get("labels", {})
        self._keep: int = orders["keep"]
        self._forgot: int | None = None
        self._tidied: int | None = None
        self._tell = tell
        self._archive: Archive | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._finish = asyncio.Event()
        self._reachable: bool | None = None
        self._tries = 0
        self._asked = 0.0
        """Seconds for which the store asked to be left alone."""
        self._clock = SystemClock()
        self._still = asyncio.Lock()
        """Held while a file of the store must not change."""

    def finish(self) -> None:
        """Ask `run` to drain what is left and return."""
        self._finish.set()

    async def run(self) -> None:
        """Drain and answer until asked to finish."""
        server = await asyncio.start_unix_server(self._answer, sock=_listen(self._data_dir))
        while not self._finish.is_set():
            async with self._still:
                moved = await self._step()
                await self._forget()
                if self._reachable and moved < BATCH:
                    await self._tidy()
            if moved < BATCH:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._finish.wait(), self._pause())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINISH_WITHIN), self._still:
                while await self._step():
                    pass
        server.close()
        (self._data_dir / SOCKET).unlink(missing_ok=True)
        await self._call(self._close)
        self._thread.shutdown()

    async def _step(self) -> int:
        """Move what the spool holds, up to one batch; returns how many readings that were."""
        try:
            done = await self._call(lambda: self._open().drain())
        except HazgateError as error:
            self._failed(error)
            return 0
        if not self._reachable:
            self._tell({"reachable": True})
            self._reachable = True
        if done is None:
            return 0
        through, written, readings = done
        rejected = self._rejected(written, readings)
        while some := list(itertools.islice(rejected, REFUSED_AT_ONCE)):
            self._tell({"rejected": some})
        self._tell({"after": self._after, "through": through, "read": len(readings), "rows": written.stored, "duplicate": written.duplicate})
        self._after = through
        return len(readings)

    def _pause(self) -> float:
        """Seconds until the next step."""
        return PAUSE if self._reachable else max(backoff.wait(self._tries, RETRY_FIRST, RETRY_MOST), self._asked)

    async def _forget(self) -> None:
        """Give up readings older than they must be kept, now and then."""
        now = self._clock.now()
        if self._forgot is not None and now - self._forgot < FORGET_EVERY:
            return
        self._forgot = now
        try:
            gone = await self._call(lambda: self._open().forget(now - self._keep))
        except HazgateError as error:
            log.warning("could not delete old readings: %s", error)
            return
        if gone:
            log.info("deleted %d files of readings older than %.0f days", gone, self._keep / DAY)

    async def _tidy(self) -> None:
        """Put older readings in order while nothing is waiting."""
        now = self._clock.now()
        if self._tidied is not None and abs(now - self._tidied) < TIDY_EVERY:
            return
        try:
            more = await self._call(lambda: self._open().tidy(now))
        except HazgateError as error:
            log.warning("could not put older readings in order: %s", error)
            more = False
        self._tidied = None if more else now

    def _failed(self, error: HazgateError) -> None:
        if self._reachable is not False:
            log.error("the store cannot be written: %s", error)
            self._tries = 0
        self._reachable = False
        self._tries = self._tries + 1 if isinstance(error, Transient) else LAST_TRY
        asked = error.retry_after if isinstance(error, Transient) else None
        self._asked = min((asked or 0) / SECOND, LONGEST_ASKED)
        self._tell({"unreachable": str(error)})

    def _rejected(self, written: Written, readings: Readings) -> Iterator[dict[str, object]]:
        for position, words in written.rejected:
            site, sensor = self._open().names.known[readings.sensor[position]]
            value = float(readings.value[position])
            time, arrival = int(readings.time[position]), int(readings.arrival[position])
            yield {
                "site": site,
                "sensor": sensor,
                "time": time,
                "value": value if math.isfinite(value) else None,
                "arrival": arrival,
                "words": words[:LONGEST_WORDS],
            }

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One question, one answer. A client that goes away, or is too slow, ends it."""
        try:
            async with asyncio.timeout(ASK_WITHIN):
                line = await reader.readline()
            request = json.loads(line or b"null")
            if request and request.get("ask") == "file":
                async with self._still:
                    await self._send(request, writer)
            elif request:
                await self._send(request, writer)
        except (OSError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            log.info("gave up an answer: %s", error)
        finally:
            writer.close()

    async def _send(self, request: Mapping[str, Any], writer: asyncio.StreamWriter) -> None:
        try:
            blocks = await self._call(lambda: self._blocks(request))
            while (found := await self._call(lambda: next(blocks, None))) is not None:
                writer.write(found)
                async with asyncio.timeout(STALLED):
                    await writer.drain()
            writer.write(block(Block.END))
        except HazgateError as error:
            writer.write(block(Block.ERROR, str(error).encode()))
        async with asyncio.timeout(STALLED):
            await writer.drain()

    def _blocks(self, request: Mapping[str, Any]) -> Iterator[bytes]:
        archive = self._open()
        match request:
            case {"ask": "readings", "since": int(since), "until": int(until), "site": site, "sensor": sensor}:
                return (stretch_block(stretch, archive.names) for stretch in archive.history(Query(since, until, site, sensor)))
            case {"ask": "quarantine", "since": int(since), "until": int(until)}:
                return (aside_block(aside) for aside in archive.quarantine(since, until))
            case {"ask": "count"}:
                return iter([block(Block.COUNT, str(archive.count()).encode())])
            case {"ask": "file", "name": str(name)}:
                return self._file(name)
        raise ValueError("a question that no version asks")

    def _file(self, name: str) -> Iterator[bytes]:
        """A file of the store as it is now; nothing may be drained before the last piece is given."""
        self._open().settle()
        return file_blocks(self._data_dir / READINGS, name)

    async def _call(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, step)

    def _open(self) -> Archive:
        if self._archive is None:
            self._archive = Archive(self._data_dir, self._store, self._after, self._labels)
        return self._archive

    def _close(self) -> None:
        if self._archive is not None:
            self._archive.close()


def _listen(data_dir: Path) -> socket.socket:
    """The history socket, for the gateway's own user alone."""
    (data_dir / SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o077)
    try:
        with socket_address(data_dir) as address:
            listener.bind(address)
    finally:
        os.umask(before)
    return listener


def _tell(report: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


def _depend_on_parent() -> None:
    """Die with the gateway, however it dies, and by nothing that is meant for it: it stops its recorder itself."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


async def main() -> None:
    """Take orders from stdin and carry them out."""
    stdin = asyncio.StreamReader(LONGEST_ORDERS)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    line = await stdin.readline()
    if not line:
        return
    recorder = Recorder(json.loads(line), _tell)
    work = asyncio.create_task(recorder.run(), name="recorder")
    asked = asyncio.create_task(stdin.readline(), name="stdin")
    await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
    if not work.done() and not asked.result():
        # the gateway is gone: nobody is left to report to, and the next one repeats what was not confirmed
        os._exit(1)
    recorder.finish()
    await work


if __name__ == "__main__":
    _depend_on_parent()
    os.nice(NICENESS)
    logs.set_up()
    asyncio.run(main())
