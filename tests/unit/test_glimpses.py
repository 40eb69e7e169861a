"""What the second connection brings ahead of the first goes through the same admission and detection, and no further."""

from __future__ import annotations

import json
from typing import Any

from support.sites import T0, register, sensor, site
from support.sparkplug import payload

from alerts.admit import Admission, Way
from alerts.detect.engine import Engine
from alerts.reading import MILLISECOND, SECOND, Mark
from alerts.register import Register
from gateway.admission import Admit
from gateway.routes import Routes
from gateway.stages import Detect
from gateway.turn import Inbound, Turn

READINGS = "hazgate/v1/north/rtu-1/readings"
STATUS = "hazgate/v1/north/rtu-1/status"


class Path:
    """Admission and detection of a turn, with a second connection ahead."""

    def __init__(self, heads: Register) -> None:
        self.admission = Admission(heads)
        self.routes = Routes(heads)
        self.admit = Admit("hazgate/v1", self.admission, ["north"], self.routes, lambda *_: None)
        self.engine = Engine(heads, T0)
        self.detect = Detect(self.engine, held=False)
        self.admit.look_ahead(heads)

    def turn(self, at: float, messages: tuple[Inbound, ...] = (), glimpses: tuple[Inbound, ...] = ()) -> Turn:
        """One turn, `at` seconds after T0."""
        turn = Turn(T0 + round(at * SECOND), messages, glimpses)
        self.admit.run(turn)
        self.detect.run(turn)
        return turn


def message(body: Any, at: float = 0.0, *, token: int = 1, topic: str = READINGS, retained: bool = False) -> Inbound:
    """What a device says, as it comes `at` seconds after T0."""
    return (topic, body if isinstance(body, bytes) else json.dumps(body).encode(), retained, token, T0 + round(at * SECOND), None)


def says(value: float, at: float, name: str = "GT-1") -> dict[str, Any]:
    """A stamped reading."""
    return {"sensor": name, "value": value, "time": (T0 + round(at * SECOND)) // MILLISECOND}


def test_a_glimpse_is_judged_and_neither_counted_nor_recorded() -> None:
    path = Path(register(sensor("GT-1")))
    turn = path.turn(1, glimpses=(message(says(60, 1), 1, token=0),))
    assert [(edge.condition, edge.kind) for edge in turn.edges] == [("high", "true"), ("high_high", "true")]
    assert turn.readings is None
    assert path.admission.counts.received == 0
    assert turn.spoken == T0 + SECOND, "somebody is heard"


def test_a_glimpse_that_cannot_be_read_is_left_to_the_first_connection() -> None:
    path = Path(register(sensor("GT-1")))
    turn = path.turn(1, glimpses=(message(b"no json", token=0), message(says(5, 1, "GT-9"), token=0), message(b"{}", topic="elsewhere", token=0)))
    assert (turn.asides, turn.edges, path.admission.counts.received) == ([], [], 0)
    turn = path.turn(2, messages=(message(b"no json"),))
    assert len(turn.asides) == 1


def test_in_one_turn_too_each_reading_is_judged_once_and_recorded_once() -> None:
    path = Path(register(sensor("GT-1", latch=False, off_delay="0s")))
    both = (says(60, 1), says(5, 1.1), says(60, 1.2), says(5, 1.3))
    turn = path.turn(2, messages=tuple(message(each, 2) for each in both), glimpses=tuple(message(each, 2, token=0) for each in both))
    assert [edge.kind for edge in turn.edges if edge.condition == "high"] == ["true", "false", "true", "false"]
    assert turn.readings is not None
    assert len(turn.readings) == 4


def test_backlog_neither_returns_an_alarm_nor_refreshes_a_sensor_nor_takes_a_device_off_line() -> None:
    path = Path(register(sensor("GT-1", latch=False, off_delay="0s")))
    path.turn(10, glimpses=(message(says(60, 10), 10, token=0),))
    heard = int(path.engine.columns.arrival[0])
    path.admit.kept = Way.BACKLOG
    farewell = message({"online": False}, 20, topic=STATUS)
    turn = path.turn(20, messages=(message({"sensor": "GT-1", "value": 5}, 20), message(says(5, 1), 20), farewell))
    assert (turn.edges, turn.offline) == ([], [])
    assert int(path.engine.columns.arrival[0]) == heard
    assert turn.readings is not None
    assert (turn.readings.mark & int(Mark.LATE) != 0).all()
    assert path.turn(21, messages=(message({"online": False}, 21, topic=STATUS, token=0),)).offline == [("north", "rtu-1")], "at QoS 0 nothing waits"


def test_once_caught_up_the_first_connection_is_of_now_again() -> None:
    path = Path(register(sensor("GT-1", latch=False, off_delay="0s")))
    path.turn(10, glimpses=(message(says(60, 10), 10, token=0),))
    path.admit.kept = Way.BACKLOG
    path.admit.caught_up()
    turn = path.turn(11, messages=(message(says(5, 11), 11),), glimpses=(message(says(70, 12), 12, token=0),))
    assert [edge.kind for edge in turn.edges] == ["false", "false"], "a glimpse that came too late is nobody's"


def test_what_the_gateway_sends_to_itself_is_told_in_its_place_and_acknowledged_like_anything_else() -> None:
    path = Path(register(sensor("GT-1")))
    told: list[tuple[str, bytes, bool, int]] = []
    path.admit.on_own = lambda level, body, retained: told.append((level, body, retained, path.admission.counts.received))
    own = "hazgate/v1/gateways/gw-1/"
    messages = (message(says(5, 1)), message(b"boot 1 1", topic=own + "echo", token=2), message(b"{}", topic=own + "status", token=0, retained=True))
    turn = path.turn(1, messages=messages)
    assert told == [("echo", b"boot 1 1", False, 1), ("status", b"{}", True, 1)]
    assert (turn.tokens, turn.asides) == ([1, 2], [])


def test_a_sparkplug_edge_is_understood_over_both_connections_each_in_its_own_time() -> None:
    codec = {"kind": "sparkplug", "topic": "spBv1.0/plant/+/edge-1/rtu-1", "names": {"Gas/P-3": "GT-101"}}
    heads = Register([site(sensor("GT-101"), devices=[{"id": "rtu-1", "codec": codec}])])
    path = Path(heads)

    def data(seq: int, alias: int, value: float, token: int) -> Inbound:
        body = payload({"alias": alias, "float_value": value}, time=T0 // MILLISECOND + seq, seq=seq)
        return message(body, topic="spBv1.0/plant/DDATA/edge-1/rtu-1", token=token)

    def born(kind: str, alias: int, seq: int, token: int) -> Inbound:
        metrics = [{"name": "Gas/P-3", "alias": alias, "datatype": 9, "float_value": 1.0}] if kind == "DBIRTH" else [{"name": "bdSeq", "long_value": 7}]
        topic = f"spBv1.0/plant/{kind}/edge-1" + ("/rtu-1" if kind == "DBIRTH" else "")
        return message(payload(*metrics, time=T0 // MILLISECOND, seq=seq), topic=topic, token=token)

    path.turn(0, messages=(born("NBIRTH", 1, 0, 1), born("DBIRTH", 1, 1, 2)))
    path.admit.look_ahead(heads)
    seen = path.turn(1, glimpses=(data(2, 1, 5.0, 0), born("NBIRTH", 9, 0, 0), born("DBIRTH", 9, 1, 0), data(2, 9, 60.0, 0)))
    assert [edge.value for edge in seen.edges] == [60.0, 60.0]
    then = path.turn(2, messages=(data(2, 1, 5.0, 3),))
    assert then.readings is not None
    assert then.readings.value.tolist() == [5.0], "the first connection has not heard of the new aliases yet"
    assert then.asides == []
