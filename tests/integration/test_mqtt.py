"""The link to a real mosquitto: sessions, acknowledgements, reconnecting, publishing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from support.links import WILL, Witness, linked
from support.servers import Mosquitto, free_port, mosquitto
from support.wait import eventually

from adapters.mqtt import LinkState, Publication

ROOT = Path(__file__).resolve().parents[2]
LINK_ALONE = """
import asyncio, sys
sys.path.insert(0, "tests")
from support.links import linked

async def main():
    async with linked(sys.argv[1]):
        print("up", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


BUSY = 1.5
"""Seconds for which a busy machine may keep a process waiting. A loop that is held up waits for the network instead: 5 s and more."""


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as running:
        yield running


async def stalls(seconds: float) -> float:
    """The longest time for which the loop did nothing else, in s, within the next `seconds`."""
    loop = asyncio.get_running_loop()
    end, worst = loop.time() + seconds, 0.0
    while (before := loop.time()) < end:
        await asyncio.sleep(0.005)
        worst = max(worst, loop.time() - before - 0.005)
    return worst


async def test_messages_arrive_with_topic_payload_and_whether_they_were_retained(broker: Mosquitto) -> None:
    await broker.publish("t/old", b"1", retain=True)
    async with linked(broker.url) as witness:
        await broker.publish("t/new", b"2")
        await broker.publish("elsewhere", b"3")
        await broker.publish("t/best-effort", b"4", qos=0)
        await eventually(lambda: len(witness.messages) == 3)
        assert witness.messages == [("t/old", b"1", True), ("t/new", b"2", False), ("t/best-effort", b"4", False)]
        assert [token > 0 for token in witness.tokens] == [True, True, False]
        assert witness.link.protocol == "5"


async def test_what_is_published_while_the_gateway_is_away_arrives_when_it_is_back(broker: Mosquitto) -> None:
    async with linked(broker.url):
        pass
    await broker.publish_lines("t/x", [b"%d" % number for number in range(2000)])
    async with linked(broker.url) as witness:
        await eventually(lambda: len(witness.messages) == 2000)
        assert witness.payloads == [b"%d" % number for number in range(2000)]


async def test_the_session_survives_a_restart_of_the_broker(broker: Mosquitto) -> None:
    async with linked(broker.url):
        pass
    await broker.publish("t/x", b"before")
    await broker.restart()
    async with linked(broker.url) as witness:
        assert await eventually(lambda: witness.payloads == [b"before"])


async def test_a_message_that_was_not_acknowledged_comes_again_after_a_reconnect(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        witness.acking = False
        await broker.publish("t/x", b"precious")
        await eventually(lambda: witness.payloads == [b"precious"])
    async with linked(broker.url) as witness:
        await eventually(lambda: witness.payloads == [b"precious"])
        await broker.publish("t/x", b"last")
        await eventually(lambda: witness.payloads == [b"precious", b"last"])
    async with linked(broker.url) as witness:
        await broker.publish("t/x", b"new")
        assert await eventually(lambda: witness.payloads == [b"new"])


async def test_tokens_of_an_older_connection_acknowledge_nothing(broker: Mosquitto) -> None:
    """Packet ids start anew with each connection: a late PUBACK would hit a message that is not safe yet."""
    async with linked(broker.url) as witness:
        witness.acking = False
        await broker.publish("t/x", b"first")
        await eventually(lambda: witness.payloads == [b"first"])
        await broker.restart()
        await eventually(lambda: witness.payloads == [b"first", b"first"])
        witness.link.ack([witness.tokens[0], 0])
    async with linked(broker.url) as witness:
        assert await eventually(lambda: witness.payloads == [b"first"])


async def test_it_is_subscribed_again_when_the_broker_is_back(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        await broker.restart()
        await eventually(lambda: witness.link.counters.connections == 2)
        await broker.publish("t/x", b"again")
        await eventually(lambda: witness.payloads == [b"again"])
        assert witness.states[-1] == (LinkState.UP, "")


async def test_it_is_subscribed_again_and_says_so_when_the_broker_has_forgotten_the_session(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        await broker.stop()
        broker.forget()
        await broker.start()
        await eventually(lambda: witness.link.counters.connections == 2)
        await broker.publish("t/x", b"again")
        await eventually(lambda: witness.payloads == [b"again"])
        assert "forgotten the session" in witness.states[-1][1]
        assert witness.link.counters.sessions_lost == 1


async def test_a_frozen_broker_is_noticed_within_two_keepalives(broker: Mosquitto) -> None:
    """The connection stays open and takes what is sent, so only missing answers tell."""
    async with linked(broker.url, keepalive="2s") as witness:
        broker.suspend()
        frozen_at = asyncio.get_running_loop().time()
        await witness.is_down()
        assert asyncio.get_running_loop().time() - frozen_at <= 2 * 2 + BUSY
        assert "has said nothing" in witness.reasons[0]
        broker.proceed()
        await witness.is_up()


async def test_a_silent_but_healthy_connection_is_kept(broker: Mosquitto) -> None:
    async with linked(broker.url, keepalive="1s") as witness:
        assert await stalls(3.0) < BUSY
        assert witness.states == [(LinkState.UP, "")]


async def test_a_broker_that_takes_connections_but_never_answers_does_not_count_as_up() -> None:
    async with mosquitto() as frozen:
        frozen.suspend()
        async with linked(frozen.url, wait=False) as witness:
            await witness.is_down()
            assert "does not answer" in witness.reasons[0]
            frozen.proceed()
            await witness.is_up()
            assert witness.link.protocol == "5"


async def test_an_unreachable_broker_stops_neither_the_start_nor_the_loop() -> None:
    port = free_port()
    async with linked(f"mqtt://127.0.0.1:{port}", wait=False) as witness:
        assert await stalls(1.5) < BUSY
        assert witness.link.state is LinkState.DOWN
        assert witness.reasons == [f"cannot reach 127.0.0.1:{port}: Connection refused"]
        async with mosquitto(port=port) as late:
            await witness.is_up()
            await late.publish("t/x", b"1")
            await eventually(lambda: witness.payloads == [b"1"])


async def test_a_broker_that_swallows_connections_does_not_stop_the_loop_and_stopping_does_not_wait_for_it() -> None:
    """An address of the documentation range (RFC 5737) answers nothing at all, or is refused by the local router."""
    async with linked("mqtt://192.0.2.1:1883", wait=False) as witness:
        assert await stalls(1.0) < BUSY
        begun = asyncio.get_running_loop().time()
        await witness.link.stop()
        assert asyncio.get_running_loop().time() - begun < BUSY


async def test_a_host_without_an_address_is_named_in_the_reason() -> None:
    async with linked("mqtt://no-such-host.invalid", wait=False) as witness:
        await witness.is_down(within=30.0)
        assert "no-such-host.invalid:1883" in witness.reasons[0]


async def test_publications_reach_others_in_order_and_each_is_confirmed_once(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness, broker.listening("out/#") as heard:
        confirmed: list[int] = []
        for number in range(1000):
            witness.link.publish(Publication("out/x", b"%d" % number, done=partial(confirmed.append, number)))
        await eventually(lambda: len(heard) == 1000)
        assert [message.payload for message in heard] == [b"%d" % number for number in range(1000)]
        await eventually(lambda: witness.link.unsent == 0)
        assert confirmed == list(range(1000))


async def test_retained_publications_are_retained_and_an_empty_one_takes_them_away(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        await witness.publish("out/alarm", b"high", retain=True)
        async with broker.listening("out/#") as heard:
            await eventually(lambda: [(message.payload, message.retained) for message in heard] == [(b"high", True)])
        await witness.publish("out/alarm", b"", retain=True)
        async with broker.listening("out/#") as heard:
            await witness.publish("out/end", b"")
            assert await eventually(lambda: [message.topic for message in heard] == ["out/end"])


async def test_what_is_published_while_the_broker_is_away_is_delivered_in_order_when_it_is_back(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        await broker.stop()
        await witness.is_down()
        confirmed: list[int] = []
        for number in range(600):
            witness.link.publish(Publication("out/x", b"%d" % number, retain=True, done=partial(confirmed.append, number)))
        assert confirmed == []
        await broker.start()
        await eventually(lambda: len(confirmed) == 600)
        assert confirmed == list(range(600))
        async with broker.listening("out/#") as heard:
            await eventually(lambda: [message.payload for message in heard] == [b"599"])


async def test_a_publication_on_its_way_when_the_broker_dies_is_sent_again(broker: Mosquitto) -> None:
    """It was handed over to a frozen broker, which is then killed: nobody ever confirmed it."""
    async with linked(broker.url) as witness:
        confirmed: list[int] = []
        broker.suspend()
        for number in range(50):
            witness.link.publish(Publication("out/x", b"%d" % number, retain=True, done=partial(confirmed.append, number)))
        await asyncio.sleep(0)
        await broker.kill()
        await witness.is_down()
        assert confirmed == []
        await broker.start()
        await eventually(lambda: confirmed == list(range(50)))


async def test_a_broker_that_takes_fewer_at_once_than_were_on_their_way_gets_them_all_in_order(broker: Mosquitto) -> None:
    """Paho would send all of them again at once, and be thrown out for it, for ever."""
    async with linked(broker.url) as witness:
        confirmed: list[int] = []
        broker.suspend()
        for number in range(50):
            witness.link.publish(Publication("out/x", b"%d" % number, retain=True, done=partial(confirmed.append, number)))
        await broker.kill()
        await witness.is_down()
        async with mosquitto(port=broker.port, lines=["max_inflight_messages 5"]):
            await eventually(lambda: len(confirmed) == 50)
            assert confirmed == list(range(50))


@pytest.mark.parametrize("topic", ["", "a/+/b", "a/#", "a\0b"])
async def test_a_topic_nobody_can_publish_to_is_refused_at_the_call(topic: str, broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        with pytest.raises(ValueError, match="nobody can publish"):
            witness.link.publish(Publication(topic, b""))


async def test_publishing_from_within_a_handler_or_a_confirmation_works(broker: Mosquitto) -> None:
    """Paho holds a lock while it calls us; taking it again would stop everything for ever."""
    async with linked(broker.url) as witness, broker.listening("out/#") as heard:
        witness.link.publish(Publication("t/self", b"1", done=lambda: witness.link.publish(Publication("out/confirmed", b"2"))))
        await eventually(lambda: [message.topic for message in heard] == ["out/confirmed"])
        assert await eventually(lambda: witness.payloads == [b"1"])


async def test_the_will_is_published_when_the_gateway_is_killed_and_not_when_it_stops(broker: Mosquitto) -> None:
    async with broker.listening(WILL[0]) as heard:
        async with linked(broker.url) as witness:
            await witness.publish("t/x", b"alive")
        await broker.publish(WILL[0], b"marker")
        await eventually(lambda: [message.payload for message in heard] == [b"marker"])
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", LINK_ALONE, broker.url, cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        async with asyncio.timeout(20):
            assert await child.stdout.readline() == b"up\n"
        child.kill()
        await child.wait()
        await eventually(lambda: [message.payload for message in heard] == [b"marker", WILL[1]])


async def test_while_paused_nothing_is_read_publications_go_out_and_the_connection_is_kept(broker: Mosquitto) -> None:
    async with linked(broker.url, keepalive="1s") as witness, broker.listening("out/#") as heard:
        witness.link.pause()
        await broker.publish("t/x", b"later")
        witness.link.publish(Publication("out/alarm", b"now"))
        await eventually(lambda: [message.payload for message in heard] == [b"now"])
        assert await stalls(3.5) < BUSY
        assert witness.messages == []
        witness.link.resume()
        await eventually(lambda: witness.payloads == [b"later"])
        assert witness.states == [(LinkState.UP, "")]


async def test_a_reconnect_while_paused_comes_up_and_stays_paused(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        witness.link.pause()
        await broker.restart()
        await eventually(lambda: witness.link.counters.connections == 2)
        await broker.publish("t/x", b"later")
        assert await stalls(0.3) < BUSY
        assert witness.messages == []
        witness.link.resume()
        await eventually(lambda: witness.payloads == [b"later"])


async def test_two_gateways_with_one_id_do_not_throw_each_other_out_in_a_frenzy(broker: Mosquitto) -> None:
    """Short-lived connections do not make the next attempt come sooner."""
    async with linked(broker.url) as first, linked(broker.url) as second:
        assert await stalls(3.0) < BUSY
        assert first.reasons
        assert first.link.counters.connections + second.link.counters.connections <= 12


async def test_a_handler_that_raises_leaves_its_message_unacknowledged_and_the_others_flow(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    def fail(topic: str, payload: bytes, retained: bool, token: int) -> None:
        raise RuntimeError("a fault of the handler")

    witness = Witness(broker.url)
    sound = witness.link._session._message
    witness.link._session._message = fail
    await witness.link.start()
    try:
        await witness.is_up()
        await broker.publish("t/x", b"poison")
        await eventually(lambda: witness.link.counters.faults == 1)
        witness.link._session._message = sound
        await broker.publish("t/x", b"fine")
        await eventually(lambda: witness.payloads == [b"fine"])
    finally:
        await witness.link.stop()
    assert "a fault of the handler" in caplog.text
    async with linked(broker.url) as after:
        await eventually(lambda: after.payloads == [b"poison"])


async def test_stopping_flushes_publications_and_acknowledgements(broker: Mosquitto) -> None:
    async with broker.listening("out/#") as heard:
        async with linked(broker.url) as witness:
            await broker.publish("t/x", b"1")
            await eventually(lambda: witness.payloads == [b"1"])
            for number in range(500):
                witness.link.publish(Publication("out/x", b"%d" % number))
        await eventually(lambda: len(heard) == 500)
        assert witness.link.unsent == 0
    async with linked(broker.url) as again:
        await broker.publish("t/x", b"2")
        await eventually(lambda: again.payloads == [b"2"])


async def test_stopping_beside_a_frozen_broker_takes_at_most_two_seconds(broker: Mosquitto) -> None:
    async with linked(broker.url, keepalive="60s") as witness:
        broker.suspend()
        witness.link.publish(Publication("out/x", b"1"))
        begun = asyncio.get_running_loop().time()
        await witness.link.stop()
        assert asyncio.get_running_loop().time() - begun < 2 + BUSY
        assert witness.link.unsent == 1


async def test_a_mebibyte_and_a_topic_of_many_levels_pass_and_more_than_four_never_reach_us(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        await broker.publish("t" + "/x" * 100, b"a" * 2**20)
        await broker.publish("t/huge", b"b" * 5 * 2**20)
        await broker.publish("t/x", b"next")
        assert await eventually(lambda: [len(payload) for payload in witness.payloads] == [2**20, 4])
