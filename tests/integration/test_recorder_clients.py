"""Clients of the history socket that do not do their part are let go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway import recorder
from gateway.history import SOCKET
from gateway.recorder import Recorder


@pytest.mark.parametrize("said", [b"", b'{"ask": "count"'], ids=["nothing", "half a question"])
async def test_a_client_that_does_not_ask_is_let_go(said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "ASK_WITHIN", 0.2)
    orders = {"data_dir": str(tmp_path), "store": {"kind": "duckdb"}, "after": 0, "keep": 1}
    server = await asyncio.start_unix_server(Recorder(orders, lambda _report: None)._answer, sock=recorder._listen(tmp_path))
    reader, writer = await asyncio.open_unix_connection(tmp_path / SOCKET)
    writer.write(said)
    async with asyncio.timeout(15):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
