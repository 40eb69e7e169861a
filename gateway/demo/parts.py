"""The processes of the demo: each starts by name, is watched, and is gone when the demo ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from alerts.ports import HazgateError

PYTHON: Final = (sys.executable, "-P", "-m")
"""Runs a module of the installed program, whatever lies in the folder where the demo was started."""
STOP_WITHIN: Final = 15.0
"""Seconds for a process to end in order; the gateway promises 10."""
LONGEST_LINE: Final = 2**20
KEPT_LINES: Final = 20
TRIES: Final = 3
"""Ports that are tried: between choosing one and listening on it somebody else may take it."""


class Unplayable(HazgateError):
    """The demo cannot be played, or not to its end. The text is one sentence."""


class EndedAtStart(Unplayable):
    """A process that ended before it was ready, perhaps because somebody else has taken its port in the meantime."""


class Part:
    """A process of the demo. `heard` is called with each line of its output; without it the output goes to a file."""

    def __init__(self, name: str, process: Process, log: Path, heard: Callable[[str], None] | None) -> None:
        self.name = name
        self.process = process
        self._log = log
        self._said: deque[str] = deque(maxlen=KEPT_LINES)
        self._reading = None if heard is None else asyncio.create_task(self._read(heard), name=f"demo {name}")

    @property
    def last_words(self) -> str:
        """The last line it wrote, for the sentence that says why it ended; of a log line, its message."""
        lines = list(self._said) or self._log.read_text(errors="replace").splitlines()
        line = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return str(json.loads(line)["message"])
        return line.strip()

    @property
    def end(self) -> str:
        """How it ended, and what it said last."""
        status = self.process.returncode
        how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return f"{how}; its last words: {self.last_words}"

    async def ended(self) -> None:
        """Wait until it has ended and everything it wrote was heard."""
        await self.process.wait()
        if self._reading is not None:
            # whoever only watches may be cancelled; what was written must be heard all the same
            await asyncio.shield(self._reading)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self.process.wait()
        except TimeoutError:
            self.kill()
        await self.ended()

    def kill(self) -> None:
        """End it now."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)

    async def _read(self, heard: Callable[[str], None]) -> None:
        if self.process.stdout is None:
            return
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self._said.append(text)
            heard(text)


async def start(name: str, command: Sequence[str], folder: Path, heard: Callable[[str], None] | None = None) -> Part:
    """Start a process that Ctrl-C on the terminal does not reach, and that does not outlive this one.

    heard: for each line it writes, to stdout or stderr.
    """
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *PYTHON,
            "gateway.demo.child",
            str(os.getpid()),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file if heard is None else PIPE,
            stderr=STDOUT,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
    return Part(name, process, log, heard)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(ready: Callable[[], bool], part: Part, within: float) -> None:
    """Wait until `ready()` is true. Raises EndedAtStart if `part` ends before, Unplayable if it takes longer than `within` seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not await asyncio.to_thread(ready):
        if part.process.returncode is not None:
            await part.ended()
            raise EndedAtStart(f"{part.name} ended at its start with {part.end}")
        if loop.time() > end:
            raise Unplayable(f"{part.name} was not ready within {within:.0f} s: {part.last_words}")
        await asyncio.sleep(0.05)


def accepts(port: int) -> bool:
    """Whether somebody takes connections on a port of loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
