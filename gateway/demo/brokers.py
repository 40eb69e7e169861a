"""The demo's broker: mosquitto if it is installed, else amqtt in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.demo import parts
from gateway.demo.parts import Part, Unplayable

START_WITHIN: Final = 15.0
MOSQUITTO: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
max_queued_bytes 100000000
persistence true
persistence_location {folder}/
autosave_interval 5
max_packet_size 2097152
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""
"""The queues of deploy/mosquitto.conf; anybody may connect, because only this machine can and only for a minute."""
NEITHER: Final = "the demo needs an MQTT broker: install mosquitto (apt install mosquitto), or the broker in Python (pip install 'hazgate[demo]')"
RESTARTS: Final = "it forgets its sessions: restarting the gateway is not safe on it"


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. `remark` is what one has to know about it; empty for nothing."""

    part: Part
    url: str
    remark: str


async def start(folder: Path, port: int) -> Broker:
    """A broker that takes connections on `port` of loopback. Raises Unplayable if there is none or it does not start."""
    name, command, remark = _choose(folder, port)
    part = await parts.start(name, command, folder)
    try:
        await parts.until(lambda: parts.accepts(port), part, START_WITHIN)
    except BaseException:  # whatever it is, also a cancellation: nobody else knows the process yet
        part.kill()
        await part.ended()
        raise
    return Broker(part, f"mqtt://127.0.0.1:{port}", remark)


def _choose(folder: Path, port: int) -> tuple[str, list[str], str]:
    """Name, command and remark; the broker's configuration is written to `folder`."""
    # Debian puts mosquitto into /usr/sbin, which is not on everybody's path
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
    if mosquitto:
        text = MOSQUITTO.format(port=port, folder=folder)
        if os.geteuid() == 0:
            # it would change to a user of its own, who may not write to our folder
            text += "user root\n"
        (folder / "mosquitto.conf").write_text(text)
        return "mosquitto", [mosquitto, "-c", str(folder / "mosquitto.conf")], ""
    if importlib.util.find_spec("amqtt") is None:
        raise Unplayable(NEITHER)
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    (folder / "amqtt.yaml").write_text(json.dumps(settings))
    return "amqtt", [*parts.PYTHON, "amqtt.scripts.broker_script", "-c", str(folder / "amqtt.yaml")], RESTARTS
