"""A disk that loses its power: what strace saw of a process, played onto files, so far as each had been synced.

A page that was written and not synced is lost; one that was synced is kept. That is the worst that a disk may do which keeps what it confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CALLS: Final = "pwrite64,write,ftruncate,fdatasync,fsync,unlink,rename,openat,sendto,writev"
_LINE: Final = re.compile(rb"^(\d+) +(\w+)\((.*?)(?:\) += (-?\d+).*| <unfinished \.\.\.>)$")
_RESUMED: Final = re.compile(rb"^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)")
_ON_FILE: Final = re.compile(rb'^\d+<([^>]*)>(?:, "([^"]*)"\.*, (\d+)(?:, (\d+))?|, (\d+))?')
_POST: Final = "".join(f"\\x{byte:02x}" for byte in b"POST /").encode()
_TEXT: Final = re.compile(rb'"([^"]*)"')


def strace(output: Path) -> tuple[str, ...]:
    """The command to start a process with."""
    return ("strace", "-f", "-y", "-xx", "-s", "4194304", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(output))


@dataclass
class _File:
    """What is on the disk, and what was written since; each write as (place, bytes), or (size, None) to cut it off."""

    synced: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list)
    size: int = 0

    def write(self, at: int | None, data: bytes) -> None:
        at = self.size if at is None else at
        self.size = max(self.size, at + len(data))
        self.waiting.append((at, data))

    def cut(self, size: int) -> None:
        self.size = size
        self.waiting.append((size, None))

    def sync(self, many: int) -> None:
        """What was written before the call is on the disk."""
        for at, data in self.waiting[:many]:
            if data is None:
                del self.synced[at:]
                self.synced.extend(bytes(at - len(self.synced)))
            else:
                self.synced.extend(bytes(max(0, at - len(self.synced))))
                self.synced[at : at + len(data)] = data
        del self.waiting[:many]


class Disk:
    """Follows a trace. While `moments` is iterated it stands as the disk would at that moment."""

    def __init__(self, trace: Path, folder: Path) -> None:
        """`folder`: what of the process's files is looked at; nothing was in it before."""
        self._trace = trace
        self._folder = bytes(folder) + b"/"
        self._files: dict[bytes, _File] = {}
        self._syncing: dict[bytes, tuple[_File, int]] = {}
        self._brokers: set[bytes] = set()
        self.acknowledged = 0
        """PUBACKs so far."""

    def moments(self) -> Iterator[str]:
        """`puback` behind each message that was acknowledged, `post` when a webhook is about to be called."""
        with self._trace.open("rb") as lines:
            for line in lines:
                if resumed := _RESUMED.match(line):
                    self._synced(resumed[1], int(resumed[3]))
                elif called := _LINE.match(line.rstrip(b"\n")):
                    yield from self._called(called)

    def save(self, folder: Path) -> None:
        """Write what is on the disk to another folder: files without what was not synced."""
        for name, file in self._files.items():
            path = folder / _decoded(name)[len(self._folder) :].decode()
            if file.synced and path.name not in ("lock", "reserve") and not path.name.endswith("-shm"):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.synced)

    def _called(self, called: re.Match[bytes]) -> Iterator[str]:
        process, name, given, result = called.groups()
        if name == b"sendto":
            yield from self._sent(given)
        elif name in (b"write", b"writev") and _POST in given:
            yield "post"
        elif name in (b"unlink", b"rename"):
            for text in _TEXT.findall(given)[:1]:
                self._files.pop(text, None)
        elif (on := _ON_FILE.match(given)) and _decoded(on[1]).startswith(self._folder):
            self._on_file(process, name, on, finished=result is not None)

    def _on_file(self, process: bytes, name: bytes, on: re.Match[bytes], *, finished: bool) -> None:
        file = self._files.setdefault(on[1], _File())
        if name in (b"fdatasync", b"fsync"):
            self._syncing[process] = file, len(file.waiting)
            if finished:
                self._synced(process, 0)
        elif name == b"ftruncate":
            file.cut(int(on[5]))
        elif name in (b"pwrite64", b"write"):
            data = _decoded(on[2])
            assert len(data) == int(on[3]), "strace cut it short"
            file.write(int(on[4]) if name == b"pwrite64" else None, data)

    def _synced(self, process: bytes, result: int) -> None:
        if (found := self._syncing.pop(process, None)) and not result:
            found[0].sync(found[1])

    def _sent(self, given: bytes) -> Iterator[str]:
        on = _ON_FILE.match(given)
        if on is None or on[2] is None:
            return
        data = _decoded(on[2])
        if data[:1] == b"\x10" and b"MQTT" in data[:12]:
            self._brokers.add(on[1])
        for packet in _packets(data) if on[1] in self._brokers else ():
            if packet == 4:
                self.acknowledged += 1
                yield "puback"


def _packets(data: bytes) -> Iterator[int]:
    """The kinds of the MQTT packets that were sent with one call."""
    while len(data) >= 2:
        size = shift = 0
        head = 1
        while True:
            size |= (data[head] & 0x7F) << shift
            shift, head = shift + 7, head + 1
            if not data[head - 1] & 0x80:
                break
        yield data[0] >> 4
        data = data[head + size :]


def _decoded(text: bytes) -> bytes:
    """Every byte is written in hexadecimal."""
    return bytes.fromhex(text.replace(b"\\x", b"").decode()) if text.startswith(b"\\x") else text
