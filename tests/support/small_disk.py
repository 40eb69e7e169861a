"""A small disk of its own for a gateway's data directory: 64 MB of memory, mounted in a namespace that needs no rights.

with small_disk(folder) as disk:
    ... a gateway that is started with `disk.prefix` finds it at `folder`; the test finds it at `disk.seen`
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FORBIDDEN = (
    "this test mounts a disk of 64 MB in a namespace of its own (`unshare --map-root-user --mount`), and this machine forbids that: {}. "
    "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or a container with CAP_SYS_ADMIN)"
)


@dataclass(frozen=True)
class SmallDisk:
    """The disk, while its holder lives. prefix: of a command that is to find it mounted. seen: where it is seen from here."""

    prefix: tuple[str, ...]
    seen: Path

    def fill(self, name: str = "ballast") -> None:
        """Take all that is left, as somebody else's files would."""
        with (self.seen / name).open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))

    def empty(self, *names: str) -> None:
        """Give it back."""
        for name in names or ("ballast",):
            (self.seen / name).unlink()

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return shutil.disk_usage(self.seen).free


@contextlib.contextmanager
def small_disk(folder: Path, size: str = "64m") -> Iterator[SmallDisk]:
    """A disk mounted at `folder`, which must exist. Fails with a sentence where that cannot be."""
    script = f'mount -t tmpfs -o size={size},mode=0750 none "$0" && echo mounted && exec sleep infinity'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if holder.stdout.readline() != "mounted\n":
            pytest.fail(FORBIDDEN.format(holder.stderr.read().strip()))
        prefix = ("nsenter", f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials", f"--wd={Path.cwd()}")
        yield SmallDisk(prefix, Path(f"/proc/{holder.pid}/root{folder.resolve()}"))
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        holder.stderr.close()
