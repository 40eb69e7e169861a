"""The stream from the broker, cut into packets: whole, in order, and of a flood at QoS 0 only a share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sieve import ALL, PATIENCE, SHARE, Sieve


def packet(head: int, body: bytes) -> bytes:
    """Any packet: its first byte and what follows its length."""
    size, length = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([head, *length]) + body


def publication(topic: str, payload: bytes = b"5", qos: int = 0) -> bytes:
    """A PUBLISH of MQTT 3.1.1."""
    return packet(0x30 | qos << 1, len(topic).to_bytes(2) + topic.encode() + (b"\0\1" if qos else b"") + payload)


packets = st.lists(st.builds(packet, st.integers(0, 255), st.binary(max_size=300)), max_size=20)


@given(packets, st.lists(st.integers(1, 200), min_size=1), st.booleans())
def test_however_the_stream_is_cut_every_packet_comes_whole_and_in_order(sent: list[bytes], cuts: list[int], flooded: bool) -> None:
    sieve, stream = Sieve(), b"".join(sent)
    sieve.feed(b"", 0.0)
    whole = [sum(map(len, sent[:n])) for n in range(len(sent) + 1)]
    got, place, turn = b"", 0, 0
    while place < len(stream):
        size = cuts[turn % len(cuts)]
        got += sieve.feed(stream[place : place + size], 10.0 if flooded else 0.0)
        place, turn = place + size, turn + 1
        assert len(got) in whole, "nothing is handed on before it is complete"
    assert got == stream, "twenty packets are nobody's flood"


def test_a_topic_has_its_share_of_a_second_and_what_is_beyond_it_is_counted() -> None:
    sieve = Sieve()
    sieve.feed(b"", 0.0)
    flood = publication("north/rtu-2/readings")
    assert sieve.feed(flood * (SHARE + 50), PATIENCE) == flood * SHARE
    assert (sieve.passed_over, sieve.worst) == (50, "north/rtu-2/readings")
    assert sieve.feed(flood * SHARE, PATIENCE + 1) == flood * SHARE


def test_what_is_acknowledged_and_what_is_not_published_is_never_passed_over() -> None:
    sieve = Sieve()
    sieve.feed(b"", 0.0)
    flood, good, answer = publication("a/b"), publication("a/b", qos=1), packet(0x40, b"\0\1")
    stream = flood * (SHARE + 10) + (good + answer) * 500
    assert sieve.feed(stream, 1.0).endswith((good + answer) * 500)
    assert sieve.passed_over == 10


def test_many_topics_share_a_bound_of_their_own_but_where_qos_0_is_all_there_is() -> None:
    stream = b"".join(publication(f"t/{n}") for n in range(ALL + 100))
    for most, passed_over in ((ALL, 100), (None, 0)):
        sieve = Sieve(most)
        sieve.feed(b"", 0.0)
        sieve.feed(stream, 1.0)
        assert sieve.passed_over == passed_over


def test_nothing_is_passed_over_while_reading_keeps_up() -> None:
    sieve = Sieve()
    flood = publication("a/b") * 10_000
    for second in range(5):
        assert sieve.feed(flood, float(second)) == flood
        sieve.drained()
    assert sieve.passed_over == 0


@pytest.mark.parametrize("topic", [b"\xff\xfe", b""])
def test_a_topic_that_is_no_text_does_not_stop_the_stream(topic: bytes) -> None:
    sieve = Sieve()
    sieve.feed(b"", 0.0)
    flood = packet(0x30, len(topic).to_bytes(2) + topic)
    assert sieve.feed(flood * (SHARE + 1), 1.0) == flood * SHARE


def test_a_length_that_is_no_mqtt_is_handed_on_to_whoever_says_so() -> None:
    broken = b"\x30\xff\xff\xff\xff\x01"
    assert Sieve().feed(broken, 0.0) == broken


def test_a_new_connection_begins_with_a_new_packet() -> None:
    sieve = Sieve()
    assert sieve.feed(publication("a/b")[:3], 0.0) == b""
    sieve.begin()
    assert sieve.feed(publication("a/b"), 0.0) == publication("a/b")
