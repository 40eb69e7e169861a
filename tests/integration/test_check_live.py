"""`hazgate check --live` on a real broker: every difference between files and devices is found, beside a running gateway and without one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.apps import gateway_file, site_file, write
from support.field import Talker, edge, reads, talking
from support.gateway import gateway
from support.servers import Login, Mosquitto, free_port, mosquitto
from support.sink import webhook_sink
from support.sites import sensor
from support.wait import eventually

from adapters.clock import SystemClock
from alerts.suppress import CANARY
from simulators.links import Broker
from simulators.run import Live, run_live
from simulators.scenario import load

ROOT = Path(__file__).parents[2]
HAZGATE = (sys.executable, "-m", "gateway.cli.main")
WITHIN = 60.0
PRESSURE = {"kind": "pressure", "gas": None, "unit": "MPa", "range": [0, 2], "limits": {"high": 1.6}, "deadband": 0.1, "tiers": {}, "latch": False}
VENDOR = {"kind": "mapped", "topic": "acme/{sensor}/up", "paths": {"value": "$.v"}, "names": {"head-1": "GT-7"}}
NATIVE = "hazgate/v1/north/rtu-1/readings"


@dataclass(frozen=True)
class Said:
    """What the command printed, and the object at its end."""

    status: int
    out: str
    err: str

    @property
    def live(self) -> dict[str, Any]:
        """What `--json` says of listening."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])["live"]
        return found

    @property
    def found(self) -> set[tuple[str, str, str]]:
        """(finding, subject, weight) of every difference."""
        return {(each["finding"], each["subject"], each["weight"]) for each in self.live["findings"]}


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as running:
        yield running


def head(identity: str, **changes: Any) -> dict[str, Any]:
    """A gas head that reports twice a second."""
    return sensor(identity, interval="500ms") | changes


def files(folder: Path, broker: str, *sensors: dict[str, Any], **changes: Any) -> Path:
    """A gateway's file and its site's."""
    return write(folder, site_file(*sensors, **changes), gateway_file(broker))


@contextlib.asynccontextmanager
async def checking(config: Path, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command in a process of its own, killed if the test leaves it behind."""
    command = (*HAZGATE, "check", str(config), "--live", "--json", *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ending(process: asyncio.subprocess.Process) -> Said:
    """How it ended."""
    async with asyncio.timeout(WITHIN):
        out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


async def check(config: Path, span: str = "4s") -> Said:
    """Run it to its end."""
    async with checking(config, "--for", span) as process:
        return await ending(process)


def lines(said: Said, title: str) -> list[str]:
    """The lines of the table below a title."""
    listed = said.out.splitlines()
    begin = next((place for place, line in enumerate(listed) if line.startswith(title)), len(listed))
    below: Sequence[str] = listed[begin + 1 :]
    return [line.strip() for line in below[: next((place for place, line in enumerate(below) if not line.startswith("  ")), len(below))]]


SITE = (
    head("GT-1"),
    head("GT-2"),
    head("GT-3", device="rtu-2"),
    head("GT-4", device="rtu-2"),
    head("GT-5", device="rtu-5"),
    head("GT-6", device="rtu-6"),
    head("GT-7", device="acme"),
    head("GT-8", device="rtu-8"),
    head("GT-9", device="rtu-9", interval="2s"),
    head("PT-1", **PRESSURE),
    head("PT-2", **PRESSURE),
    head("PT-3", **PRESSURE),
)
FIELD = (
    reads("rtu-1", GT_1=5, GT_22=5, PT_1={"value": 900, "unit": "kPa"}, PT_2={"value": 900, "unit": "m3/h"}, PT_3={"value": 2.5, "unit": "MPa"}),
    reads("rtu-7", GT_5=5),
    reads("rtu-6", GT_6=5, off=8 * 3600),
    reads("rtu-8", GT_8={"value": 5, "unit": None}),
    reads("rtu-9", GT_9={"value": None, "quality": "bad"}),
    reads("rtu-2", GT_3=5, site="nort"),
    reads(CANARY, canary=0, site=CANARY),
    Talker("acme/head-1/up", lambda n, _now: b'{"v": 5}' if n % 2 else b'{"w": 5}', period=0.25),
    Talker("acme/other/state", lambda _n, _now: b"{}"),
    Talker("hazgate/v1/north/rtu-2/reading", lambda _n, _now: b"{}"),
)
TO_MEND = {
    ("never_heard", "GT-2"),
    ("never_heard", "rtu-2"),
    ("unknown_sensor", "GT-22"),
    ("unknown_topic", "hazgate/v1/north/rtu-2/reading"),
    ("wrong_device", "GT-5"),
    ("wrong_quantity", "PT-2"),
    ("unit_missing", "GT-8"),
    ("unreadable", "acme/head-1/up"),
    ("no_value", "GT-9"),
    ("outside_range", "PT-3"),
    ("wrong_interval", "GT-9"),
    ("clock_skew", "rtu-6"),
}
NOTES = {("unknown_site", "nort"), ("unknown_topic", "acme/other/state"), ("unit_missing", "acme"), ("unit_converted", "PT-1")}


async def test_every_difference_is_found_and_what_agrees_is_counted(broker: Mosquitto, tmp_path: Path) -> None:
    config = files(tmp_path, broker.url, *SITE, devices=[{"id": "acme", "codec": VENDOR}, {"id": "rtu-8", "unit": "required"}])
    async with talking(broker.port, *FIELD):
        said = await check(config)
    assert said.found == {(*each, "disagrees") for each in TO_MEND} | {(*each, "note") for each in NOTES}
    assert (said.status, said.live["sensors"], said.live["agree"]) == (2, 12, 4)
    assert lines(said, "never heard") == [
        "GT-2   rtu-1  rtu-1 sends GT-22, which no file knows; is that this one?",
        "rtu-2         nothing on hazgate/v1/north/rtu-2/readings; a device of that name speaks under the site nort; its sensors: GT-3, GT-4",
    ]
    assert lines(said, "at another interval") == ["GT-9  rtu-9  the file says every 2s, the device sends every 500ms: 4 times as often"]
    assert "4 of 12 sensors heard as the file says, within 4s; 12 findings to mend, 4 notes" in said.err


async def test_a_simulated_site_is_heard_as_its_file_says(broker: Mosquitto, tmp_path: Path) -> None:
    scenario = yaml.safe_load((ROOT / "simulators/scenarios/demo.yaml").read_text(encoding="utf-8"))
    site = ROOT / "simulators/sites/demo.yaml"
    quiet = scenario | {"site": str(site), "timeline": scenario["timeline"][:1], "faults": [], "oracle": {"must": [], "must_not": []}}
    (tmp_path / "quiet.yaml").write_text(json.dumps(quiet), encoding="utf-8")
    config = write(tmp_path, None, gateway_file(broker.url, sites=[str(site)]))
    stop = asyncio.Event()
    play = run_live(load(tmp_path / "quiet.yaml"), Live(Broker.parse(broker.url), 1, 0, SystemClock().now, stop), lambda _progress: None)
    playing = asyncio.create_task(play, name="site")
    try:
        said = await check(config, "6s")
    finally:
        stop.set()
        await playing
    assert said.found == set()
    assert (said.status, said.live["agree"]) == (0, 60)
    assert "60 of 60 sensors heard as the file says, within 6s; 0 findings to mend, 0 notes" in said.err


async def test_beside_a_running_gateway_nothing_is_taken_from_it(broker: Mosquitto, tmp_path: Path) -> None:
    site = site_file(head("GT-1"), head("GT-2", device="rtu-2"))
    async with webhook_sink() as sink, gateway(tmp_path, broker, sink, site) as north:
        await north.start()
        async with talking(broker.port, reads("rtu-1", GT_1=5)) as sent:
            said = await check(north.config)
        assert said.found == {("never_heard", "GT-2", "disagrees")}
        received = sum(sent.values())

        async def settled() -> dict[str, int]:
            balance: dict[str, int] = await north.get("balance")
            return balance if balance["stored"] == received else {}

        balance = await eventually(settled, within=30)
        assert (balance["received"], balance["duplicate"], balance["quarantined"]) == (received, 0, 0)
        assert broker.log.count("as hazgate-north-01 ") == 1
        assert broker.log.count("as hazgate-north-01-check-") == 1


async def test_it_leaves_nothing_at_the_broker(broker: Mosquitto, tmp_path: Path) -> None:
    async with broker.listening("#") as heard:
        await check(files(tmp_path, broker.url, head("GT-1")), "1s")
        await broker.publish("marker", b"1")
        await eventually(lambda: heard)
    assert [message.topic for message in heard] == ["marker"]
    (client,) = {line.rpartition(" as ")[2].split(" ")[0] for line in broker.log.splitlines() if " as hazgate-" in line}
    assert f"Client {client} disconnected." in broker.log
    assert f"{client} (p5, c1," in broker.log


async def test_a_sparkplug_edge_is_asked_for_its_births_and_then_understood(broker: Mosquitto, tmp_path: Path) -> None:
    codec = {"kind": "sparkplug", "topic": "spBv1.0/plant/+/edge-1/rtu-3", "names": {"Gas/CH4": "GT-3"}}
    config = files(tmp_path, broker.url, head("GT-3", device="rtu-3"), devices=[{"id": "rtu-3", "codec": codec}])
    async with edge(broker.port):
        said = await check(config)
    assert said.found == {("unit_missing", "rtu-3", "note")}
    assert said.status == 0
    async with edge(broker.port, answers=False):
        said = await check(config)
    assert said.found == {("unreadable", "spBv1.0/plant/DDATA/edge-1/rtu-3", "disagrees"), ("never_heard", "GT-3", "disagrees")}
    assert lines(said, "never heard") == ["GT-3  rtu-3  nothing on spBv1.0/plant/+/edge-1/rtu-3 as Gas/CH4"]


async def test_a_device_that_says_it_is_offline_is_not_only_absent(broker: Mosquitto, tmp_path: Path) -> None:
    await broker.publish("hazgate/v1/north/rtu-1/status", b'{"online": false}', retain=True)
    said = await check(files(tmp_path, broker.url, head("GT-1")), "2s")
    assert lines(said, "never heard") == [f"GT-1  rtu-1  nothing on {NATIVE}; it says that it is offline"]


async def test_a_retained_reading_is_nobodys_voice(broker: Mosquitto, tmp_path: Path) -> None:
    await broker.publish(NATIVE, b'{"sensor": "GT-1", "value": 5, "unit": "%LEL"}', retain=True)
    said = await check(files(tmp_path, broker.url, head("GT-1")), "2s")
    assert lines(said, "never heard") == ["GT-1  rtu-1  nothing of now: 1 reading of the past, retained or marked historical"]


async def test_ctrl_c_compares_what_was_heard_so_far(broker: Mosquitto, tmp_path: Path) -> None:
    config = files(tmp_path, broker.url, head("GT-1"))
    async with talking(broker.port, reads("rtu-1", GT_1=5)), checking(config, "--for", "10m") as process:
        await eventually(lambda: "hazgate-north-01-check-" in broker.log, within=WITHIN)
        before = broker.log.count("Sending PUBLISH to hazgate-north-01-check-")
        await eventually(lambda: broker.log.count("Sending PUBLISH to hazgate-north-01-check-") >= before + 6, within=WITHIN)
        process.send_signal(signal.SIGINT)
        said = await ending(process)
    assert (said.status, said.found, said.live["agree"]) == (0, set(), 1)
    assert said.live["seconds"] < 60


async def test_a_broker_that_cannot_be_reached_is_one_sentence_with_what_to_do(tmp_path: Path) -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    config = files(tmp_path, url, head("GT-1"))
    said = await check(config)
    assert said.status == 2
    sentence = f"cannot listen at {url}: cannot reach 127.0.0.1:{url.rpartition(':')[2]}: Connection refused; see that the broker runs"
    assert sentence in said.err
    assert said.live == {"ok": False, "broker": url, "error": f"cannot reach 127.0.0.1:{url.rpartition(':')[2]}: Connection refused"}
    assert "Traceback" not in said.err


async def test_with_the_shipped_access_list_the_gateways_login_hears_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users, acl = {"hazgate": "one", "rtu-1": "two"}, (ROOT / "deploy/hazgate.acl").read_text(encoding="utf-8")
    async with mosquitto(users=users, acl=acl) as broker, talking(broker.port, reads("rtu-1", GT_1=5), login=Login("rtu-1", "two")):
        settings = {"url": broker.url, "username": "hazgate", "password": {"env": "HAZGATE_TEST_BROKER"}}
        config = write(tmp_path, site_file(head("GT-1")), gateway_file() | {"broker": settings})
        said = await check(config)
        assert (said.status, said.live["error"]) == (2, "the environment variable HAZGATE_TEST_BROKER is not set; it should hold a secret")
        monkeypatch.setenv("HAZGATE_TEST_BROKER", "one")
        said = await check(config)
    assert (said.status, said.found, said.live["agree"]) == (0, set(), 1)


async def test_a_login_that_is_refused_is_said(tmp_path: Path) -> None:
    async with mosquitto(users={"hazgate": "right"}) as broker:
        said = await check(files(tmp_path, broker.url, head("GT-1")))
    assert said.status == 2
    assert "the broker refuses the connection: not authorized; see that the broker runs, and that `broker` in" in said.err


async def test_a_broker_that_comes_back_is_a_note_and_one_that_does_not_is_the_end(broker: Mosquitto, tmp_path: Path) -> None:
    config = files(tmp_path, broker.url, head("GT-1"))
    async with checking(config, "--for", "2m") as process:
        await eventually(lambda: "SUBSCRIBE from hazgate-north-01-check-" in broker.log, within=WITHIN)
        await broker.restart()
        await eventually(lambda: broker.log.count("SUBSCRIBE from hazgate-north-01-check-") == 2, within=WITHIN)
        async with talking(broker.port, reads("rtu-1", GT_1=5)) as sent:
            await eventually(lambda: sum(sent.values()) >= 8, within=WITHIN)
            process.send_signal(signal.SIGINT)
            said = await ending(process)
    assert said.found == {("interrupted", "broker", "note")}
    assert said.status == 0
    async with checking(config, "--for", "5s") as process:
        await eventually(lambda: broker.log.count("SUBSCRIBE from hazgate-north-01-check-") == 3, within=WITHIN)
        await broker.stop()
        said = await ending(process)
    assert said.status == 2
    assert said.live["ok"] is False
    assert "Traceback" not in said.err


def refusing(folder: Path, *allowed: str) -> list[str]:
    """Lines for a mosquitto that lets clients subscribe to these filters and no others."""
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    listed = [{"acltype": "subscribeLiteral", "topic": name, "allow": True} for name in allowed]
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    groups = [{"groupname": "all", "roles": [{"rolename": "some"}]}]
    made = {"defaultACLAccess": access, "groups": groups, "anonymousGroup": "all", "roles": [{"rolename": "some", "acls": listed}]}
    path = folder / "access.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    return [f"plugin {plugin}", f"plugin_opt_config_file {path}"]


async def test_a_broker_that_lets_us_hear_the_devices_topics_only_is_heard_there(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    allowed = ("hazgate/v1/north/+/readings", "hazgate/v1/north/+/status", "acme/+/up")
    sensors = [head("GT-1"), head("GT-7", device="acme")]
    says = [reads("rtu-1", GT_1=5), Talker("acme/head-1/up", lambda _n, _now: b'{"v": 5}')]
    async with mosquitto(lines=refusing(tmp_path / "broker", *allowed)) as broker, talking(broker.port, *says):
        said = await check(files(tmp_path, broker.url, *sensors, devices=[{"id": "acme", "codec": VENDOR}]))
    assert said.found == {("unit_missing", "acme", "note")}
    assert (said.status, said.live["agree"]) == (0, 2)
    async with mosquitto(lines=refusing(tmp_path / "broker", *allowed[:2])) as broker, talking(broker.port, *says):
        said = await check(files(tmp_path, broker.url, *sensors, devices=[{"id": "acme", "codec": VENDOR}]))
    assert ("refused", "broker", "disagrees") in said.found
    assert lines(said, "not allowed to hear") == [
        "broker  the broker refuses the subscription to acme/+/up; nothing of it can be heard, by the gateway neither"
    ]


async def test_files_that_are_refused_are_not_listened_for(tmp_path: Path) -> None:
    said_of = files(tmp_path, f"mqtt://127.0.0.1:{free_port()}", head("GT-1", zone="nowhere", interval="soon"))
    said = await check(said_of)
    assert said.status == 2
    assert "live" not in json.loads(said.out.splitlines()[-1])
    assert "cannot listen" not in said.err


async def test_a_span_needs_live(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *HAZGATE, "check", str(files(tmp_path, "mqtt://127.0.0.1:9", head("GT-1"))), "--for", "5s", stderr=asyncio.subprocess.PIPE, cwd=ROOT
    )
    _, err = await process.communicate()
    assert (process.returncode, err.decode().strip()) == (2, "--for says how long --live listens; write both")
