"""The lock on a data directory: one gateway at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from alerts.ports import HazgateError


class InUse(HazgateError):
    """Another process holds the data directory."""


class DirectoryLock:
    """Holds `data_dir/lock` until it is released or the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        """Take the lock. Raises InUse, naming the holder's process id, if another process has it."""
        self._handle = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise InUse(f"{data_dir} is in use by process {holder}; one data directory serves one gateway") from error
        with contextlib.suppress(OSError):  # on a full disk the lock holds all the same; the number is for people
            os.ftruncate(self._handle, os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0))

    def release(self) -> None:
        """Give it up."""
        os.close(self._handle)
