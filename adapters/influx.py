"""InfluxDB 1.x, 2 and 3 as the store.

Written by line protocol, over `/write` for 1.x and the client's `/api/v2/write` for 2 and 3; read by InfluxQL over
`/query`, which all three serve. A point is its tags and its time, so writing it again changes nothing. Nothing here
retries: what fails raises, and the frames come again.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from adapters.codecs import line_protocol
from adapters.codecs.frames import Names, empty
from adapters.codecs.line_protocol import FIELDS, MEASUREMENT, Refused
from adapters.secret import Secret
from adapters.tls import client_context
from alerts import units
from alerts.ports import AlarmEvent, Frame, HazgateError, Permanent, Query, Stretch, Transient, Written
from alerts.reading import SECOND, Ints, Mark, Readings
from alerts.written import quantity

if TYPE_CHECKING:
    import urllib3

log = logging.getLogger(__name__)

T = TypeVar("T")
LINES: Final = 5_000
"""Lines in one request, as InfluxDB advises."""
PIECE: Final = 10_000
"""Readings in a piece of history, at most, unless one nanosecond holds more. InfluxDB 1.x marks an answer of more as cut short."""
RUN: Final = 600 * SECOND
"""Late readings of a sensor no farther apart than this are compared with one query."""
_MIN_TIME, _MAX_TIME = -(2**63) + 2, 2**63 - 2
"""What InfluxDB can hold."""
_ABOUT_POINTS: Final = frozenset({400, 413, 422})
"""Answers that may be a refusal of some points rather than of the request."""
_BUSY: Final = frozenset({408, 425, 429})
_DROPPED: Final = re.compile(r"\bdropped=(\d+)")


class InfluxSettings(BaseModel):
    """`store: {kind: influxdb}`. timeout: ns for one request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["influxdb"] = "influxdb"
    version: Literal[1, 2, 3] = Field(description="of the server")
    url: str = Field(description="http:// or https:// address of the server")
    org: str | None = Field(None, min_length=1, description="version 2: the organization")
    bucket: str | None = Field(None, min_length=1, description="version 2: the bucket")
    database: str | None = Field(None, min_length=1, description="version 1 and 3: the database")
    token: Secret | None = Field(None, description="version 2 and 3")
    username: str | None = Field(None, min_length=1, description="version 1, where the server wants a login")
    password: Secret | None = None
    timeout: Annotated[int, quantity(units.duration, "a span such as 10s"), Field(gt=0, json_schema_extra={"type": "string"})] = 10 * SECOND

    @field_validator("url")
    @classmethod
    def _is_a_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("expected an http:// or https:// address")
        if parts.username is not None or parts.password is not None:
            raise ValueError("login data do not belong into the address; use token, or username and password")
        return url.rstrip("/")

    @property
    def place(self) -> str:
        """The bucket, or the database that does for it in 1.x and 3."""
        return self.bucket or self.database or ""

    def secrets(self) -> Iterator[str]:
        """What no log and no error may hold. Raises Permanent if one is not where it should be."""
        yield from (secret.reveal() for secret in (self.token, self.password) if secret is not None)

    def headers(self) -> dict[str, str]:
        """How a request shows who we are."""
        if self.token is not None:
            return {"Authorization": f"Token {self.token.reveal()}"}
        if self.username is None:
            return {}
        login = f"{self.username}:{self.password.reveal() if self.password else ''}"
        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


class InfluxStore:
    """A `Store` in an InfluxDB. Any error closes the connections; the next call opens them anew."""

    def __init__(self, settings: InfluxSettings, data_dir: Path, epoch: str, names: Names) -> None:  # noqa: ARG002 - every store's factory takes folder and epoch
        self._server = _Server(settings)
        self._names = names
        self._heads: dict[int, str] = {}

    def write(self, frames: Sequence[Frame]) -> Written:
        """Write frames: first what is not late, then what is late and not there yet.

        Live readings are not looked up: a frame that comes again writes the same points again and answers the same.
        Late ones are, because another value under a time that is taken would replace it. One of them that came with
        a frame which had been written but not answered for is a duplicate then.
        """
        if not frames:
            return Written(0)
        readings = Readings.concatenate([frame.readings for frame in frames])
        late = (readings.mark & Mark.LATE) != 0
        rejected = list(self._put(readings, np.flatnonzero(~late)))
        duplicate = 0
        if late.any():
            times, known = self._place(readings.take(late))
            moved = readings.time.copy()
            moved[late] = times
            rejected += self._put(replace(readings, time=moved), np.flatnonzero(late)[~known])
            duplicate = int(known.sum())
        return Written(len(readings) - duplicate - len(rejected), duplicate, tuple(sorted(rejected)))

    def history(self, query: Query) -> Iterator[Stretch]:
        """Pieces of at most `PIECE` readings, or of one nanosecond if that holds more."""
        spans = [(query.since, query.until)]
        while spans:
            since, until = spans.pop()
            many = self._count(where := _where(query, since, until))
            middle = self._middle(where) if many > PIECE else None
            if middle is None:
                yield Stretch(until, self._read(where) if many else empty())
            else:
                spans += [(middle, until), (since, middle)]

    def count(self) -> int:
        """How many readings the database holds, of every site."""
        return self._count("")

    def write_events(self, events: Sequence[AlarmEvent]) -> None:
        """Keep alarm events in the measurement `alarms`. One that the server refuses is in its words in the log: the journal has it."""
        refused = list(self._sent([line_protocol.encode_event(event) for event in events]))
        for position, words in refused:
            log.warning("InfluxDB refused the alarm event %d: %s", events[position].sequence, words)

    def last_event(self) -> int:
        """Of the sites that have labels, which are those of this gateway."""
        sites = " OR ".join(f"site = '{_quoted(site)}'" for site in self._names.labels)
        statement = f"SELECT max(recorded_at) FROM {line_protocol.ALARMS}{' WHERE ' if sites else ''}{sites}"  # noqa: S608 - as above
        return next(iter(self._ask(statement, lambda answer: _numbers(answer, "max"))), 0)

    def close(self) -> None:
        """Give up kept connections."""
        self._server.close()

    def _head(self, index: int) -> str:
        if index not in self._heads:
            site, sensor = self._names.known[index]
            zone, device, kind = self._names.labels.get(site, {}).get(sensor, (None, None, None))
            self._heads[index] = line_protocol.head((site, zone, device, sensor, kind))
        return self._heads[index]

    def _put(self, readings: Readings, positions: NDArray[np.intp]) -> Iterator[tuple[int, str]]:
        """Write the readings at these positions; gives the positions of those refused, with the server's words.

        In order of time: what a server refuses by age then lies together, and is found in a few requests.
        """
        positions = positions[np.argsort(readings.time[positions], kind="stable")]
        for start in range(0, len(positions), LINES):
            chunk = positions[start : start + LINES]
            for position, words in self._sent(line_protocol.encode(readings.take(chunk), self._head)):
                yield int(chunk[position]), words

    def _sent(self, lines: list[bytes]) -> Iterator[tuple[int, str]]:
        """Send lines; gives the positions of those refused.

        A refusal does not say which point it means, so the request is halved until it is one.
        """
        todo = [(0, len(lines))]
        while todo:
            since, until = todo.pop()
            refusal = self._server.write(b"\n".join(lines[since:until]))
            if refusal is None:
                continue
            if until - since == 1 or refusal.dropped == until - since:
                yield from ((position, refusal.words) for position in range(since, until))
            else:
                middle = (since + until) // 2
                todo += [(middle, until), (since, middle)]

    def _place(self, readings: Readings) -> tuple[Ints, NDArray[np.bool_]]:
        """The time under which each late reading is kept, and whether it is there already.

        Another value under a time that is taken goes to the next free nanosecond.
        """
        times, known = readings.time.copy(), np.zeros(len(readings), np.bool_)
        for index in np.unique(readings.sensor).tolist():
            of_sensor = np.flatnonzero(readings.sensor == index)
            taken = self._taken(index, readings.time[of_sensor])
            for position in of_sensor.tolist():
                at, value = int(times[position]), _bits(float(readings.value[position]))
                while at in taken and value not in taken[at]:
                    at += 1
                known[position] = at in taken
                taken.setdefault(at, set()).add(value)
                times[position] = at
        return times, known

    def _taken(self, index: int, times: Ints) -> dict[int, set[float | None]]:
        """What the sensor has at and just behind these times."""
        site, sensor = self._names.known[index]
        found: dict[int, set[float | None]] = {}
        ordered = np.unique(times)
        for run in np.split(ordered, np.flatnonzero(np.diff(ordered) > RUN) + 1):
            for stretch in self.history(Query(int(run[0]), int(run[-1]) + 1_000, site, sensor)):
                for at, value in zip(stretch.readings.time.tolist(), stretch.readings.value.tolist(), strict=True):
                    found.setdefault(at, set()).add(_bits(value))
        return found

    def _read(self, where: str) -> Readings:
        statement = f"SELECT {', '.join(FIELDS)} FROM {MEASUREMENT}{where} GROUP BY site, sensor"  # noqa: S608 - its texts are quoted
        return self._ask(statement, lambda answer: line_protocol.decode(answer, self._names.find))

    def _count(self, where: str) -> int:
        statement = f"SELECT count(quality) FROM {MEASUREMENT}{where}"  # noqa: S608 - as above
        return next(iter(self._ask(statement, lambda answer: _numbers(answer, "count"))), 0)

    def _middle(self, where: str) -> int | None:
        """A time that has readings on both sides; None if all have the same."""
        ends: list[int] = []
        for order in ("ASC", "DESC"):
            statement = f"SELECT quality FROM {MEASUREMENT}{where} ORDER BY time {order} LIMIT 1"  # noqa: S608 - as above
            ends += self._ask(statement, lambda answer: _numbers(answer, "time"))
        return None if len(set(ends)) < 2 else sum(ends) // 2 + 1

    def _ask(self, statement: str, read: Callable[[bytes], T]) -> T:
        answer = self._server.query(statement)
        try:
            return read(answer)
        except Refused as error:
            raise Permanent(f"InfluxDB: {error}") from error
        except (msgspec.DecodeError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise Permanent("InfluxDB: its answer is not that of InfluxQL") from error


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The server's words on some points, and of how many it says that it dropped them."""

    words: str

    @property
    def dropped(self) -> int | None:
        found = _DROPPED.search(self.words)
        return int(found[1]) if found else None


class _Server:
    """Requests and their failures, in our terms. Both libraries load with the first request: the gateway process needs the settings only."""

    def __init__(self, settings: InfluxSettings) -> None:
        self._settings = settings
        self._pool: urllib3.PoolManager | None = None
        self._api: Any = None  # the client types nothing

    def write(self, body: bytes) -> _Refusal | None:
        """Write lines; what the server says of points that it refuses. Raises Transient or Permanent for everything else."""
        if self._settings.version == 1:
            status, said, headers = self._request("/write", {"db": self._settings.place, "precision": "ns"}, body)
        else:
            status, said, headers = self._write_by_client(body)
        if 200 <= status < 300:
            return None
        if status in _ABOUT_POINTS and (words := line_protocol.words(said) or (status == 413 and "it is too large")):
            return _Refusal(self._cleaned(str(words)))
        raise self._failed(status, said, headers)

    def query(self, statement: str) -> bytes:
        """The answer to an InfluxQL statement."""
        form = urlencode({"db": self._settings.place, "epoch": "ns", "q": statement}).encode()
        status, said, headers = self._request("/query", {}, form)
        if 200 <= status < 300:
            return said
        raise self._failed(status, said, headers)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.clear()
        if self._api is not None:
            self._api.close()
        self._pool = self._api = None

    def _request(self, path: str, fields: dict[str, str], body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        import urllib3  # noqa: PLC0415 - see the class

        settings = self._settings
        headers = {"Content-Type": "application/x-www-form-urlencoded" if path == "/query" else "text/plain; charset=utf-8", **settings.headers()}
        try:
            if self._pool is None:
                self._pool = urllib3.PoolManager(retries=False, ssl_context=self._tls())
            url = f"{settings.url}{path}" + (f"?{urlencode(fields)}" if fields else "")
            answer = self._pool.request("POST", url, body=body, headers=headers, timeout=settings.timeout / SECOND, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise self._unreached(error) from error
        except ValueError:
            # the words would repeat the header
            raise Permanent("InfluxDB: the token or login cannot be sent in a header") from None
        return answer.status, answer.data, answer.headers

    def _write_by_client(self, body: bytes) -> tuple[int, bytes, Mapping[str, str]]:
        import urllib3  # noqa: PLC0415 - see the class
        from influxdb_client.rest import ApiException  # noqa: PLC0415 - likewise

        settings = self._settings
        try:
            if self._api is None:
                self._api = self._opened()
            self._api.write(settings.place, settings.org or "", body)
        except ApiException as refused:
            if not refused.status:
                raise self._unreached(refused) from None
            said = refused.body or b""
            return refused.status, said.encode() if isinstance(said, str) else said, refused.headers or {}
        except urllib3.exceptions.HTTPError as error:
            raise self._unreached(error) from error
        except ValueError:
            # as above
            raise Permanent("InfluxDB: the token cannot be sent in a header") from None
        return 204, b"", {}

    def _opened(self) -> Any:
        from influxdb_client.client.influxdb_client import InfluxDBClient  # noqa: PLC0415 - see the class
        from influxdb_client.client.write_api import SYNCHRONOUS  # noqa: PLC0415 - likewise

        settings = self._settings
        token = settings.token.reveal() if settings.token else ""
        client = InfluxDBClient(settings.url, token, org=settings.org or "", timeout=settings.timeout // 1_000_000, ssl_context=self._tls(), retries=False)
        return client.write_api(write_options=SYNCHRONOUS)

    def _tls(self) -> Any:
        return client_context() if self._settings.url.startswith("https:") else None

    def _unreached(self, error: Exception) -> Transient:
        import urllib3  # noqa: PLC0415 - see the class

        self.close()
        failures = urllib3.exceptions
        match error:
            case failures.NewConnectionError():
                words = "nobody takes the connection"
            case failures.TimeoutError():
                words = f"no answer within {self._settings.timeout / SECOND:g} s"
            case failures.ProtocolError():
                words = "it broke the connection off"
            case _:
                words = self._cleaned(str(error) or type(error).__name__)
        return Transient(f"InfluxDB at {self._settings.url}: {words}")

    def _failed(self, status: int, said: bytes, headers: Mapping[str, str]) -> HazgateError:
        self.close()
        words = self._cleaned(line_protocol.words(said) or said[:200].decode("utf-8", "replace").strip())
        reason = f"InfluxDB at {self._settings.url} answered {status}{': ' if words else ''}{words}"
        if status in _BUSY or status >= 500:
            wait = headers.get("Retry-After", "")
            return Transient(reason, retry_after=int(wait[:5]) * SECOND if wait.isascii() and wait.isdigit() else None)
        return Permanent(reason)

    def _cleaned(self, text: str) -> str:
        """What somebody else said, without any secret of ours that it repeats, on one line."""
        for secret in self._settings.secrets():
            text = text.replace(secret, "<secret>") if secret else text
        return " ".join(text.split())


def _where(query: Query, since: int, until: int) -> str:
    terms = [f"time >= {max(since, _MIN_TIME)}", f"time < {min(until, _MAX_TIME)}"]
    terms += [f"{tag} = '{_quoted(text)}'" for tag, text in (("site", query.site), ("sensor", query.sensor)) if text is not None]
    return f" WHERE {' AND '.join(terms)}"


def _numbers(answer: bytes, column: str) -> list[int]:
    """A column of an answer that is one series or none."""
    return [int(number) for _, columns in line_protocol.rows(answer) for number in columns[column]]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def _bits(value: float) -> float | None:
    """A value as it compares: no value equals no value."""
    return None if np.isnan(value) else value
