"""The control socket: command-line tools ask the running gateway, and nobody opens its files beside it.

`data_dir/control.sock`, for this user only (mode 0600). One line of JSON asks, one answers, then the connection ends:
`{"ask": "token_create", "person": "li", "for": 2592000000000000}` → `{"ok": true, …}` or `{"ok": false, "error": "…"}`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from adapters.codecs.alarm_json import time_text
from adapters.journal import Entry
from alerts.ports import HazgateError
from alerts.reading import SECOND
from gateway.desk import known_people
from gateway.view import View

NAME: Final = "control.sock"
LONGEST: Final = 4096
"""Bytes of a question."""
LONGEST_LIFE: Final = 100 * 365 * 86_400 * SECOND
"""ns that a token may be good for; the journal's columns end not long after."""
WITHIN: Final = 5.0
"""Seconds for a question to come."""
ANSWER_WITHIN: Final = 60.0
"""Seconds for its answer to be made: reading the files of 10,000 sensors takes a few."""


class Ask(StrEnum):
    """What can be asked."""

    CREATE = "token_create"
    BALANCE = "balance"
    HEALTH = "health"
    RELOAD = "reload"


class NoGateway(HazgateError):
    """Nobody listens on the control socket."""


class Refused(HazgateError):
    """The gateway said no; the text is its sentence."""


class Control:
    """The gateway's side. On the loop's thread."""

    def __init__(self, view: View, data_dir: Path, reload: Callable[[], Awaitable[list[str]]]) -> None:
        """`reload` reads the files again and says why the old ones stay."""
        self._reload = reload
        self._data_dir = data_dir
        self._view = view
        self._people = known_people(list(view.sites().values()))
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Call it as the holder of `data_dir/lock`: what a killed gateway left is removed. Raises OSError."""
        with _address(self._data_dir) as path:
            listener = _bind(path)
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=LONGEST)

    async def stop(self) -> None:
        """Stop listening; questions under way are cut off."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        (self._data_dir / NAME).unlink(missing_ok=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="control")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                line = await reader.readline()
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await self._answer(line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # whoever asked is gone, slow, or sent more than a line may have
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
        except (ValueError, RecursionError):
            question = None
        match question:
            case {"ask": Ask.CREATE, "person": str(person), "for": int(lifetime)} if 0 < lifetime <= LONGEST_LIFE:
                return await self._token(person, lifetime)
            case {"ask": Ask.BALANCE}:
                balance = self._view.spool.balance()
                return {"ok": True, **asdict(balance), "closes": balance.closes}
            case {"ask": Ask.RELOAD}:
                return {"ok": True, "refused": await self._reload()}
            case {"ask": Ask.HEALTH}:
                obstacles = self._view.obstacles()
                return {"ok": True, "ingesting": not obstacles, "obstacles": obstacles, "pid": os.getpid()}
        return {"ok": False, "error": "the gateway does not understand the question; is it of another version?"}

    async def _token(self, person: str, lifetime: int) -> dict[str, Any]:
        if person not in self._people:
            return {"ok": False, "error": unknown(person, self._people)}
        text, kept = self._view.desk.tokens.create(person, self._view.clock.now(), lifetime)
        await self._view.journal.commit(Entry(tokens=[kept]))
        return {"ok": True, "token": text, "until": time_text(kept.until)}


def unknown(person: str, people: frozenset[str]) -> str:
    """The sentence for somebody who is in no site file."""
    return f"nobody is called {person} in the site files; known are {', '.join(sorted(people))}"


def ask(data_dir: Path, question: Mapping[str, Any]) -> dict[str, Any]:
    """The running gateway's answer to a question. Raises NoGateway if none runs, Refused with its sentence if it says no."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(WITHIN + ANSWER_WITHIN)
        try:
            with _address(data_dir) as path:
                connection.connect(path)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
            raise NoGateway(f"no gateway runs on {data_dir}") from error
        except OSError as error:
            raise Refused(f"cannot ask the gateway over {data_dir / NAME}: {error.strerror or error}") from error
        try:
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        except OSError as error:
            raise Refused(f"the gateway on {data_dir} does not answer: {error}") from error
    if not line:
        raise Refused(f"the gateway on {data_dir} ended or took too long before it answered")
    answer: dict[str, Any] = json.loads(line)
    if not answer.get("ok"):
        raise Refused(str(answer.get("error")))
    return answer


@contextlib.contextmanager
def _address(data_dir: Path) -> Iterator[str]:
    """The socket's path by way of an open folder: the name of a Unix socket has room for 107 bytes only."""
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


def _bind(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        Path(path).unlink(missing_ok=True)
        listener.bind(path)
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
