"""deploy/mosquitto.conf, its TLS listener and its access list, in a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import getpass
import ipaddress
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PASSWORDS = {name: f"secret of {name}" for name in ("hazgate", "rtu-1", "rtu-2", "li", "wang", "simulator")}
STATUS = "hazgate/v1/gateways/north-01/status"
BEYOND_THE_DEFAULT_QUEUE = 1500


@dataclass(frozen=True)
class Broker:
    """A mosquitto that runs the deployed files, with paths and ports of its own."""

    folder: Path
    port: int
    tls_port: int

    def login(self, name: str, session: str | None = None) -> aiomqtt.Client:
        """A client that knows its password; with `session` (a client id) the broker keeps what comes while it is away."""
        if session is None:
            return aiomqtt.Client("127.0.0.1", self.port, username=name, password=PASSWORDS[name], protocol=aiomqtt.ProtocolVersion.V5)
        return aiomqtt.Client("127.0.0.1", self.port, username=name, password=PASSWORDS[name], identifier=session, clean_session=False)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Wait until both listeners answer; stop the broker in order at the end."""
        with (self.folder / "log").open("ab") as log:
            process = await asyncio.create_subprocess_exec("mosquitto", "-c", str(self.folder / "mosquitto.conf"), stderr=log)
        try:
            async with asyncio.timeout(20):
                await asyncio.gather(listening(self.port), listening(self.tls_port))
            yield
        finally:
            process.terminate()
            async with asyncio.timeout(20):
                await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int) -> None:
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)


def certificates(folder: Path) -> None:
    """One self-signed certificate for the loopback address serves as its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker")])
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, start + dt.timedelta(days=36500))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "ca.crt").write_bytes(pem)
    (folder / "server.crt").write_bytes(pem)
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    )


def deploy(folder: Path) -> Broker:
    """The deployed files under another root and on other ports; nothing else in them is changed."""
    broker = Broker(folder, free_port(), free_port())
    for name in ("conf.d", "secrets", "certs", "db"):
        (folder / name).mkdir()
    for source, target in (("mosquitto.conf", "mosquitto.conf"), ("mosquitto-tls.conf", "conf.d/hazgate-tls.conf"), ("hazgate.acl", "hazgate.acl")):
        text = (DEPLOY / source).read_text(encoding="utf-8").replace("/etc/mosquitto", str(folder)).replace("/var/lib/mosquitto", str(folder / "db"))
        text = text.replace("listener 1883 ", f"listener {broker.port} ").replace("listener 8883", f"listener {broker.tls_port}")
        (folder / target).write_text(text, encoding="utf-8")
    with (folder / "mosquitto.conf").open("a", encoding="utf-8") as conf:
        conf.write(f"user {getpass.getuser()}\n")
    certificates(folder / "certs")
    (folder / "secrets" / "passwords").touch(mode=0o600)
    for name, password in PASSWORDS.items():
        subprocess.run(["mosquitto_passwd", "-b", str(folder / "secrets" / "passwords"), name, password], check=True, capture_output=True)
    return broker


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    deployed = deploy(tmp_path)
    async with deployed.running():
        yield deployed


async def heard(broker: Broker, speaker: str, topics: list[str], listener: str = "hazgate", last: str = STATUS) -> list[str]:
    """Which of the topics `listener` hears when `speaker` publishes to each in turn.

    The gateway's word that everything has been said comes last, on a topic that the listener is shown to hear.
    Each topic has a connection of its own: mosquitto 2.0 ends an MQTT 5 connection that published without permission.
    """
    seen: list[str] = []
    async with asyncio.timeout(20), broker.login(listener) as ears:
        await ears.subscribe("hazgate/v1/#", qos=1)
        for topic in topics:
            with contextlib.suppress(aiomqtt.MqttError):
                async with broker.login(speaker) as mouth:
                    await mouth.publish(topic, b"{}", qos=1)
        async with broker.login("hazgate") as gateway:
            await gateway.publish(last, b"{}", qos=1)
        async for message in ears.messages:
            if message.topic.matches(last):
                break
            seen.append(str(message.topic))
    return seen


async def test_nobody_is_let_in_without_a_password(broker: Broker) -> None:
    with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
        async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5):
            pass


async def test_a_device_publishes_its_own_readings_only(broker: Broker) -> None:
    own, others, alarm = "hazgate/v1/north/rtu-1/readings", "hazgate/v1/north/rtu-2/readings", "hazgate/v1/north/alarms/GT-101.high"
    assert await heard(broker, "rtu-1", [own, others, alarm]) == [own]


async def test_the_simulator_plays_the_devices_of_its_own_site_only_and_hears_its_alarms(broker: Broker) -> None:
    played = ["hazgate/v1/demo/gds-1/readings", "hazgate/v1/demo/gds-1/status"]
    foreign = ["hazgate/v1/north/rtu-1/readings", "hazgate/v1/demo/alarms/GT-101.high", "hazgate/v1/demo/commands/li/acknowledge"]
    assert await heard(broker, "simulator", [*foreign, *played]) == played
    hidden = ["hazgate/v1/demo/commands/li/acknowledge", "hazgate/v1/north/alarm-events"]
    assert await heard(broker, "hazgate", hidden, listener="simulator", last="hazgate/v1/demo/alarm-events") == []


async def test_a_person_commands_in_nobody_elses_name(broker: Broker) -> None:
    own, others = "hazgate/v1/north/commands/li/acknowledge", "hazgate/v1/north/commands/wang/acknowledge"
    assert await heard(broker, "li", [others, own]) == [own]


async def test_a_person_hears_alarms_but_neither_commands_nor_readings(broker: Broker) -> None:
    public = ["hazgate/v1/north/alarms/GT-101.high", "hazgate/v1/north/alarm-events", "hazgate/v1/north/state", "hazgate/v1/north/replies/c1"]
    hidden = ["hazgate/v1/north/commands/wang/acknowledge", "hazgate/v1/north/rtu-1/readings"]
    assert await heard(broker, "hazgate", [*hidden, *public], listener="li") == public


async def test_a_device_hears_nothing(broker: Broker) -> None:
    said = ["hazgate/v1/north/rtu-1/readings", "hazgate/v1/north/alarms/GT-101.high", "hazgate/v1/north/state"]
    async with asyncio.timeout(20), broker.login("rtu-1") as device:
        await device.subscribe("hazgate/v1/#", qos=1)
        assert await heard(broker, "hazgate", said) == said
        # The answer to a second subscription comes behind everything that was on its way to this client.
        await device.subscribe("hazgate/v1/#", qos=1)
        assert len(device.messages) == 0


async def test_a_device_on_the_network_comes_in_by_tls_with_its_password(broker: Broker) -> None:
    trusted = ssl.create_default_context(cafile=broker.folder / "certs" / "ca.crt")
    async with (
        asyncio.timeout(20),
        broker.login("hazgate") as ears,
        aiomqtt.Client("127.0.0.1", broker.tls_port, username="rtu-1", password=PASSWORDS["rtu-1"], tls_context=trusted) as device,
    ):
        await ears.subscribe("hazgate/v1/+/+/readings", qos=1)
        await device.publish("hazgate/v1/north/rtu-1/readings", b"{}", qos=1)
        message = await anext(aiter(ears.messages))
    assert str(message.topic) == "hazgate/v1/north/rtu-1/readings"


async def test_more_than_a_thousand_readings_wait_for_an_absent_gateway_over_a_restart(tmp_path: Path) -> None:
    """Mosquitto's default would drop silently beyond 1,000; its queue would not outlive the broker without `persistence`."""
    broker = deploy(tmp_path)
    async with broker.running():
        async with broker.login("hazgate", session="hazgate-north-01") as gateway:
            await gateway.subscribe("hazgate/v1/north/+/readings", qos=1)
        async with broker.login("rtu-1") as device:
            for number in range(BEYOND_THE_DEFAULT_QUEUE):
                await device.publish("hazgate/v1/north/rtu-1/readings", str(number), qos=1)
    async with (
        asyncio.timeout(20),
        broker.running(),
        broker.login("hazgate", session="hazgate-north-01") as gateway,
    ):
        messages = aiter(gateway.messages)
        received = [int((await anext(messages)).payload) for _ in range(BEYOND_THE_DEFAULT_QUEUE)]
    assert received == list(range(BEYOND_THE_DEFAULT_QUEUE))


def test_without_tls_the_broker_listens_on_loopback_only() -> None:
    conf = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    assert re.findall(r"^listener .*", conf, re.MULTILINE) == ["listener 1883 127.0.0.1"]
