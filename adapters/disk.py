"""How much room there is, and a reserve of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

RESERVE: Final = 32 * 2**20
"""Bytes."""


def free(folder: Path) -> int:
    """Bytes that may still be written to the file system of this folder. Raises OSError."""
    return shutil.disk_usage(folder).free


class Reserve:
    """Room on the disk that is given up when there is no other: on a full disk a database cannot even delete.

    One file, `reserve`, in the data directory; only whoever holds the directory's lock may use it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"
        self.held = self._path.exists()
        """Whether the room is there to be given up."""

    def build(self) -> None:
        """Take the room. Raises OSError, and leaves nothing behind, if there is not enough."""
        part = self._path.with_name(".reserve.part")
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(handle, 0, RESERVE)
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self.held = True

    def give_up(self) -> None:
        """Let others have it. Raises OSError."""
        self._path.unlink(missing_ok=True)
        self.held = False
