"""Where a command writes its result."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from alerts.ports import Permanent


@contextlib.contextmanager
def opened_output(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that appears under its name only when it is complete. Raises Permanent."""
    if path is None:
        yield sys.stdout
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise Permanent(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
