"""Real databases on loopback for the tests of the store: started on free ports, waited for, stopped within bounds.

with influxd() as server:
    settings = server.settings(server.create())
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from support.servers import free_port

from adapters.influx import InfluxSettings

START_WITHIN = 20.0
STOP_WITHIN = 15.0
UNKNOWN = "of unknown version"
ELSEWHERE = "HAZGATE_TEST_INFLUX"
"""Environment variable: address of any InfluxDB that the suite is to be run against as well, such as
`http://127.0.0.1:8086?version=2&org=o&token=t` (an all-access token) or `http://127.0.0.1:8181?version=3&token=t`."""


class Server:
    """A database process of its own folder and port; survives `stop` and `start` with what it holds."""

    def __init__(self, folder: Path, port: int, command: list[str], ready: str) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=10)
        self._command = command
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    @property
    def log(self) -> str:
        """What it has said, over restarts."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Run it and wait until it answers. Fails with its log if it ends instead."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.folder, env=os.environ | {"HOME": str(self.folder)})
        deadline = time.perf_counter() + START_WITHIN
        while True:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get(self._ready).is_success:
                    return
            if self._process.poll() is not None or time.perf_counter() > deadline:
                raise RuntimeError(f"{self._command[0]} did not start:\n{self.log[-3000:]}")
            time.sleep(0.02)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by that signal; killed if that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """End it as a crash would."""
        self.stop(signal.SIGKILL)

    def suspend(self) -> None:
        """Stop it as with Ctrl-Z: connections stay open, and nothing answers. `kill` ends it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def proceed(self) -> None:
        """Let it go on after `suspend`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def name(self) -> str:
        """A name for a database that nobody has used yet."""
        return f"test_{os.getpid()}_{next(self._numbers)}"

    def ask(self, database: str, statement: str) -> list[dict[str, Any]]:
        """The series that an InfluxQL statement answers with."""
        answer = self.client.post("/query", data={"db": database, "q": statement, "epoch": "ns"})
        (result,) = answer.raise_for_status().json()["results"]
        assert "error" not in result, result
        return list(result.get("series", []))


class Influxd(Server):
    """InfluxDB 1.x as Debian has it."""

    @functools.cached_property
    def version(self) -> str:
        """As it says itself."""
        return server_version(self.url)

    def create(self, retention: str = "INF") -> str:
        """A new database that keeps points for so long."""
        database = self.name()
        self.ask("", f"CREATE DATABASE {database} WITH DURATION {retention}")
        return database

    def put(self, database: str, lines: str) -> None:
        """Write lines that hazgate never would."""
        self.client.post("/write", params={"db": database}, content=lines.encode()).raise_for_status()

    def settings(self, database: str) -> InfluxSettings:
        """How hazgate is told of it."""
        return InfluxSettings(version=1, url=self.url, database=database)


class Victoria(Server):
    """victoria-metrics: takes what InfluxDB 2 takes, to the millisecond, and says what it holds in its own way."""

    @functools.cached_property
    def version(self) -> str:
        """As Debian's package says: built without the upstream repository, the server itself does not know."""
        asked = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", "victoria-metrics"], capture_output=True, text=True, check=False)
        return asked.stdout or UNKNOWN

    def settings(self) -> InfluxSettings:
        """How hazgate is told of it; the token is one it does not look at."""
        return InfluxSettings.model_validate({"version": 2, "url": self.url, "org": "o", "bucket": "b", "token": {"env": "PATH"}})

    def held(self, field: str) -> dict[str, dict[int, float]]:
        """By sensor, the times (ms) and values of a field."""
        self.client.get("/internal/force_flush").raise_for_status()
        answer = self.client.get("/api/v1/export", params={"match[]": f"readings_{field}", "start": "1970-01-01T00:00:00Z"})
        series = [json.loads(line) for line in answer.raise_for_status().text.splitlines()]
        return {one["metric"]["sensor"]: dict(zip(one["timestamps"], one["values"], strict=True)) for one in series}


INFLUXD_CONF = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = {auth}
  log-enabled = false
"""


@contextlib.contextmanager
def influxd(*, auth: bool = False) -> Iterator[Influxd]:
    """A running InfluxDB 1.x; with `auth` it wants a login."""
    with tempfile.TemporaryDirectory(prefix="influxd-") as name:
        folder, port = Path(name), free_port()
        (folder / "influxdb.conf").write_text(INFLUXD_CONF.format(folder=folder, port=port, rpc=free_port(), auth=str(auth).lower()))
        yield from _running(Influxd(folder, port, ["influxd", "-config", str(folder / "influxdb.conf")], "/ping"))


@contextlib.contextmanager
def victoria() -> Iterator[Victoria]:
    """A running victoria-metrics."""
    with tempfile.TemporaryDirectory(prefix="victoria-") as name:
        folder, port = Path(name), free_port()
        options = [f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y", "-memory.allowedBytes=64MB"]
        yield from _running(Victoria(folder, port, ["victoria-metrics", *options], "/health"))


def _running(server: Any) -> Iterator[Any]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
        server.client.close()


def elsewhere() -> dict[str, Any]:
    """Settings of the InfluxDB that the environment names, without bucket or database; empty if it names none."""
    address = os.environ.get(ELSEWHERE)
    if not address:
        return {}
    parts = urlsplit(address)
    given: dict[str, Any] = {key: values[0] for key, values in parse_qs(parts.query).items()}
    if "token" in given:
        os.environ["HAZGATE_TEST_INFLUX_TOKEN"] = given["token"]
        given["token"] = {"env": "HAZGATE_TEST_INFLUX_TOKEN"}
    return {"url": f"{parts.scheme}://{parts.netloc}", **given, "version": int(given.get("version", "2"))}


def server_version(url: str) -> str:
    """The version that an InfluxDB names when it is pinged."""
    with httpx.Client(base_url=url, trust_env=False) as client:
        return str(client.get("/ping").headers.get("X-Influxdb-Version", UNKNOWN)).removeprefix("v")


def new_place(given: dict[str, Any], name: str) -> InfluxSettings:
    """An empty bucket (2.x: created with the token) or database (3: comes with the first write) of that name."""
    if given["version"] != 2:
        return InfluxSettings.model_validate(given | {"database": name})
    settings = InfluxSettings.model_validate(given | {"bucket": name})
    with httpx.Client(base_url=settings.url, headers=settings.headers(), trust_env=False) as client:
        (org,) = client.get("/api/v2/orgs", params={"org": settings.org}).raise_for_status().json()["orgs"]
        client.post("/api/v2/buckets", json={"orgID": org["id"], "name": name}).raise_for_status()
    return settings


class Servers:
    """The servers of a run, each started when it is first asked for."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._numbers = itertools.count(1)

    @functools.cached_property
    def influxd(self) -> Influxd:
        """InfluxDB 1.x."""
        return self._stack.enter_context(influxd())

    @functools.cached_property
    def victoria(self) -> Victoria:
        """victoria-metrics."""
        return self._stack.enter_context(victoria())

    def name(self) -> str:
        """A name for a place elsewhere that no other run uses."""
        return f"hazgate-{uuid.uuid4().hex[:12]}-{next(self._numbers)}"
