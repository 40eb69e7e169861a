"""Which codec reads which topic."""

from __future__ import annotations

from typing import Any

import pytest
from support.codecs import OWN, Receiver

from adapters.codecs.paths import NOTHING, compiled


def heard(codec: dict[str, Any], payload: bytes, topic: str = OWN) -> list[tuple[str, float]]:
    receiver = Receiver(codec, ("GT-101",))
    return [(reading.sensor, reading.value) for reading in receiver.hear(payload, topic).readings]


def test_without_a_topic_the_codec_reads_the_gateways_own_topic_of_the_device() -> None:
    assert heard({"kind": "mapped", "paths": {"value": "$.v"}}, b'{"v": 3}') == [("GT-101", 3.0)]
    assert heard({"kind": "senml"}, b'[{"n": "GT-101", "v": 3}]') == [("GT-101", 3.0)]


def test_with_a_topic_the_gateways_own_topic_still_takes_our_format() -> None:
    codec = {"kind": "mapped", "topic": "acme/rtu", "paths": {"value": "$.v"}}
    assert heard(codec, b'{"sensor": "GT-101", "value": 4}') == [("GT-101", 4.0)]
    assert heard(codec, b'{"v": 5}', "acme/rtu") == [("GT-101", 5.0)]


def test_our_format_can_come_to_another_topic() -> None:
    assert heard({"kind": "json", "topic": "plant/rtu"}, b'{"sensor": "GT-101", "value": 4}', "plant/rtu") == [("GT-101", 4.0)]


def test_only_topics_of_the_pattern_are_the_devices() -> None:
    routes = Receiver({"kind": "mapped", "topic": "acme/+/{sensor}/up", "paths": {"value": "$.v"}}).routes
    assert routes.filters() == {"acme/+/+/up": 1}
    found = routes.find(["acme", "x", "GT-101", "up"])
    assert found is not None
    assert (found[0], found[2]) == (("north", "rtu-1"), "GT-101")
    assert all(routes.find(topic.split("/")) is None for topic in ("acme/x/GT-101", "acme/x/GT-101/up/1", "acne/x/GT-101/up", "acme/x/GT-101/down", ""))


def test_a_topic_that_spells_a_placeholder_is_a_name_like_any_other() -> None:
    routes = Receiver({"kind": "mapped", "topic": "acme/one/up", "paths": {"value": "$.v", "sensor": "$.s"}}).routes
    assert routes.find(["acme", "{sensor}", "up"]) is None


def test_a_sparkplug_edge_is_heard_with_all_its_devices_but_not_with_commands() -> None:
    routes = Receiver({"kind": "sparkplug", "topic": "spBv1.0/g/+/e/d"}).routes
    kinds = {topic.split("/")[2]: len(topic.split("/")) for topic in routes.filters()}
    assert kinds == {"NBIRTH": 4, "NDATA": 4, "NDEATH": 4, "DBIRTH": 5, "DDATA": 5, "DDEATH": 5}
    assert routes.sessions.find(["spBv1.0", "g", "NCMD", "e"]) is None
    assert routes.sessions.find(["spBv1.0", "g", "DDATA", "other", "d"]) is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.a.b", 1),
        ("$['a b'][0]", 2),
        ('$["a b"][-1]', 3),
        ("@.c", 9),
        ("$.气体.值", 4),
        ("$.none", NOTHING),
        ("$.n", None),
        ("$.a.b.c", NOTHING),
        ("$['a b'].x", NOTHING),
    ],
)
def test_a_path_leads_to_one_place_or_to_nothing(path: str, found: object) -> None:
    message = {"a": {"b": 1}, "a b": [2, 3], "气体": {"值": 4}, "n": None}
    assert compiled(path).find(message, {"c": 9}) == found
