"""What a benchmark prints beside its figures: on what they were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores, Python and the libraries that matter."""
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("paho-mqtt", "numpy", "duckdb", "uvloop", "pydantic"))
    broker = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    return f"{model}, {os.cpu_count()} cores; Python {platform.python_version()}; {libraries}; {broker}"


def resident(pid: int) -> float:
    """Resident set of a process, MiB."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmRSS"))) / 1024


def children(pid: int) -> list[int]:
    """Processes that this one started."""
    return [int(each) for path in Path(f"/proc/{pid}/task").glob("*/children") for each in path.read_text().split()]
