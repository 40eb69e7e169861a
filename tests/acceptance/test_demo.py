"""`hazgate demo` as a stranger runs it: real broker, gateway, simulators, and a foreign listener beside them.

All demos start at once and are waited for one by one, so that the file takes as long as the longest of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from support.wait import eventually

HAZGATE = str(Path(sys.executable).parent / "hazgate")
WITHOUT_MOSQUITTO = """\
import shutil, sys
found = shutil.which
shutil.which = lambda name, *a, **k: None if name == "mosquitto" else found(name, *a, **k)
from gateway.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""The demo on a machine where mosquitto is not installed."""
KEYS = ["published", "received", "stored", "spooled", "pending", "quarantined", "duplicate", "dropped"]
KEYS += ["alarms", "transitions", "notifications", "p50_ms", "p99_ms"]


class Run:
    """A demo under way, its output in files, in a session of its own as a terminal would give it."""

    def __init__(self, folder: Path, name: str, command: list[str], **options: Any) -> None:
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True, cwd=folder, **options)

    @property
    def out(self) -> str:
        """What it printed on stdout so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it printed on stderr so far."""
        return self._err.read_text()

    @property
    def port(self) -> str | None:
        """Of its broker, once it said so."""
        said = re.search(r"^broker \w+ on 127\.0\.0\.1:(\d+)", self.err, re.MULTILINE)
        return said and said[1]

    async def ended(self, within: float = 100) -> int:
        """Its exit status."""
        await eventually(lambda: self.process.poll() is not None, within=within, every=0.1)
        return int(self.process.returncode)

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of stdout."""
        read = json.loads(self.out.splitlines()[-1])
        assert isinstance(read, dict)
        return read


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Demos that play side by side."""
    folder = tmp_path_factory.mktemp("demo")
    play = ["demo", "--headless", "--json", "--seconds"]
    started = {
        "whole": Run(folder, "whole", [HAZGATE, *play, "50"]),
        "blind": Run(folder, "blind", [HAZGATE, *play, "20"], env=os.environ | {"HAZGATE_FAULT": "detect"}),
        "amqtt": Run(folder, "amqtt", [sys.executable, "-P", "-c", WITHOUT_MOSQUITTO, *play, "46"]),
        "confined-space": Run(folder, "confined-space", [HAZGATE, *play, "55", "confined-space"]),
        "fire-water": Run(folder, "fire-water", [HAZGATE, *play, "65", "fire-water"]),
    }
    yield started
    for run in started.values():
        with contextlib.suppress(ProcessLookupError):
            run.process.terminate()
        run.process.wait(30)


@contextlib.contextmanager
def listening(port: str, file: IO[bytes]) -> Iterator[None]:
    """A foreign mosquitto_sub for everything about alarms."""
    topics = ["-t", "hazgate/v1/demo/alarm-events", "-t", "hazgate/v1/demo/alarms/#"]
    command = ["stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-q", "1", "-v", *topics]
    process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def parts_of(pid: int) -> set[int]:
    """The processes below one, the whole tree."""
    tree: dict[int, set[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            tree.setdefault(int(fields[1]), set()).add(int(stat.parent.name))
    found: set[int] = set()
    ahead = {pid}
    while ahead:
        ahead = {child for parent in ahead for child in tree.get(parent, set())}
        found |= ahead
    return found


def left_in(folder: Path) -> list[Path]:
    """Temporary folders of demos."""
    return list(folder.glob("hazgate-demo-*"))


def gone(pids: set[int]) -> Callable[[], bool]:
    """Whether none of these processes runs any more."""

    def look() -> bool:
        return not any(Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text() for pid in pids)

    return look


async def test_a_foreign_listener_sees_the_incident_that_the_summary_counts(runs: dict[str, Run], tmp_path: Path) -> None:
    run = runs["whole"]
    port = await eventually(lambda: run.port, within=40)
    with (tmp_path / "heard").open("wb") as file, listening(str(port), file):
        assert await run.ended() == 0, run.err
    lines = (tmp_path / "heard").read_text().splitlines()
    topic = "hazgate/v1/demo/alarm-events "
    events = [json.loads(line.removeprefix(topic)) for line in lines if line.startswith(topic)]
    summary = run.summary
    assert list(summary) == KEYS
    assert len(events) == summary["transitions"]
    assert len({event["occurrence"] for event in events}) == summary["alarms"]
    red = [event["event"] for event in events if event["alarm"] == "GT-101.high_high"]
    assert red == ["raise", "acknowledge", "return", "reset"]
    assert {event["by"] for event in events if event["event"] == "reset"} == {"li"}
    assert "hazgate/v1/demo/alarms/GT-101.high_high (null)" in lines


async def test_the_whole_demo_balances_and_is_over_in_time(runs: dict[str, Run]) -> None:
    run = runs["whole"]
    assert await run.ended() == 0, run.err
    summary = run.summary
    assert summary["published"] == summary["received"] == 60 * 50
    assert summary["stored"] + sum(summary[key] for key in KEYS[3:8]) == summary["received"]
    assert summary["stored"] == summary["published"]
    assert summary["notifications"] >= 10
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]
    over = re.search(r"^ *([\d.]+) s  the incident is over", run.err, re.MULTILINE)
    assert over is not None, run.err
    assert float(over[1]) < 45
    assert "officer li 李工 acknowledged GT-101.high_high (red)" in run.err


async def test_with_detection_switched_off_the_demo_fails_and_says_why(runs: dict[str, Run]) -> None:
    run = runs["blind"]
    assert await run.ended() == 1
    assert "the gateway ran with the fault point detect: it did not do its work" in run.err
    assert "GT-101.high: raise (orange) was due by 12.0 s and never came" in run.err
    assert run.summary["alarms"] == 0
    assert run.summary["stored"] == run.summary["published"]


async def test_without_mosquitto_the_broker_in_python_serves_and_its_weakness_is_named(runs: dict[str, Run]) -> None:
    run = runs["amqtt"]
    assert await run.ended() == 0, run.err
    assert "broker amqtt" in run.err
    assert "restarting the gateway is not safe on it" in run.err
    assert run.summary["stored"] == run.summary["published"]


async def test_the_live_view_shows_the_alarm_follows_the_terminal_and_ctrl_c_leaves_nothing_behind() -> None:
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    # setsid makes the terminal the demo's own, so that the character Ctrl-C becomes a signal, as it does for a person
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")} | {"TERM": "xterm-256color"}
    process = await asyncio.create_subprocess_exec("setsid", "--ctty", HAZGATE, "demo", stdin=inside, stdout=inside, stderr=inside, env=environment)
    os.close(inside)
    shown = bytearray()
    loop = asyncio.get_running_loop()
    loop.add_reader(terminal, _take, terminal, shown)
    try:
        await eventually(lambda: b"\x1b[?1049h" in shown)
        await eventually(lambda: b"GT-101.high" in shown and b"told li" in shown, within=30)
        assert b"Asia/Shanghai" not in shown
        termios.tcsetwinsize(terminal, (60, 200))
        await eventually(lambda: b"Asia/Shanghai" in shown)
        parts = parts_of(process.pid)
        assert len(parts) >= 5
        os.write(terminal, b"\x03")
        await asyncio.wait_for(process.wait(), 30)
        await eventually(gone(parts))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        loop.remove_reader(terminal)
        _take(terminal, shown)
        os.close(terminal)
    assert process.returncode == 1
    before, _, after = shown.decode(errors="replace").rpartition("\x1b[?1049l")
    assert "\x1b[?25h" in before[-2000:] + after
    assert "Traceback" not in after
    assert "the incident was not over" in after


def _take(terminal: int, shown: bytearray) -> None:
    with contextlib.suppress(OSError):
        shown += os.read(terminal, 65536)


async def test_a_demo_that_is_killed_takes_its_processes_with_it(tmp_path: Path) -> None:
    run = Run(tmp_path, "killed", [HAZGATE, "demo", "--headless"], env=os.environ | {"TMPDIR": str(tmp_path)})
    await eventually(lambda: "60 sensors report" in run.err, within=30)
    parts = parts_of(run.process.pid)
    assert len(parts) >= 5
    run.process.kill()
    run.process.wait(10)
    await eventually(gone(parts))


async def test_stopped_while_it_starts_the_demo_says_so_and_leaves_no_file(tmp_path: Path) -> None:
    run = Run(tmp_path, "stopped", [HAZGATE, "demo", "--headless"], env=os.environ | {"TMPDIR": str(tmp_path)})
    await eventually(lambda: "broker" in run.err, within=30)
    parts = parts_of(run.process.pid)
    run.process.send_signal(signal.SIGTERM)
    assert await run.ended(30) == 1
    assert run.err.splitlines()[-1] == "stopped before the incident began"
    await eventually(gone(parts))
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "seconds", "sensors", "done"),
    [
        ("confined-space", 55, 9, "officer li 李工 reset OT-801.low_low (red)"),
        ("fire-water", 65, 9, "officer li 李工 acknowledged PT-922.low_low (orange)"),
    ],
    ids=["confined-space", "fire-water"],
)
async def test_a_site_of_another_kind_plays_its_own_incident_to_its_end(runs: dict[str, Run], name: str, seconds: int, sensors: int, done: str) -> None:
    """Last in the file, so that these long ones play while the others are looked at."""
    run = runs[name]
    assert await run.ended() == 0, run.err
    assert list(run.summary) == KEYS
    assert run.summary["stored"] == run.summary["published"] == sensors * seconds
    assert done in run.err
    assert run.err.count("the incident is over: every alarm of a limit has ended") == 1
