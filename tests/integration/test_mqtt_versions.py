"""Brokers that know only MQTT 3.1.1, whichever way they refuse version 5."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import get_args

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.doors import Manner, door
from support.links import linked
from support.servers import Mosquitto, amqtt, mosquitto
from support.wait import eventually

from adapters.mqtt import LinkState, Publication, ReplyTo


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    async with mosquitto() as running:
        yield running


@pytest.mark.parametrize("manner", get_args(Manner))
async def test_a_broker_that_refuses_version_5_is_spoken_to_in_3_1_1(manner: Manner, broker: Mosquitto) -> None:
    async with door(broker.port, manner) as entrance, linked(entrance.url) as witness:
        assert entrance.levels == [5, 4]
        assert witness.link.protocol == "3.1.1"
        assert witness.states == [(LinkState.UP, "")]
        await broker.publish("t/x", b"1")
        await eventually(lambda: witness.payloads == [b"1"])
        await witness.publish("out/x", b"2")
        assert witness.link.counters.published == 1


async def test_in_3_1_1_the_session_and_unacknowledged_messages_survive_too(broker: Mosquitto) -> None:
    async with door(broker.port, "connack 3.1.1") as entrance:
        async with linked(entrance.url) as witness:
            witness.acking = False
            await broker.publish("t/x", b"held")
            await eventually(lambda: witness.payloads == [b"held"])
        await broker.publish("t/x", b"away")
        async with linked(entrance.url) as witness:
            assert await eventually(lambda: witness.payloads == [b"held", b"away"])


async def test_publications_wait_through_a_change_of_version(broker: Mosquitto) -> None:
    async with linked(broker.url) as witness:
        broker.suspend()
        confirmed: list[int] = []
        for number in range(20):
            witness.link.publish(Publication("out/x", b"%d" % number, retain=True, done=partial(confirmed.append, number)))
        await broker.kill()
        await witness.is_down()
        async with mosquitto() as other, door(other.port, "close") as entrance:
            witness.link._settings = witness.link._settings.model_copy(update={"url": entrance.url})
            await eventually(lambda: confirmed == list(range(20)))
            assert witness.link.protocol == "3.1.1"
            async with other.listening("out/#") as heard:
                await eventually(lambda: [message.payload for message in heard] == [b"19"])


async def test_amqtt_the_demo_broker_of_last_resort_is_good_enough() -> None:
    async with amqtt() as port, linked(f"mqtt://127.0.0.1:{port}") as witness:
        assert witness.link.protocol == "3.1.1"
        await witness.publish("t/self", b"1")
        await eventually(lambda: witness.payloads == [b"1"])


async def test_a_message_may_say_where_it_wants_its_answer_and_the_answer_carries_its_correlation(broker: Mosquitto) -> None:
    wanted: list[ReplyTo | None] = []
    async with linked(broker.url) as witness:

        def reply(topic: str, payload: bytes, retained: bool, token: int) -> None:
            wanted.append(witness.link.reply_to)
            if wanted[-1] is not None:
                witness.link.publish(Publication(wanted[-1].topic, b"ok", correlation=wanted[-1].correlation))

        witness.link._session._message = reply
        async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as person, asyncio.timeout(20):
            await person.subscribe("answers/#")
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves this one without annotations
            properties.ResponseTopic = "answers/me"
            properties.CorrelationData = b"17"
            await person.publish("t/ask", b"?", qos=1, properties=properties)
            answer = await anext(aiter(person.messages))
            assert (str(answer.topic), answer.payload) == ("answers/me", b"ok")
            assert answer.properties is not None
            assert vars(answer.properties)["CorrelationData"] == b"17"
            await person.publish("t/tell", b"!", qos=1)
            await eventually(lambda: wanted == [ReplyTo("answers/me", b"17"), None])


async def test_credentials_are_sent_and_wrong_ones_are_named_as_the_reason(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "right").write_text("opensesame\n")
    (folder / "wrong").write_text("sesame\n")
    async with mosquitto(users={"hazgate": "opensesame"}) as broker:
        async with linked(broker.url, username="hazgate", password={"file": str(folder / "right")}) as witness:
            assert witness.states == [(LinkState.UP, "")]
        async with linked(broker.url, username="hazgate", password={"file": str(folder / "wrong")}, wait=False) as witness:
            await witness.is_down()
            assert witness.reasons == ["the broker refuses the connection: not authorized"]
            assert witness.link.protocol == "5"
        async with linked(broker.url, username="hazgate", password={"env": "HAZGATE_NO_SUCH_VARIABLE"}, wait=False) as witness:
            await witness.is_down()
            assert "HAZGATE_NO_SUCH_VARIABLE" in witness.reasons[0]
