"""What a service manager is told of the gateway: that it is ready, how it is, that it lives, that it stops.

It restarts what gives no sign of life. So the sign goes out from the loop itself, which a hung loop cannot give, and only
while no commit hangs. A commit that the disk refuses is no reason to be restarted: a restart empties no disk, and the
gateway goes on telling people, and says that it cannot write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from adapters.systemd import Systemd

EVERY: Final = 5.0
"""Seconds between two looks, if the watchdog does not want to hear more often."""
HUNG: Final = 20.0
"""Seconds after which a commit that has neither succeeded nor failed will not come back by itself."""


class Service:
    """Tells the service manager from the loop's thread.

    status: the gateway's state in a line. committing: by name, seconds that the commit under way has taken so far, 0 if
    there is none.
    """

    def __init__(self, systemd: Systemd, status: Callable[[], str], committing: Mapping[str, Callable[[], float]]) -> None:
        self._systemd = systemd
        self._status = status
        self._committing = committing
        self._told = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Everything else was started: say so, and give signs of life from now on."""
        self._told = self._words()
        self._systemd.tell(READY="1", STATUS=self._told)
        self._task = asyncio.create_task(self._live(), name="service manager")

    async def stop(self) -> None:
        """The gateway begins to stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._systemd.tell(STOPPING="1", STATUS="stopping")
        self._systemd.close()

    async def _live(self) -> None:
        watchdog = self._systemd.watchdog
        every = EVERY if watchdog is None else min(EVERY, watchdog / 3)
        while True:
            words = self._words()
            if words != self._told:
                self._systemd.tell(STATUS=words)
                self._told = words
            if watchdog is not None and not self._hung():
                self._systemd.tell(WATCHDOG="1")
            await asyncio.sleep(every)

    def _hung(self) -> list[str]:
        return [name for name, seconds in self._committing.items() if seconds() > HUNG]

    def _words(self) -> str:
        hung = self._hung()
        return f"a commit of the {' and the '.join(hung)} does not come back" if hung else self._status()
