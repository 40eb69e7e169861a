"""A real gateway as its own process, with the files, sockets and environment a site would give it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from support.servers import Mosquitto, free_port
from support.sink import Sink
from support.sites import ESCALATION, PEOPLE, ROTA
from support.wait import eventually

START_WITHIN = 40.0
STOP_WITHIN = 20.0
HAZGATE = str(Path(sys.executable).parent / "hazgate")


def site_file(*sensors: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A site file of these sensors with officer li and leader wang; `changes` replace top-level keys."""
    zones = list(dict.fromkeys(sensor["zone"] for sensor in sensors))
    made = {
        "site": "north",
        "timezone": "Asia/Shanghai",
        "zones": [{"id": zone} for zone in zones],
        "sensors": [dict(sensor) for sensor in sensors],
        "people": PEOPLE,
        "rota": ROTA,
        "escalation": ESCALATION,
        "last_resort": {"tell": ["wang"]},
        "change": {"by": "wang", "approved": "2026-11-20", "reason": "test"},
    }
    return made | changes


def _yaml(value: Mapping[str, Any]) -> str:
    # JSON is YAML, and has no aliases for values that stand twice
    return json.dumps(dict(value), ensure_ascii=False, indent=1, default=str)


class Gateway:
    """`hazgate run` in `folder`; the same data directory over restarts."""

    def __init__(self, folder: Path, broker: str, sites: Sequence[Mapping[str, Any]], sink: str, /, **changes: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        """Where its data directory is seen from here."""
        self.port = free_port()
        self.config = folder / "hazgate.yaml"
        names = [f"{site['site']}.yaml" for site in sites]
        for name, site in zip(names, sites, strict=True):
            (folder / name).write_text(_yaml(site))
        made: dict[str, Any] = {
            "gateway": "north-01",
            "data_dir": str(folder / "data"),
            "broker": {"url": broker, "keepalive": "2s"},
            "api": {"listen": f"127.0.0.1:{self.port}"},
            "sites": names,
            "heartbeat": "none",
            "override_reason": {"heartbeat": "a test watches itself"},
            "notify": {name: {"kind": "webhook", "url": f"{sink}/{name}", "timeout": "1s"} for name in ("desk", "phone")},
        }
        self.config.write_text(_yaml(made | changes))
        self._process: asyncio.subprocess.Process | None = None
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=20)

    @property
    def pid(self) -> int:
        """Of the running process."""
        return int((self.data / "lock").read_text())

    @property
    def log(self) -> str:
        """What it has logged, over restarts."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self, *, fault: str = "", prefix: Sequence[str] = (), ready: bool = True) -> None:
        """Run it, under `prefix` (strace …) if given, until it takes readings in (or, with a fault, until it is connected)."""
        environment = os.environ | {"HAZGATE_FAULT": fault, "PYTHONUNBUFFERED": "1"}
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *prefix, HAZGATE, "run", str(self.config), stdout=log, stderr=log, env=environment, start_new_session=True
            )
        if ready:
            await eventually(self._ready, within=START_WITHIN)

    async def _ready(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"the gateway ended:\n{self.log[-3000:]}")
        with contextlib.suppress(httpx.HTTPError):
            answer = await self.client.get("/api/v1/health")
            body = answer.json()
            return answer.status_code == 200 or (body.get("link") == "up" and bool(body.get("faults")))
        return False

    async def stop(self) -> int:
        """SIGTERM; its exit status."""
        return await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to the gateway alone: its recorder must end by itself."""
        await self._end(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit status when it ends by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), STOP_WITHIN)

    async def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            if process.returncode is None:
                # under strace the process we started is not the gateway; its lock says who is
                os.kill(int((self.data / "lock").read_text() or process.pid), number)
        try:
            return await asyncio.wait_for(process.wait(), STOP_WITHIN)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def get(self, path: str) -> Any:
        """The JSON of a GET under /api/v1."""
        answer = await self.client.get(f"/api/v1/{path}")
        answer.raise_for_status()
        return answer.json()

    async def token(self, person: str) -> str:
        """An API token of that person, made by the command line."""
        process = await asyncio.create_subprocess_exec(
            HAZGATE, "token", "create", "--config", str(self.config), "--person", person, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    async def post(self, path: str, token: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """A POST under /api/v1 in the name of the token's person."""
        return await self.client.post(f"/api/v1/{path}", json=dict(body or {}), headers={"Authorization": f"Bearer {token}"})

    async def alarms(self, site: str = "north") -> dict[str, str]:
        """Id -> state of every alarm that is not normal."""
        page = await self.get(f"sites/{site}/alarms")
        return {alarm["alarm"]: alarm["state"] for alarm in page["alarms"]}


@contextlib.asynccontextmanager
async def gateway(folder: Path, broker: Mosquitto, sink: Sink, /, *sites: Mapping[str, Any], **changes: Any) -> AsyncIterator[Gateway]:
    """A gateway that is not yet started; it is stopped, and its client closed, at the end."""
    made = Gateway(folder, broker.url, sites, sink.url, **changes)
    try:
        yield made
    finally:
        await made.stop()
        await made.client.aclose()


def reading(sensor: str, value: float | None, **changes: Any) -> bytes:
    """A reading's payload."""
    return json.dumps({"sensor": sensor, "value": value} | changes).encode()
