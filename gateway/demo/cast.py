"""The cast of the demo: broker, gateway, listener and simulator as processes, the receiver of webhooks, and what all of them say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from adapters.clock import SystemClock
from alerts.ports import Transient
from gateway.api.models import Health
from gateway.demo import brokers, parts
from gateway.demo.client import Client
from gateway.demo.heard import Heard, Told
from gateway.demo.listener import SUBSCRIBED
from gateway.demo.parts import EndedAtStart, Part
from gateway.demo.picture import Picture
from gateway.demo.receiver import Receiver
from gateway.demo.reckoning import Simulated

T = TypeVar("T")

PREFIX: Final = "hazgate/v1"
READY_WITHIN: Final = 30.0
PHASE: Final = re.compile(r"\s*[\d.]+ s  ([\w-]+): (.*)")
"""How `hazgate simulate` tells that a phase begins."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. site: its id, in `site_file`. seconds: how long the site lives; None until stopped."""

    scenario: Path
    site: str
    site_file: Path
    seconds: int | None


class Cast:
    """Whoever plays, and the folder for their files. Everything heard goes into the picture. One event loop.

    simulated: the simulator's result, once it has given it. on_told: called for each message to a person.
    """

    def __init__(self, plan: Plan, picture: Picture, folder: Path) -> None:
        self.simulated: Simulated | None = None
        self.parts: list[Part] = []
        self.data_dir = folder / "data"
        self.on_told: Callable[[Told], None] = lambda _told: None
        self._plan = plan
        self._picture = picture
        self._folder = folder
        self._name = f"demo-{secrets.token_hex(4)}"
        self._clock = SystemClock()
        self._subscribed = False
        self._receiver = Receiver(self._clock, self._told)
        self._loop = asyncio.get_running_loop()

    async def start_broker(self) -> brokers.Broker:
        """The broker, on a free port of loopback. Raises Unplayable."""
        broker = await _on_a_free_port(lambda port: brokers.start(self._folder, port))
        self.parts.append(broker.part)
        self._picture.broker, self._picture.remark = broker.part.name, broker.remark
        return broker

    async def start_gateway(self, broker: str) -> Client:
        """The gateway and the demo's own ear at the broker; both are connected afterwards. The way to the gateway. Raises Unplayable."""
        self._receiver.start()
        ear = await self._part("listener", [*parts.PYTHON, "gateway.demo.listener", broker, PREFIX, self._plan.site], self._on_event)
        client = await _on_a_free_port(lambda port: self._gateway(broker, port))
        await parts.until(lambda: self._subscribed, ear, READY_WITHIN)
        return client

    async def _gateway(self, broker: str, port: int) -> Client:
        client, config = Client(port), self._folder / "hazgate.yaml"
        config.write_text(json.dumps(self._config(broker, port)))
        gateway = await self._part("gateway", [*parts.PYTHON, "gateway.cli.main", "run", str(config)])
        try:
            await parts.until(lambda: self._takes_readings(client), gateway, READY_WITHIN)
        except EndedAtStart:
            self.parts.remove(gateway)
            raise
        return client

    def _config(self, broker: str, port: int) -> dict[str, object]:
        return {
            "gateway": self._name,
            "data_dir": str(self.data_dir),
            "broker": {"url": broker},
            "api": {"listen": f"127.0.0.1:{port}"},
            "sites": [str(self._plan.site_file)],
            "heartbeat": "none",
            "override_reason": {"heartbeat": "a demonstration, watched by whoever started it"},
            "notify": {name: {"kind": "webhook", "url": f"{self._receiver.url}/{name}"} for name in ("desk", "phone")},
        }

    def _takes_readings(self, client: Client) -> bool:
        """Whether our gateway, and not somebody else's on that port, is connected; with a fault point it never says that it is well."""
        try:
            health = Health.model_validate_json(client.ask("GET", "/health", None).body)
        except (Transient, ValidationError):
            return False
        if health.gateway != self._name:
            return False
        self._picture.health = health
        return health.ingesting or (health.link == "up" and bool(health.faults))

    async def start_simulator(self, broker: str) -> Part:
        """The site comes to life."""
        duration = ["--seconds", str(self._plan.seconds or 0)]
        command = [*parts.PYTHON, "gateway.cli.main", "simulate", str(self._plan.scenario), "--broker", broker, "--json", *duration]
        return await self._part("simulator", command, self._on_simulator)

    async def _part(self, name: str, command: list[str], heard: Callable[[str], None] | None = None) -> Part:
        part = await parts.start(name, command, self._folder, heard)
        self.parts.append(part)
        return part

    def kill(self) -> None:
        """End all processes now."""
        for part in self.parts:
            part.kill()

    async def stop(self) -> None:
        """End everybody in order, the last to start first."""
        for part in reversed(self.parts):
            await part.stop()
        await asyncio.to_thread(self._receiver.stop)

    def _on_event(self, line: str) -> None:
        if line == SUBSCRIBED:
            self._subscribed = True
        elif line.startswith("{"):
            self._picture.heard(Heard.model_validate_json(line))

    def _on_simulator(self, line: str) -> None:
        phase = PHASE.fullmatch(line)
        if phase is not None:
            self._picture.phase(phase[1], phase[2], self._clock.now())
        elif line.startswith("{"):
            self.simulated = Simulated.model_validate_json(line)

    def _told(self, told: Told) -> None:
        """On a thread of the receiver."""
        with contextlib.suppress(RuntimeError):
            # the loop may be gone when the last message comes
            self._loop.call_soon_threadsafe(self._hear_told, told)

    def _hear_told(self, told: Told) -> None:
        self._picture.was_told(told)
        self.on_told(told)


async def _on_a_free_port(start: Callable[[int], Awaitable[T]]) -> T:
    """What `start` makes on a port; on another one if it ended at once, as it does when somebody was faster. Raises EndedAtStart."""
    for _ in range(parts.TRIES - 1):
        with contextlib.suppress(EndedAtStart):
            return await start(parts.free_port())
    return await start(parts.free_port())
