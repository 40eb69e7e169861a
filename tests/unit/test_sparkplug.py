"""Sparkplug B sessions: births name, aliases follow, gaps are asked about, deaths are told; and the bytes are what Google's library says they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.codecs import Receiver, Understood
from support.sites import T0
from support.sparkplug import parsed, payload

from adapters.codecs import sparkplug
from alerts.reading import MILLISECOND, SECOND, Quality
from gateway.sparkplug import ASK_AGAIN, REORDER

CODEC = {"kind": "sparkplug", "topic": "spBv1.0/plant/+/edge-1/rtu-1", "names": {"Gas/P-3": "GT-101"}}
NCMD = "spBv1.0/plant/NCMD/edge-1"
BD_SEQ = {"name": "bdSeq", "datatype": 4, "long_value": 7}
GAS = {"name": "Gas/P-3", "alias": 1, "datatype": 9, "float_value": 2.0}


class Edge:
    """An edge of ours and the gateway's side of it."""

    def __init__(self) -> None:
        self.receiver = Receiver(CODEC)
        self.sessions = self.receiver.routes.sessions

    def says(self, kind: str, *metrics: dict[str, Any], seq: int | None, at: float = 0.0, device: str = "rtu-1") -> Understood:
        """A message of the edge, or of a device for D…, `at` seconds after T0."""
        topic = f"spBv1.0/plant/{kind}/edge-1" + (f"/{device}" if kind.startswith("D") else "")
        return self.receiver.hear(payload(*metrics, time=1_763_712_000_000, seq=seq), topic, T0 + round(at * SECOND))

    def born(self) -> Edge:
        """After its births."""
        self.says("NBIRTH", BD_SEQ, seq=0)
        self.says("DBIRTH", GAS, seq=1)
        return self

    def value(self, seq: int, value: float = 5.0, at: float = 0.0) -> list[float]:
        """Data by alias; the values that were read."""
        return [reading.value for reading in self.says("DDATA", {"alias": 1, "float_value": value}, seq=seq, at=at).readings]

    @property
    def asked(self) -> int:
        """How many rebirths were asked for."""
        return len(self.receiver.asked)


def test_a_birth_is_a_reading_and_names_the_aliases_of_what_follows() -> None:
    edge = Edge()
    edge.says("NBIRTH", BD_SEQ, seq=0)
    birth = edge.says("DBIRTH", GAS, {"name": "Firmware", "alias": 2, "datatype": 12, "string_value": "2.1"}, seq=1)
    assert [(reading.sensor, reading.value) for reading in birth.readings] == [("GT-101", 2.0)]
    assert birth.ignored == 1
    assert edge.value(2) == [5.0]
    assert edge.asked == 0


def test_data_of_an_edge_that_was_never_heard_to_be_born_asks_for_its_birth_once() -> None:
    edge = Edge()
    heard = edge.says("DDATA", {"alias": 1, "float_value": 5.0}, seq=9)
    assert heard.unreadable == ["alias 1 stands for nothing until the next birth, which the gateway asks for"]
    edge.says("DDATA", {"alias": 1, "float_value": 5.0}, seq=10, at=1)
    assert [topic for topic, _ in edge.receiver.asked] == [NCMD]
    assert edge.sessions.due() == T0 + ASK_AGAIN, "a request may be lost, so it is asked again"
    edge.sessions.advance(T0 + ASK_AGAIN)
    assert edge.asked == 2
    edge.born()
    assert edge.sessions.due() is None


def test_data_by_name_is_read_even_before_a_birth() -> None:
    heard = Edge().says("DDATA", {"name": "Gas/P-3", "datatype": 9, "float_value": 60.0}, seq=9)
    assert [(reading.sensor, reading.value) for reading in heard.readings] == [("GT-101", 60.0)]


def test_a_gap_holds_nothing_back_and_asks_for_a_birth_when_the_reorder_time_is_over() -> None:
    edge = Edge().born()
    assert edge.value(3, 60.0) == [60.0]
    assert edge.sessions.due() == T0 + REORDER
    edge.sessions.advance(T0 + REORDER - 1)
    assert edge.asked == 0
    edge.sessions.advance(T0 + REORDER)
    assert (edge.asked, edge.sessions.due()) == (1, None)


def test_a_message_that_only_came_out_of_order_asks_for_nothing() -> None:
    edge = Edge().born()
    for seq in (3, 4, 2):
        edge.value(seq)
    assert edge.sessions.due() is None


def test_the_numbers_go_round_after_255() -> None:
    edge = Edge().born()
    for seq in range(2, 600):
        edge.value(seq % 256)
    assert (edge.sessions.due(), edge.asked) == (None, 0)


def test_an_edge_whose_numbers_fall_back_began_anew_unheard_and_is_asked() -> None:
    edge = Edge().born()
    for seq in range(2, 200):
        edge.value(seq)
    edge.value(100)
    assert edge.asked == 1
    edge.value(101, at=1)
    assert edge.sessions.due() == T0 + ASK_AGAIN


def test_an_edge_that_does_not_speak_is_not_asked_again() -> None:
    edge = Edge()
    edge.sessions.connected(T0)
    assert edge.sessions.due() is None


def test_messages_of_the_edges_other_devices_count_in_its_numbers_and_are_not_ours() -> None:
    edge = Edge().born()
    assert edge.says("DDATA", {"name": "Gas/P-3", "float_value": 99.0}, seq=2, device="rtu-9").ignored == 1
    assert edge.value(3) == [5.0]
    assert edge.sessions.due() is None


def test_an_alias_that_no_birth_named_asks_for_one_and_spoils_only_itself() -> None:
    edge = Edge().born()
    heard = edge.says("DDATA", {"alias": 1, "float_value": 5.0}, {"alias": 8, "float_value": 1.0}, seq=2)
    assert [reading.value for reading in heard.readings] == [5.0]
    assert len(heard.unreadable) == edge.asked == 1


def test_the_death_of_the_edge_takes_its_devices_and_their_aliases_along() -> None:
    edge = Edge().born()
    assert edge.says("NDEATH", BD_SEQ, seq=None).offline == [("north", "rtu-1")]
    assert edge.value(2) == []
    assert edge.asked == 1


def test_the_will_of_an_older_connection_is_no_death() -> None:
    edge = Edge().born()
    assert edge.says("NDEATH", BD_SEQ | {"long_value": 6}, seq=None).offline == []
    assert edge.value(2) == [5.0]


def test_the_death_of_a_device_is_its_own() -> None:
    edge = Edge().born()
    assert edge.says("DDEATH", seq=2, device="rtu-9").offline == []
    assert edge.says("DDEATH", seq=3).offline == [("north", "rtu-1")]


def test_a_broker_that_is_back_is_asked_for_every_birth() -> None:
    edge = Edge().born()
    edge.sessions.connected(T0)
    edge.sessions.connected(T0)
    assert edge.receiver.asked == [(NCMD, sparkplug.rebirth(T0))] * 2
    edge.says("NBIRTH", BD_SEQ, seq=0)
    assert edge.value(1) == []


def test_the_request_is_what_the_specification_asks_for() -> None:
    message = parsed(sparkplug.rebirth(T0))
    (metric,) = message.metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", 11, True)
    assert (message.timestamp, message.HasField("seq")) == (T0 // MILLISECOND, False)


@pytest.mark.parametrize(
    ("datatype", "sent", "value"),
    [
        (1, {"int_value": 0xFF}, -1.0),
        (1, {"int_value": 0xFFFFFFFF}, -1.0),
        (2, {"int_value": 0x8000}, -32768.0),
        (3, {"int_value": 0xFFFFFFFE}, -2.0),
        (4, {"long_value": 2**64 - 3}, -3.0),
        (5, {"int_value": 255}, 255.0),
        (7, {"long_value": 4_000_000_000}, 4e9),
        (8, {"long_value": 2**63}, 2.0**63),
        (9, {"float_value": 0.5}, 0.5),
        (10, {"double_value": -1.25}, -1.25),
        (11, {"boolean_value": True}, 1.0),
    ],
)
def test_every_type_of_number_is_read_as_it_was_meant(datatype: int, sent: dict[str, Any], value: float) -> None:
    edge = Edge()
    edge.says("NBIRTH", BD_SEQ, seq=0)
    edge.says("DBIRTH", {"name": "Gas/P-3", "alias": 1, "datatype": datatype, "is_null": True}, seq=1)
    assert [r.value for r in edge.says("DDATA", {"alias": 1} | sent, seq=2).readings] == [value]


@pytest.mark.parametrize(("number", "quality"), [(192, Quality.GOOD), (0, Quality.BAD), (500, Quality.BAD), (64, Quality.UNCERTAIN)])
def test_the_property_quality_is_the_readings(number: int, quality: Quality) -> None:
    heard = Edge().born().says("DDATA", {"alias": 1, "float_value": 5.0, "quality": number}, seq=2)
    assert [reading.quality for reading in heard.readings] == [quality]


@given(
    st.lists(st.tuples(st.sampled_from(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"]), st.binary(max_size=40), st.integers(0, 300)), max_size=6)
)
def test_whatever_an_edge_sends_is_understood_or_refused_with_a_sentence(said: list[tuple[str, bytes, int]]) -> None:
    edge = Edge().born()
    for kind, junk, seq in said:
        edge.says(kind, BD_SEQ, GAS, seq=seq)
        topic = f"spBv1.0/plant/{kind}/edge-1" + ("/rtu-1" if kind.startswith("D") else "")
        edge.receiver.hear(payload(GAS, seq=seq) + junk, topic)
        edge.receiver.hear(junk, topic)
    due = edge.sessions.due()
    assert due is None or T0 < due <= T0 + ASK_AGAIN


METRIC = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=10),
        "alias": st.integers(0, 2**64 - 1),
        "timestamp": st.integers(0, 2**64 - 1),
        "datatype": st.integers(0, 2**32 - 1),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "double_value": st.floats(),
    },
)


@given(st.lists(METRIC, max_size=4), st.integers(0, 2**64 - 1), st.integers(0, 255))
def test_what_googles_library_writes_we_read(metrics: list[dict[str, Any]], time: int, seq: int) -> None:
    read = sparkplug.decode(payload(*metrics, time=time, seq=seq))
    assert (read.time, read.seq, len(read.metrics)) == (time, seq, len(metrics))
    for metric, sent in zip(read.metrics, metrics, strict=True):
        assert (metric.name, metric.alias, metric.time, metric.datatype) == tuple(sent.get(key) for key in ("name", "alias", "timestamp", "datatype"))
        assert (metric.historical, metric.null) == (sent.get("is_historical", False), sent.get("is_null", False))
        assert repr(metric.real) == repr(sent.get("double_value"))
