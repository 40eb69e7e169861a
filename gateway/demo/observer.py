"""Keeps the picture up to date by asking the gateway over HTTP, several times a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from alerts.ports import Transient
from gateway.api.models import AlarmBody, AlarmPage, BalanceBody, Health, RotaBody, SensorBody, SensorPage, SiteBody
from gateway.demo.client import Client
from gateway.demo.picture import Picture

EVERY: Final = 0.2
"""Seconds between two looks at alarms and zones."""
RARELY: Final = 3
"""Sensors, balance and health are looked at only every so many looks: they change once a second."""


class Observer:
    """Looks at one site. A gateway that does not answer leaves the picture as it was."""

    def __init__(self, client: Client, site: str, picture: Picture, now: Callable[[], int]) -> None:
        self._client = client
        self._site = f"/sites/{site}"
        self._picture = picture
        self._now = now

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            # a gateway that stops answers with a problem, or not at all
            with contextlib.suppress(Transient, ValidationError):
                await self.look(everything=looks % RARELY == 0)
            looks += 1
            await asyncio.sleep(EVERY)

    async def look(self, *, everything: bool) -> None:
        """Look once. Raises Transient when nobody answers, ValidationError for an answer of another form."""
        picture = self._picture
        picture.alarms = await self._alarms()
        picture.site = SiteBody.model_validate_json((await self._client.get(self._site)).body)
        if everything:
            picture.take_sensors(await self._sensors())
            picture.take_balance(await self.balance(), self._now())
            picture.health = Health.model_validate_json((await self._client.get("/health")).body)

    async def balance(self) -> BalanceBody:
        """The gateway's balance at this moment. Raises as `look`."""
        return BalanceBody.model_validate_json((await self._client.get("/balance")).body)

    async def duty(self) -> RotaBody:
        """Who is on duty. Raises as `look`."""
        return RotaBody.model_validate_json((await self._client.get(f"{self._site}/rota")).body)

    async def _alarms(self) -> list[AlarmBody]:
        found: list[AlarmBody] = []
        offset: int | None = 0
        while offset is not None:
            page = AlarmPage.model_validate_json((await self._client.get(f"{self._site}/alarms?limit=100&offset={offset}")).body)
            found += page.alarms
            offset = page.next_offset
        return found

    async def _sensors(self) -> list[SensorBody]:
        found: list[SensorBody] = []
        offset: int | None = 0
        while offset is not None:
            page = SensorPage.model_validate_json((await self._client.get(f"{self._site}/sensors?limit=500&offset={offset}")).body)
            found += page.sensors
            offset = page.next_offset
        return found
