"""History for whoever asks: from the recorder of the running gateway, or from the files when none runs.

The recorder listens on `data_dir/history.sock`. A request is one line of JSON; the answer is a series of blocks, each
a letter, the length of its body (u32, little-endian) and the body, so that the alarm loop never carries a byte of it.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from adapters.codecs import frames
from adapters.codecs.frames import Names
from adapters.lock import DirectoryLock, InUse
from alerts.alarm import Quarantine
from alerts.ports import Aside, Query, Stretch, Transient
from gateway.archive import SPOOL, Archive

SOCKET = "history.sock"
READINGS = "readings"
"""The folder of the embedded store in `data_dir`."""
PIECE = 2**20
"""Bytes of a piece of a file."""
ANSWER_WITHIN = 120.0
"""Seconds in which the recorder must say something: a piece of history that is scattered over a day takes a few."""
START_WITHIN = 10.0
"""Seconds for a recorder that is just starting, or starting again, to listen."""
_HEAD = struct.Struct("<cI")
_UNTIL = struct.Struct("<q")


class Block(Enum):
    """What a block of an answer holds."""

    READINGS = b"R"
    """The time up to which the history is complete (i64, ns), then a frame."""
    ASIDE = b"Q"
    COUNT = b"C"
    BYTES = b"B"
    """A piece of a file."""
    ERROR = b"E"
    END = b"."


def block(kind: Block, body: bytes = b"") -> bytes:
    """A block as it is sent."""
    return _HEAD.pack(kind.value, len(body)) + body


def stretch_block(stretch: Stretch, names: Names) -> bytes:
    """A piece of history as it is sent."""
    return block(Block.READINGS, _UNTIL.pack(stretch.until) + frames.encode(stretch.readings, names.known))


def aside_block(aside: Aside) -> bytes:
    """Something set aside as it is sent: JSON of all but the payload on one line, then the payload."""
    head = [aside.topic, aside.reason.value, aside.detail, aside.size, aside.arrival]
    return block(Block.ASIDE, json.dumps(head).encode() + b"\n" + aside.payload)


def file_blocks(folder: Path, name: str) -> Iterator[bytes]:
    """A file as it is sent. Raises Transient if there is none of that name, or it cannot be read."""
    if name != Path(name).name:
        raise Transient(f"{name!r} is no name of a file")
    try:
        with (folder / name).open("rb") as file:
            while piece := file.read(PIECE):
                yield block(Block.BYTES, piece)
    except OSError as error:
        raise Transient(f"cannot read {folder / name}: {error.strerror}") from error


@contextmanager
def socket_address(data_dir: Path) -> Iterator[str]:
    """The socket's address, short enough for the kernel (108 bytes) wherever the directory is."""
    folder = os.open(data_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET}"
    finally:
        os.close(folder)


class Remote:
    """The history of a running gateway. Every method may raise Transient."""

    def __init__(self, data_dir: Path) -> None:
        """Nothing is sent yet. Raises OSError if nobody listens."""
        self.names = Names()
        self._data_dir = data_dir
        self._connect().close()

    def history(self, query: Query) -> Iterator[Stretch]:
        """As `Archive.history`."""
        ask = {"ask": "readings", "since": query.since, "until": query.until, "site": query.site, "sensor": query.sensor}
        for body in self._ask(ask):
            yield Stretch(_UNTIL.unpack_from(body)[0], frames.decode(body[_UNTIL.size :], self.names.find))

    def quarantine(self, since: int, until: int) -> Iterator[Aside]:
        """As `Archive.quarantine`."""
        for body in self._ask({"ask": "quarantine", "since": since, "until": until}):
            head, _, payload = body.partition(b"\n")
            topic, reason, detail, size, arrival = json.loads(head)
            yield Aside(topic, Quarantine(reason), detail, payload, size, arrival)

    def count(self) -> int:
        """As `Archive.count`."""
        return int(next(self._ask({"ask": "count"})))

    def file(self, name: str) -> Iterator[bytes]:
        """A file of the store as it is at this moment, in pieces. Read on: until then nothing is drained."""
        return self._ask({"ask": "file", "name": name})

    def close(self) -> None:
        """Nothing is held between questions."""

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_WITHIN)
        try:
            with socket_address(self._data_dir) as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    def _ask(self, request: Mapping[str, object]) -> Iterator[bytes]:
        """The bodies of the answer's blocks."""
        try:
            with self._connect() as connection, connection.makefile("rb") as answer:
                connection.sendall(json.dumps(request).encode() + b"\n")
                while True:
                    letter, size = _HEAD.unpack(_exactly(answer.read(_HEAD.size), _HEAD.size))
                    body = _exactly(answer.read(size), size)
                    kind = Block(letter)
                    if kind is Block.END:
                        return
                    if kind is Block.ERROR:
                        raise Transient(body.decode())
                    yield body
        except OSError as error:
            raise Transient(f"the recorder of the running gateway did not answer: {error}") from error


@contextmanager
def opened(data_dir: Path, store: Mapping[str, object]) -> Iterator[Archive | Remote | None]:
    """The history of a data directory; None when nothing has been recorded there.

    The lock is only looked at, never kept: a long export must not keep a gateway from starting. One that starts
    meanwhile spools until the files are free. Raises Transient if a gateway runs but does not answer.
    """
    source = _source(data_dir, store)
    try:
        yield source
    finally:
        if source is not None:
            source.close()


def _source(data_dir: Path, store: Mapping[str, object]) -> Archive | Remote | None:
    if not (data_dir / SPOOL).exists():
        return None
    end = time.perf_counter() + START_WITHIN
    while True:
        try:
            return Remote(data_dir)
        except OSError as error:
            refused = error
        try:
            DirectoryLock(data_dir).release()
        except InUse as error:
            if time.perf_counter() > end:
                raise Transient(f"a gateway runs on {data_dir}, but its recorder does not answer: {refused}") from error
            time.sleep(0.1)
            continue
        return Archive(data_dir, store)


def _exactly(found: bytes, size: int) -> bytes:
    if len(found) < size:
        raise ConnectionResetError("the answer broke off")
    return found
