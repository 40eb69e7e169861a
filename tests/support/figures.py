"""What a benchmark prints beside its figures: on what they were measured."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import subprocess
import time
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


def used(pids: list[int]) -> float:
    """Processor seconds of these processes so far."""
    ticks = os.sysconf("SC_CLK_TCK")
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / ticks


async def command(*words: str | Path) -> tuple[float, float]:
    """Run a command, which must succeed; its seconds of the clock and of processor time."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
