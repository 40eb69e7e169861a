"""The InfluxDB store's own: the public schema, what a server refuses, logins, and answers of versions that Debian has not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.recording import everything, facts, late, names, readings
from support.servers import free_port
from support.sites import T0
from support.stores import Influxd, Servers, influxd

from adapters import influx
from adapters.codecs.frames import Names
from adapters.codecs.line_protocol import FIELDS
from adapters.influx import InfluxSettings, InfluxStore
from alerts.ports import Frame, HazgateError, Permanent, Query, Transient, Written
from alerts.reading import MILLISECOND, NO_TIME, SECOND

LABELS = {"north": {"GT-1": ("pumps", "rtu-1", "combustible_gas")}}
NOWHERE = Path("/nonexistent")


def opened(settings: InfluxSettings, known: Names) -> InfluxStore:
    return InfluxStore(settings, NOWHERE, "spool-1", known)


@pytest.fixture
def server(servers: Servers) -> Influxd:
    return servers.influxd


@pytest.fixture
def database(server: Influxd) -> str:
    return server.create()


def labeled() -> Names:
    known = Names(LABELS)
    known.find("north", "GT-1")
    known.find("north", "GT-2")
    return known


def test_the_schema_is_that_of_the_contract(server: Influxd, database: str) -> None:
    """A sensor that is no longer configured has no zone, device and kind; what is missing in a reading is no field."""
    store = opened(server.settings(database), labeled())
    given = readings((0, 1.0, 12.5), (1, 2.0, np.nan), quality=[0, 2], device_time=[T0, NO_TIME], raw=[6.0, np.nan], seq=[17, -1])
    assert store.write([Frame(1, given)]) == Written(2)
    (series,) = server.ask(database, "SELECT * FROM readings")
    first, second = (dict(zip(series["columns"], row, strict=True)) for row in series["values"])
    assert first == {
        "time": T0 + SECOND,
        "site": "north",
        "zone": "pumps",
        "device": "rtu-1",
        "sensor": "GT-1",
        "kind": "combustible_gas",
        "value": 12.5,
        "quality": 0,
        "arrival": T0 + SECOND + 4 * MILLISECOND,
        "device_time": T0,
        "raw": 6.0,
        "seq": 17,
    }
    assert {name for name, field in second.items() if field is not None} == {"time", "site", "sensor", "quality", "arrival"}
    (tags,) = server.ask(database, "SHOW TAG KEYS FROM readings")
    assert {key for (key,) in tags["values"]} == {"site", "zone", "device", "sensor", "kind"}
    (fields,) = server.ask(database, "SHOW FIELD KEYS FROM readings")
    assert dict(fields["values"]) == {name: "float" if name in ("value", "raw") else "integer" for name in FIELDS}


def test_a_sensor_that_changed_its_zone_has_one_history(server: Influxd, database: str) -> None:
    """A frame that came again after the change is in two series, and is given once."""
    frame = Frame(1, readings((0, 1.0, 5.0), (1, 1.0, 6.0)))
    opened(server.settings(database), labeled()).write([frame])
    known = names("GT-1", "GT-2")
    moved = opened(server.settings(database), known)
    moved.write([frame])
    assert facts(moved.history(everything()), known) == [("GT-1", 1000, 5.0), ("GT-2", 1000, 6.0)]


def test_a_point_of_another_type_is_refused_alone_in_few_requests(server: Influxd, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody wrote `seq` as a float on that day: InfluxDB then takes no whole number there, and only one reading has one."""
    server.put(database, f"readings,site=north,sensor=X seq=1.5,quality=0i {T0}")
    known = names("GT-1")
    store = opened(server.settings(database), known)
    requests = counted(store, monkeypatch)
    many = 4096
    given = readings(*((0, n / 100, float(n)) for n in range(1, many + 1)), seq=np.where(np.arange(many) == 1234, 7, -1))
    answer = store.write([Frame(1, given)])
    assert (answer.stored, [position for position, _ in answer.rejected]) == (many - 1, [1234])
    assert "field type conflict" in answer.rejected[0][1]
    assert len(requests) == 1 + 2 * 12
    assert store.count() == many


def test_when_every_point_is_refused_nobody_halves(server: Influxd, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server.put(database, f"readings,site=north,sensor=X value=1i,quality=0i {T0}")
    store = opened(server.settings(database), names("GT-1"))
    requests = counted(store, monkeypatch)
    answer = store.write([Frame(1, readings(*((0, n / 100, float(n)) for n in range(1, 3001))))])
    assert (answer.stored, len(answer.rejected)) == (0, 3000)
    assert len(requests) == 1


def counted(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the requests that write, from now on."""
    sizes: list[int] = []
    write = store._server.write

    def count(body: bytes) -> object:
        sizes.append(len(body))
        return write(body)

    monkeypatch.setattr(store._server, "write", count)
    return sizes


def test_readings_older_than_the_server_keeps_are_refused_with_its_words(server: Influxd) -> None:
    store = opened(server.settings(server.create(retention="1h")), names("GT-1"))
    answer = store.write([Frame(1, late(readings((0, 1.0, 5.0), (0, 2.0, 6.0))))])
    assert (answer.stored, [position for position, _ in answer.rejected]) == (0, [0, 1])
    assert "retention policy" in answer.rejected[0][1]


def test_other_values_under_one_time_go_to_the_next_free_nanoseconds(server: Influxd, database: str) -> None:
    known = names("GT-1")
    store = opened(server.settings(database), known)
    given = late(readings((0, 1.0, 5.0), (0, 1.0, 6.0), (0, 1.0, 7.0), (0, 1.0, np.nan)))
    assert store.write([Frame(1, given)]) == Written(4)
    times = [time for s in store.history(everything()) for time in s.readings.time.tolist()]
    assert times == [T0 + SECOND + n for n in range(4)]
    assert store.write([Frame(2, given)]) == Written(0, duplicate=4)


def test_late_readings_far_apart_are_known_too(server: Influxd, database: str) -> None:
    store = opened(server.settings(database), names("GT-1", "GT-2"))
    given = late(readings(*((n % 2, n * 86_400.0, float(n)) for n in range(6))))
    store.write([Frame(1, given)])
    assert store.write([Frame(2, given)]) == Written(0, duplicate=6)


def test_a_long_history_comes_in_bounded_pieces_and_sees_what_is_written_meanwhile(server: Influxd, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx, "PIECE", 100)
    known = names("GT-1", "GT-2")
    store = opened(server.settings(database), known)
    many = readings(*((n % 2, n * 0.001, float(n)) for n in range(1000)), (1, 86_400.0, 1000.0))
    store.write([Frame(1, many)])
    history = store.history(everything())
    stretches = [next(history)]
    store.write([Frame(2, readings((1, 90_000.0, 1001.0)))])
    stretches += history
    assert max(len(s.readings) for s in stretches) <= 100
    assert [value for s in stretches for value in s.readings.value.tolist()] == [*many.value.tolist(), 1001.0]
    assert stretches[-1].until == everything().until


def test_more_sensors_than_a_piece_at_one_nanosecond_are_all_given(server: Influxd, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx, "PIECE", 10)
    known = names(*(f"GT-{n}" for n in range(40)))
    store = opened(server.settings(database), known)
    store.write([Frame(1, readings(*((n, 1.0, float(n)) for n in range(40))))])
    assert sum(len(s.readings) for s in store.history(everything())) == 40


def test_a_query_cannot_carry_a_statement(server: Influxd, database: str) -> None:
    known = names("GT-1")
    store = opened(server.settings(database), known)
    store.write([Frame(1, readings((0, 1.0, 5.0)))])
    for text in ("x' OR site = 'north", "\\' OR site = 'north", "'; DROP MEASUREMENT readings; --"):
        assert facts(store.history(Query(T0, T0 + 9 * SECOND, "north", text)), known) == []
    assert store.count() == 1


def test_victoria_metrics_holds_what_the_client_of_version_2_wrote(servers: Servers) -> None:
    """To the millisecond, which is all it has."""
    store = opened(servers.victoria.settings(), names("VM-1", "VM-2"))
    assert store.write([Frame(1, readings((0, 1.0, 5.0), (1, 1.5, 6.25), quality=[0, 1]))]) == Written(2)
    start = T0 // MILLISECOND
    values, qualities = servers.victoria.held("value"), servers.victoria.held("quality")
    assert (values["VM-1"], values["VM-2"]) == ({start + 1000: 5.0}, {start + 1500: 6.25})
    assert (qualities["VM-1"], qualities["VM-2"]) == ({start + 1000: 0}, {start + 1500: 1})
    store.close()


# -- failures


def failure(store: InfluxStore, *frames: Frame) -> HazgateError:
    with pytest.raises(HazgateError) as raised:
        store.write(frames or [Frame(1, readings((0, 1.0, 5.0)))])
    return raised.value


def test_a_database_that_is_not_there_is_said_so(server: Influxd) -> None:
    store = opened(server.settings("nobody_made_it"), names("GT-1"))
    assert isinstance(refused := failure(store), Permanent)
    assert "database not found" in str(refused)
    with pytest.raises(Permanent, match="database not found"):
        store.count()


def test_a_server_that_is_away_hangs_or_comes_back(tmp_path: Path) -> None:
    with influxd() as own:
        settings = own.settings(own.create()).model_copy(update={"timeout": SECOND // 2})
        store = opened(settings, names("GT-1"))
        frame = Frame(1, readings((0, 1.0, 5.0)))
        assert store.write([frame]) == Written(1)
        own.suspend()
        assert isinstance(hung := failure(store), Transient)
        assert "no answer within 0.5 s" in str(hung)
        own.kill()
        assert isinstance(gone := failure(store), Transient)
        assert "nobody takes the connection" in str(gone)
        own.start()
        assert store.write([frame]) == Written(1)
        assert store.count() == 1
        store.close()


def test_the_login_is_sent_and_never_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "密-hunter2")
    with influxd(auth=True) as own:
        own.client.post("/query", data={"q": "CREATE USER hg WITH PASSWORD '密-hunter2' WITH ALL PRIVILEGES"}).raise_for_status()
        own.client.post("/query", data={"q": "CREATE DATABASE db"}, auth=("hg", "密-hunter2")).raise_for_status()
        login = {"username": "hg", "password": {"env": "HAZGATE_TEST_SECRET"}}
        settings = InfluxSettings.model_validate({"version": 1, "url": own.url, "database": "db", **login})
        store = opened(settings, names("GT-1"))
        assert store.write([Frame(1, readings((0, 1.0, 5.0)))]) == Written(1)
        assert store.count() == 1
        monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter3")
        refused = failure(store)
        assert isinstance(refused, Permanent)
        assert "answered 401" in str(refused)
        monkeypatch.delenv("HAZGATE_TEST_SECRET")
        assert "HAZGATE_TEST_SECRET is not set" in str(failure(store))
    assert "hunter" not in caplog.text + str(refused) + repr(settings)


@dataclass
class Canned:
    """An HTTP server that answers every request alike, after having let so many through."""

    status: int
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@pytest.fixture
def canned() -> Iterator[Any]:
    """Starts a `Canned` server; returns its address and the bodies that it got."""
    running: list[ThreadingHTTPServer] = []

    def start(answer: Any) -> tuple[str, list[bytes]]:
        got: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.append(body)
                said = answer(body) if callable(answer) else answer
                self.send_response(said.status)
                for name, value in (*said.headers, ("Content-Length", str(len(said.body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}", got

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def of_version(version: int, url: str) -> InfluxSettings:
    keys = {1: {"database": "d"}, 2: {"org": "o", "bucket": "b"}, 3: {"database": "d"}}[version]
    token = {} if version == 1 else {"token": {"env": "HAZGATE_TEST_SECRET"}}
    return InfluxSettings.model_validate({"version": version, "url": url, **keys, **token})


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Canned(503, '{"code":"unavailable","message":"try later"}', (("Retry-After", "7"),)), Transient, "answered 503: try later"),
        (Canned(429), Transient, "answered 429"),
        (Canned(500, "<html>proxy</html>"), Transient, "answered 500"),
        (Canned(400, "<html>a proxy that wants nothing of it</html>"), Permanent, "answered 400"),
        (Canned(401, '{"code":"unauthorized","message":"no such token: hunter2"}'), Permanent, "answered 401: no such token: <secret>"),
        (Canned(404, '{"code":"not found","message":"bucket \\"b\\" not found"}'), Permanent, 'bucket "b" not found'),
        (Canned(307, "", (("Location", "http://127.0.0.1:9/write"),)), Permanent, "answered 307"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Canned) else None,
)
def test_a_refused_request_is_no_refused_reading(
    version: int, answer: Canned, kind: type[HazgateError], words: str, canned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stays in the spool comes again; nothing goes to quarantine because of a proxy or a token."""
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2")
    url, got = canned(answer)
    failed = failure(opened(of_version(version, url), names("GT-1")))
    assert type(failed) is kind
    if version > 1 or "hunter2" not in answer.body:
        assert words in str(failed)
        assert "hunter2" not in str(failed)
    assert len(got) == 1
    assert getattr(failed, "retry_after", None) == (7 * SECOND if answer.status == 503 else None)


def poisoned(status: int, body: str) -> Any:
    """Refuses every request that holds the value 13."""
    return lambda sent: Canned(status, body) if b"value=13.0" in sent else Canned(204)


@pytest.mark.parametrize(
    ("version", "status", "body", "words"),
    [
        (2, 422, '{"code":"unprocessable entity","message":"failure writing points: partial write: field type conflict dropped=1"}', "field type conflict"),
        (2, 400, '{"code":"invalid","message":"unable to parse a line: bad timestamp"}', "unable to parse"),
        (2, 413, "", "too large"),
        (3, 400, '{"error":"partial write of line protocol occurred","data":[{"line_number":1,"error_message":"invalid column type"}]}', "invalid column type"),
    ],
)
def test_a_refusal_in_the_words_of_later_versions_is_halved_too(
    version: int, status: int, body: str, words: str, canned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2")
    url, got = canned(poisoned(status, body))
    answer = opened(of_version(version, url), names("GT-1")).write([Frame(1, readings(*((0, float(n), float(n)) for n in range(32))))])
    assert answer.stored == 31
    ((position, said),) = answer.rejected
    assert position == 13
    assert words in said
    assert len(got) == 11


def test_a_token_that_cannot_be_sent_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2\nX: y")
    for version in (2, 3):
        failed = failure(opened(of_version(version, f"http://127.0.0.1:{free_port()}"), names("GT-1")))
        assert isinstance(failed, Permanent)
        assert "hunter2" not in str(failed)
        assert failed.__cause__ is None


@pytest.mark.parametrize("body", ["", "[]", '{"results":[]}', '{"results":[{"series":[{"columns":["time"],"values":[[1,2]]}]}]}', '{"results":[7]}'])
def test_an_answer_that_is_none_is_an_error_in_words(body: str, canned: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2")
    url, _ = canned(Canned(200, body))
    with pytest.raises(Permanent, match="InfluxDB"):
        opened(of_version(3, url), names("GT-1")).count()
