"""A gateway's real parts in the test's own process, on a folder of its own, without recorder and, if not asked for, broker."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from support.sites import ESCALATION, sensor

from alerts.reading import SECOND
from gateway.app import App
from gateway.config import Config, load

NOWHERE = "mqtt://127.0.0.1:9"
PEOPLE: list[dict[str, Any]] = [
    {"id": "li", "name": "李工", "role": "officer", "reach": ["desk", "phone"]},
    {"id": "wang", "name": "王主任", "role": "leader", "reach": ["phone", "desk"]},
    {"id": "an", "role": "viewer", "reach": ["desk"]},
]
ALL_DAY = {"from": "00:00", "to": "24:00", "days": "daily"}
ROTA = [{"role": role, "shifts": [{"people": [person], **ALL_DAY}]} for role, person in (("officer", "li"), ("leader", "wang"))]


def site_file(*sensors: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a site file holds: officer li, leader wang, viewer an; two gas heads unless others are given."""
    made = {
        "site": "north",
        "name": "北罐区",
        "timezone": "Asia/Shanghai",
        "zones": [{"id": "pumps", "name": "泵区", "hazard": "LPG"}],
        "sensors": list(sensors or (sensor("GT-1"), sensor("GT-2"))),
        "people": PEOPLE,
        "rota": ROTA,
        "escalation": ESCALATION,
        "last_resort": {"tell": ["wang"]},
        "change": {"by": "wang", "reason": "test"},
    }
    return made | changes


def gateway_file(broker: str = NOWHERE, **changes: Any) -> dict[str, Any]:
    """What a gateway's file holds; its channels lead nowhere."""
    channel = {"kind": "webhook", "url": "http://127.0.0.1:9/told", "timeout": "1s", "deadline": "1s"}
    made = {
        "gateway": "north-01",
        "data_dir": "./data",
        "broker": {"url": broker},
        "api": {"listen": "127.0.0.1:0"},
        "sites": ["north.yaml"],
        "heartbeat": "none",
        "override_reason": {"heartbeat": "a test"},
        "notify": {"desk": channel, "phone": channel},
    }
    return made | changes


def write(folder: Path, site: dict[str, Any] | None = None, gateway: dict[str, Any] | None = None) -> Path:
    """Both files in a folder, as JSON, which is YAML; the path of the gateway's."""
    (folder / "north.yaml").write_text(json.dumps(site or site_file(), indent=1, ensure_ascii=False), encoding="utf-8")
    path = folder / "hazgate.yaml"
    path.write_text(json.dumps(gateway or gateway_file(), indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def loaded(path: Path) -> Config:
    """The configuration; fails with its problems."""
    config = load(path)
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


@dataclass(frozen=True)
class Running:
    """A gateway whose interface can be asked over HTTP."""

    app: App
    client: httpx.AsyncClient

    def token(self, person: str, lifetime: int = 3600 * SECOND) -> str:
        """A new token of somebody."""
        return self.app.desk.tokens.create(person, self.app.clock.now(), lifetime)[0]

    def login(self, person: str) -> dict[str, str]:
        """Headers of a request with a new token."""
        return {"Authorization": f"Bearer {self.token(person)}"}

    def reads(self, *values: float, name: str = "GT-1", device: str = "rtu-1") -> None:
        """Readings arrive, one message each."""
        for value in values:
            self.app.pipeline.message(f"hazgate/v1/north/{device}/readings", json.dumps({"sensor": name, "value": value}).encode(), retained=False, token=0)

    async def get(self, path: str, **options: Any) -> Any:
        """What a read under /api/v1 answers; fails unless it is 200."""
        answer = await self.client.get(f"/api/v1{path}", **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, who: str = "li", /, **body: Any) -> httpx.Response:
        """A command of somebody under /api/v1."""
        return await self.client.post(f"/api/v1{path}", headers=self.login(who), json=body)


@contextlib.asynccontextmanager
async def running(path: Path, *without: str) -> AsyncIterator[Running]:
    """Start the parts of the gateway of a file, but for the recorder and those named, and stop them."""
    app = App(loaded(path))
    steps = [step for step in app.steps() if step[0] not in {"recorder", *without}]
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(app._lock.release)
        for _, start, stop in steps:
            await start()
            stack.push_async_callback(stop)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.http.port}", trust_env=False))
        yield Running(app, client)
