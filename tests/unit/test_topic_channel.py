"""The channel over the broker: where a message goes, and what counts as delivered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.notify.topic import Topic, TopicSettings
from alerts.alarm import NoticeKind
from alerts.ports import Delivery, Notice, Permanent


def delivery(to: str | None) -> Delivery:
    """A first message to li."""
    return Delivery(Notice("north", "GT-1.high", "GT-1.high@1", 1, NoticeKind.RAISE, 0, 0, "li", "phone", to=to), b"{}", "1-a")


@pytest.mark.parametrize(("to", "topic"), [(None, "people/phone"), ("+8613800000001", "people/phone/%2B8613800000001"), ("a/#", "people/phone/a%2F%23")])
async def test_the_address_is_the_last_level_and_never_a_wildcard(to: str | None, topic: str) -> None:
    seen: list[str] = []

    def publish(where: str, _body: bytes, done: Callable[[], None], _refused: Callable[[str], None]) -> None:
        seen.append(where)
        done()

    channel = Topic(TopicSettings(kind="mqtt", topic="people/phone"), publish)
    assert (await channel.send(delivery(to))).text == "confirmed by the broker"
    assert seen == [topic]


async def test_a_refused_topic_is_permanent() -> None:
    def publish(_where: str, _body: bytes, _done: Callable[[], None], refused: Callable[[str], None]) -> None:
        refused("not authorized")

    with pytest.raises(Permanent, match="not authorized"):
        await Topic(TopicSettings(kind="mqtt", topic="people/phone"), publish).send(delivery(None))
