"""An HTTP server on loopback that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its header names in lower case. at: when it came (s), by the loop's clock."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> dict[str, object]:
        """The body as a JSON object."""
        body = json.loads(self.body)
        assert isinstance(body, dict)
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer. `after`: seconds to take for it; `silent`: take the request and never answer; `hang_up`: close instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    silent: bool = False
    hang_up: bool = False


class Sink:
    """requests: all of them, in order. `answers` are given one by one; when there are none, `otherwise`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: deque[Answer] = deque()
        self.otherwise = Answer()
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._open.add(writer)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(Request(method, path, headers, body, asyncio.get_running_loop().time()))
        answer = self.answers.popleft() if self.answers else self.otherwise
        if answer.silent:
            await reader.read()
        if answer.silent or answer.hang_up:
            return False
        await asyncio.sleep(answer.after)
        lines = [f"HTTP/1.1 {answer.status} Told", f"Content-Length: {len(answer.body)}", *(f"{name}: {value}" for name, value in answer.headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        await writer.drain()
        return True

    def hang_up(self) -> None:
        """Close every connection that is open."""
        for writer in tuple(self._open):
            writer.close()


@contextlib.asynccontextmanager
async def webhook_sink(port: int = 0) -> AsyncIterator[Sink]:
    """A running sink, on a free port unless one is named."""
    sink = Sink()
    handling: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(sink.serve(reader, writer), name="sink")
        handling.add(task)
        task.add_done_callback(handling.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        sink.hang_up()
        for task in tuple(handling):
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)
        await server.wait_closed()
