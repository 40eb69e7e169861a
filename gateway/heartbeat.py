"""The outgoing heartbeat: the gateway says regularly, to somebody elsewhere, that it lives and whether it does its work.

Who receives it raises the alarm when it stays away: a machine that has burned says nothing. It leaves from the loop itself,
which a hung loop cannot do. A beat that does not arrive is not tried again, for the next one comes soon.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Literal

from adapters.notify.webhook import Webhook, WebhookSettings
from alerts.ports import Permanent, Transient
from alerts.reading import SECOND
from gateway import settings
from gateway.api.models import Health
from gateway.view import View

log = logging.getLogger("hazgate.heartbeat")
PATIENCE: Final = 5 * SECOND
"""ns for an answer, or less if beats are more frequent."""


class Heartbeat:
    """Beats while the gateway runs: what `GET health` answers, as a POST. On the loop's thread."""

    def __init__(self, wanted: settings.Heartbeat | Literal["none"], view: View) -> None:
        """`none` beats never."""
        self._every = 0 if wanted == "none" else wanted.every
        self._webhook = None if wanted == "none" else Webhook(WebhookSettings(kind="webhook", url=wanted.url, timeout=min(PATIENCE, wanted.every)))
        self._view = view
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Send the first beat now, and the others after it."""
        if self._webhook is not None:
            self._task = asyncio.create_task(self._beat(self._webhook), name="heartbeat")

    async def stop(self) -> None:
        """Beat no more: whoever listens notices."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._webhook is not None:
            await self._webhook.close()

    async def _beat(self, webhook: Webhook) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._send(webhook)
            due = max(due + self._every / SECOND, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _send(self, webhook: Webhook) -> None:
        try:
            await webhook.post(Health.of(self._view).model_dump_json().encode(), {})
        except (Transient, Permanent) as error:
            self._view.heartbeats["failed"] += 1
            self._tell(str(error))
        else:
            self._view.heartbeats["taken"] += 1
            self._tell("")

    def _tell(self, trouble: str) -> None:
        """Into the log, once for each change: beats are many."""
        if bool(trouble) == bool(self._trouble):
            return
        self._trouble = trouble
        if trouble:
            log.warning("the heartbeat is not taken: %s; whoever listens to it takes this gateway for dead", trouble)
        else:
            log.info("the heartbeat is taken again")
