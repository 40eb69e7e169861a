"""A connection that is reset with much of what came still unread: uvloop reads once more, then gives its watch over the socket up and takes it no more."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support.links import Witness, linked
from support.servers import Mosquitto, mosquitto
from support.wait import eventually

from adapters.mqtt import Publication

MANY = 500
PINGREQ = b"\xc0\x00"


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as running:
        yield running


def reset_with_much_unread(witness: Witness, broker: Mosquitto) -> None:
    """The loop stands still meanwhile: messages pile up in the kernel, and the broker dies with something of ours unread, which resets the connection."""
    sock = witness.link._session._client.socket()
    assert sock is not None
    command = ["mosquitto_pub", "-p", str(broker.port), "-t", "t/x", "-q", "1", "-l"]
    subprocess.run(command, input=b"".join(b"%d\n" % n for n in range(MANY)), check=True)
    # the broker has confirmed them to their publisher, and sends them to us in the same turn
    time.sleep(0.2)
    os.kill(broker.pid, signal.SIGSTOP)
    sock.send(PINGREQ)
    os.kill(broker.pid, signal.SIGKILL)
    while Path(f"/proc/{broker.pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z":
        time.sleep(0.001)


def pause_and_resume(witness: Witness) -> None:
    """As after a commit that took long."""
    witness.link.pause()
    witness.link.resume()


USES: dict[str, Callable[[Witness], None]] = {
    "acknowledge": lambda witness: witness.link.ack(witness.tokens),
    "publish": lambda witness: witness.link.publish(Publication("out/y", b"2")),
    "resume": pause_and_resume,
}


@pytest.mark.parametrize("use", USES)
async def test_whoever_uses_a_connection_after_its_reset_meets_no_error_and_all_goes_on(use: str, broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        witness.acking = False
        reset_with_much_unread(witness, broker)
        await eventually(lambda: witness.payloads)
        USES[use](witness)
        await broker.kill()
        await broker.start()
        await eventually(lambda: witness.link.counters.connections == 2, within=15)
        await witness.is_up(within=15)
        witness.acking = True
        await broker.publish("t/x", b"last")
        await eventually(lambda: witness.payloads[-1] == b"last", within=15)
        await eventually(lambda: witness.link.counters.published >= (use == "publish"), within=15)
        assert witness.link.counters.published == (use == "publish"), "what was handed over is published once"
