"""Changed files while the gateway runs: judged beside the old configuration, which stays if they are not fit.

A configuration that is fit is taken up by an orderly stop of all parts and a start of new ones in the same process, so
it is as safe as a restart, and no safer: the broker keeps what comes meanwhile, and journal and spool say where to go
on. The new parts are built of what was judged, never of files that may have changed again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pydantic import BaseModel

from adapters.secret import Secret
from adapters.signing import open_key
from alerts.alarm import Alarm
from alerts.ports import Permanent
from gateway.config import Config, Problem, Severity, load

log = logging.getLogger("hazgate")

SIGNALS: Final = frozenset({signal.SIGHUP, signal.SIGTERM, signal.SIGINT})
"""Held back between two gateways of one process, so that none is lost and none ends it by default."""


class Reload:
    """Judges changed files and hands on what is fit. On the loop's thread."""

    def __init__(self, config: Config, standing: Callable[[], Iterable[Alarm]], take: Callable[[Config], None]) -> None:
        """`standing`: alarms not normal now. `take` is given a configuration that is fit."""
        self._config = config
        self._standing = standing
        self._take = take
        self._task: asyncio.Task[list[str]] | None = None

    def signaled(self) -> None:
        """SIGHUP came."""
        self._task = self._task or asyncio.create_task(self.judge(), name="reload")

    async def stop(self) -> None:
        """Give up what is being judged."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def judge(self) -> list[str]:
        """Read the files again. Returns why the old configuration stays; nothing if the new one is being taken up."""
        new = await asyncio.to_thread(load, self._config.path)
        reasons = list(self._reasons(new))
        self._task = None
        if isinstance(new, Config) and not reasons:
            log.info("taking up the changed configuration")
            self._take(new)
            return []
        for reason in reasons:
            log.error("the old configuration stays: %s", reason)
        return reasons

    def _reasons(self, new: Config | list[Problem]) -> Iterator[str]:
        if not isinstance(new, Config):
            yield from (str(problem) for problem in new if problem.severity is Severity.ERROR)
            return
        old = self._config.gateway
        if (new.gateway.gateway, new.gateway.data_dir) != (old.gateway, old.data_dir):
            yield "another gateway id or data_dir is another gateway; stop this one and start that"
        yield from _unfit(new, self._standing())
        try:
            for secret in secrets_in(new.gateway):
                secret.reveal()
            open_key(new.gateway.journal.key)
        except Permanent as error:
            yield str(error)
        if new.gateway.api.listen != old.api.listen and new.gateway.api.port:
            yield from _taken(new.gateway.api.host, new.gateway.api.port)


def _unfit(new: Config, standing: Iterable[Alarm]) -> Iterator[str]:
    """A sensor whose alarm stands cannot leave or change its unit: nobody could say any more what the alarm is about."""
    sensors = {(site.site, sensor.id): sensor for site in new.sites for sensor in site.sensors}
    for alarm in standing:
        if alarm.sensor is None:
            continue
        sensor = sensors.get((alarm.site, alarm.sensor))
        if sensor is None:
            yield f"{alarm.site}: sensor {alarm.sensor} cannot be taken out while its alarm {alarm.id} is not normal"
        elif alarm.unit is not None and sensor.unit != alarm.unit:
            yield f"{alarm.site}: sensor {alarm.sensor} cannot change its unit while its alarm {alarm.id} is not normal"


def _taken(host: str, port: int) -> Iterator[str]:
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        yield f"the interface cannot listen on {host}:{port}: {error.strerror or error}"


def secrets_in(model: object) -> Iterator[Secret]:
    """Every secret that settings name, wherever in them."""
    if isinstance(model, Secret):
        yield model
    elif isinstance(model, BaseModel):
        for name in type(model).model_fields:
            yield from secrets_in(getattr(model, name))
    elif isinstance(model, dict | list | tuple):
        for value in model.values() if isinstance(model, dict) else model:
            yield from secrets_in(value)
