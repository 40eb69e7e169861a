"""Real servers on loopback for tests: started on a free port, waited for, stopped within bounds.

async with mosquitto() as broker:
    await broker.publish("a/b", b"x")
    async with broker.listening("a/#") as heard: ...
    await broker.restart()
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.certificates import Pair
from support.wait import eventually

AMQTT = """
import asyncio, sys
from amqtt.broker import Broker

async def main():
    listener = {"type": "tcp", "bind": f"127.0.0.1:{sys.argv[1]}"}
    await Broker({"listeners": {"default": listener}, "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}}).start()
    await asyncio.Event().wait()

asyncio.run(main())
"""
START_WITHIN = 20.0
STOP_WITHIN = 15.0


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def accepts(port: int) -> bool:
    """Whether somebody on loopback takes connections on that port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as a foreign client saw it."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def json(self) -> dict[str, object]:
        """The payload as a JSON object."""
        body = json.loads(self.payload)
        assert isinstance(body, dict)
        return body


@dataclass(frozen=True)
class Login:
    """How mosquitto's own tools present themselves. ca: for TLS."""

    username: str | None = None
    password: str | None = None
    ca: Path | None = None
    pair: Pair | None = None

    def options(self) -> list[str]:
        """Command-line options of mosquitto_pub and mosquitto_sub."""
        options = ["-u", self.username] if self.username else []
        options += ["-P", self.password] if self.password else []
        options += ["--cafile", str(self.ca)] if self.ca else []
        return options + (["--cert", str(self.pair.cert), "--key", str(self.pair.key)] if self.pair else [])


ANONYMOUS = Login()


class Mosquitto:
    """A mosquitto process of its own folder and port; survives `restart` on the same port, with its persistence file."""

    def __init__(self, folder: Path, lines: Sequence[str], *, port: int | None = None, log: str = "all") -> None:
        self.folder = folder
        self.port = port or free_port()
        # As root mosquitto would change to a user of its own who may not read the folder.
        fixed = ["user root", "persistence true", f"persistence_location {folder}/", "autosave_interval 1800", "log_dest stderr", f"log_type {log}"]
        (folder / "mosquitto.conf").write_text("\n".join([*fixed, f"listener {self.port} 127.0.0.1", *lines]) + "\n")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its address without TLS."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        """Its address with TLS, if it was given a certificate."""
        return f"mqtts://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything it has logged so far, over restarts."""
        return (self.folder / "log").read_text(errors="replace")

    async def start(self) -> None:
        """Run it and wait until it takes connections. Fails with its log if it ends instead."""
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec("mosquitto", "-c", str(self.folder / "mosquitto.conf"), stderr=log)
        await eventually(self._ready, within=START_WITHIN)

    async def _ready(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"mosquitto ended:\n{self.log}")
        return await accepts(self.port)

    async def stop(self) -> None:
        """Stop it in order: what it holds is written to its persistence file."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it: whatever it held in memory is gone."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """Stop it in order and start it on the same port."""
        await self.stop()
        await self.start()

    def forget(self) -> None:
        """Delete its persistence file, while it is stopped: sessions and retained messages are gone."""
        (self.folder / "mosquitto.db").unlink(missing_ok=True)

    def suspend(self) -> None:
        """Stop it as with Ctrl-Z: connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def proceed(self) -> None:
        """Let it go on after `suspend`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, login: Login = ANONYMOUS) -> None:
        """Publish one message with mosquitto_pub. Fails if the broker does not take it."""
        options = ["-t", topic, "-q", str(qos), "-s", *(["-r"] if retain else []), *login.options()]
        await self._tool("mosquitto_pub", options, payload)

    async def publish_lines(self, topic: str, payloads: Sequence[bytes], *, login: Login = ANONYMOUS) -> None:
        """Publish many one-line messages at QoS 1 over one connection, in order."""
        await self._tool("mosquitto_pub", ["-t", topic, "-q", "1", "-l", *login.options()], b"".join(payload + b"\n" for payload in payloads))

    @contextlib.asynccontextmanager
    async def listening(self, *filters: str, login: Login = ANONYMOUS) -> AsyncIterator[list[Heard]]:
        """A foreign mosquitto_sub; yields, once it is subscribed, a list that grows with what it hears."""
        topics = [part for name in filters for part in ("-t", name)]
        # mosquitto_sub buffers what goes to a pipe; stdbuf makes it give out line by line.
        command = [
            "stdbuf",
            "-oL",
            "mosquitto_sub",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-q",
            "1",
            "-d",
            "-F",
            "heard %r %x %t",
            *topics,
            *login.options(),
        ]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        heard: list[Heard] = []
        subscribed = asyncio.Event()
        reading = asyncio.create_task(_listen(process.stdout, heard, subscribed), name="mosquitto_sub")
        try:
            async with asyncio.timeout(START_WITHIN):
                await subscribed.wait()
            yield heard
        finally:
            await _finish(process, signal.SIGTERM)
            await reading

    async def _tool(self, tool: str, options: Sequence[str], stdin: bytes) -> None:
        process = await asyncio.create_subprocess_exec(
            tool, "-h", "127.0.0.1", "-p", str(self.port), *options, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            async with asyncio.timeout(START_WITHIN):
                _, errors = await process.communicate(stdin)
        finally:
            await _finish(process, signal.SIGKILL)
        assert process.returncode == 0, errors.decode(errors="replace")

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None and number is not signal.SIGKILL:
                process.send_signal(signal.SIGCONT)
            await _finish(process, number)


async def _listen(stream: asyncio.StreamReader, heard: list[Heard], subscribed: asyncio.Event) -> None:
    async for line in stream:
        if line.startswith(b"Subscribed"):
            subscribed.set()
        elif line.startswith(b"heard "):
            _, retained, payload, topic = line.decode().rstrip("\n").split(" ", 3)
            heard.append(Heard(topic, bytes.fromhex(payload), retained == "1"))


async def _finish(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.send_signal(number)
    try:
        async with asyncio.timeout(STOP_WITHIN):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@dataclass(frozen=True)
class Tls:
    """What mosquitto shows, and whose clients it lets in (`clients`: PEM of a CA; None asks for no certificate)."""

    pair: Pair
    ca: Path
    clients: Path | None = None

    def lines(self) -> list[str]:
        """Of the configuration file."""
        shown = [f"certfile {self.pair.cert}", f"keyfile {self.pair.key}", f"cafile {self.clients or self.ca}"]
        return shown + (["require_certificate true", "use_identity_as_username true"] if self.clients else [])


@contextlib.asynccontextmanager
async def mosquitto(
    *,
    users: Mapping[str, str] | None = None,
    acl: str | None = None,
    tls: Tls | None = None,
    lines: Sequence[str] = (),
    port: int | None = None,
    log: str = "all",
) -> AsyncIterator[Mosquitto]:
    """A running mosquitto with unlimited queues and persistence.

    users: name to password; without them anybody may connect. acl: the text of an access file. lines: more lines of
    the configuration file, behind the listener's. log: what it writes to `Mosquitto.log`.
    """
    with tempfile.TemporaryDirectory(prefix="mosquitto-") as name:
        folder = Path(name)
        # The last of two equal settings counts, so `lines` can override these.
        written = ["max_queued_messages 0", "max_inflight_messages 0", *lines, *(tls.lines() if tls else [])]
        if acl is not None:
            (folder / "acl").write_text(acl)
            written.append(f"acl_file {folder / 'acl'}")
        if users is None:
            written.append("allow_anonymous true")
        else:
            (folder / "passwords").touch()
            for user, password in users.items():
                await asyncio.to_thread(subprocess.run, ["mosquitto_passwd", "-b", str(folder / "passwords"), user, password], check=True, capture_output=True)
            written += ["allow_anonymous false", f"password_file {folder / 'passwords'}"]
        broker = Mosquitto(folder, written, port=port, log=log)
        try:
            await broker.start()
            yield broker
        finally:
            await broker.stop()


@contextlib.asynccontextmanager
async def amqtt() -> AsyncIterator[int]:
    """A running amqtt, which lets everybody in; yields its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", AMQTT, str(port), stderr=subprocess.DEVNULL)
    try:
        await eventually(lambda: accepts(port), within=START_WITHIN)
        yield port
    finally:
        await _finish(process, signal.SIGTERM)
