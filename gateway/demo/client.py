"""The gateway's HTTP interface as a stranger uses it."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from alerts.ports import Transient

WITHIN: Final = 5.0
"""Seconds for an answer."""
PREFIX: Final = "/api/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is JSON."""

    status: int
    body: bytes

    @property
    def refusal(self) -> str:
        """Why it was refused, in the gateway's word for it or the sentence of its problem; empty for a success."""
        if self.status < 400:
            return ""
        problem = json.loads(self.body)
        return str(problem.get("reason") or problem.get("detail") or problem.get("title") or self.status)


class Client:
    """Asks and commands over loopback. Every call opens a connection of its own; all raise Transient when nobody answers."""

    def __init__(self, port: int, token: str = "") -> None:
        """`token`: whose commands they are; reads need none."""
        self.port = port
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str) -> Answer:
        """Read `path` (below /api/v1)."""
        return await asyncio.to_thread(self.ask, "GET", path, None)

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Command."""
        return await asyncio.to_thread(self.ask, "POST", path, json.dumps(body).encode())

    def ask(self, method: str, path: str, body: bytes | None) -> Answer:
        """The same, blocking."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN)
        try:
            connection.request(method, PREFIX + path, body, self._headers | ({"Content-Type": "application/json"} if body else {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"the gateway does not answer over HTTP: {error}") from error
        finally:
            connection.close()
