"""How much room there is."""

from __future__ import annotations

import shutil
from pathlib import Path


def free(folder: Path) -> int:
    """Bytes that may still be written to the file system of this folder. Raises OSError."""
    return shutil.disk_usage(folder).free
