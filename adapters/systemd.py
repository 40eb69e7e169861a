"""Messages to the service manager that started this process, as sd_notify(3) describes them: lines of NAME=VALUE in a datagram."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from typing import Final

log = logging.getLogger("hazgate")
OURS: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
MICROSECOND: Final = 1e-6


class Systemd:
    """The way to the service manager; silent where none asked to be told. Never waits, and never raises: a service manager that cannot be told ends nothing.

    watchdog: seconds within which it wants to hear `WATCHDOG=1`, or None if it does not watch this process.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Take NOTIFY_SOCKET and the watchdog's settings out of the environment, so that no child process speaks in our name."""
        address, span, watched = (environment.pop(name, "") for name in OURS)
        self.watchdog = _seconds(span) if watched in {"", str(os.getpid())} else None
        self._address = _address(address)
        self._failed = False
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        else:
            self.watchdog = None

    def tell(self, **assignments: str) -> None:
        """Send `READY="1"`, `STATUS="…"` and the like in one datagram. A value's line breaks become spaces, for a line is a message."""
        if self._socket is None:
            return
        lines = "\n".join(f"{name}={' '.join(value.splitlines())}" for name, value in assignments.items())
        try:
            self._socket.sendto(lines.encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("the service manager cannot be told how this gateway is: %s", error)
            self._failed = True
        else:
            self._failed = False

    def close(self) -> None:
        """Nothing is told any more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _address(written: str) -> str:
    """A path as it is, an abstract name (written with an @) with its zero byte; empty for anything else."""
    if written.startswith("/"):
        return written
    if written.startswith("@") and len(written) > 1:
        return "\0" + written[1:]
    if written:
        log.warning("NOTIFY_SOCKET=%s is neither a path nor an abstract name: the service manager is told nothing", written)
    return ""


def _seconds(written: str) -> float | None:
    if written.isascii() and written.isdecimal() and int(written) > 0:
        return int(written) * MICROSECOND
    if written:
        log.warning("WATCHDOG_USEC=%s is no number of microseconds: the watchdog is not answered", written)
    return None
