"""Holds the whole journal, closed years included, against itself, against its signatures, and against heads that it gave away.

Read beside a running gateway; nothing is changed. Each thing that is wrong is told by itself, so that none hides another.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from adapters import journal_tail
from adapters.codecs.chain import Head, Note, link
from adapters.journal_files import FOLDER, YEARS, Closed, Kept, Volume, digest, open_closed, open_live
from adapters.signing import verified
from alerts.ports import Permanent

MOST: Final = 20
"""Findings of one kind in one file that are told; a file that was rewritten has thousands."""


class Fault(StrEnum):
    """What can be wrong."""

    BROKEN_LINK = "broken link"
    MISSING_ROWS = "missing rows"
    MISSING_TAIL = "missing tail"
    FORKED_CHAIN = "forked chain"
    UNSIGNED = "unsigned rows"
    BAD_SIGNATURE = "bad signature"
    ALTERED_FILE = "altered file"
    UNREADABLE = "unreadable"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: in which file, and a sentence."""

    fault: Fault
    file: str
    sentence: str


@dataclass(slots=True)
class Report:
    """What was looked at and found. first, last: row numbers; since, until: the earliest and the latest `recorded_at`, ns; 0 for no rows.

    head: the newest signed one that holds. unsigned: rows after it. remarks: what a reader should know, and nothing is wrong with.
    """

    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    rows: int = 0
    first: int = 0
    last: int = 0
    since: int = 0
    until: int = 0
    heads: int = 0
    head: Head | None = None
    unsigned: int = 0

    def add(self, fault: Fault, file: str, sentence: str) -> None:
        """Note what is wrong, up to `MOST` times for each kind and file."""
        alike = sum((fault, file) == (each.fault, each.file) for each in self.findings)
        if alike < MOST:
            self.findings.append(Finding(fault, file, sentence))
        elif alike == MOST:
            self.findings.append(Finding(fault, file, "and more of the kind"))

    def count(self, row: Kept) -> None:
        """A row was looked at."""
        self.since = min(self.since, row.recorded_at) if self.rows else row.recorded_at
        self.until = max(self.until, row.recorded_at) if self.rows else row.recorded_at
        self.first, self.last, self.rows = self.first or row.sequence, row.sequence, self.rows + 1


def verify(journal: Path, gateway: str, keys: Mapping[str, bytes], given: Sequence[Head] = ()) -> Report:
    """Look at everything. keys: the public keys that are trusted, by id; given: heads that the gateway gave away once.

    Raises Transient for a file that cannot be read now; one that is damaged is a finding.
    """
    with contextlib.ExitStack() as stack:
        return _Verification(journal, gateway, keys, stack).run(given)


class _Verification:
    """One look. `stack` holds the files open until it is over."""

    def __init__(self, journal: Path, gateway: str, keys: Mapping[str, bytes], stack: contextlib.ExitStack) -> None:
        self._journal = journal
        self._gateway = gateway
        self._keys = keys
        self._stack = stack
        self._live: Volume | None = None
        self._closed: list[Closed] = []
        self._notes: list[tuple[Kept, dict[str, Any]]] = []
        self.report = Report()

    def run(self, given: Sequence[Head]) -> Report:
        """Every file in the order of its rows, then what only all of them together show."""
        self._open()
        reached: Head | None = None
        for closed in self._closed:
            reached = self._follow_closed(closed, reached)
        if self._live is not None:
            with self._reading(self._journal.name):
                self._follow_live(self._live, reached)
        if self.report.unsigned > journal_tail.SEALED_EVERY and not self.report.heads:
            self.report.add(Fault.UNSIGNED, self._journal.name, "no head was ever signed")
        with self._reading(self._journal.name):
            self._check_beginning()
        self._check_notes()
        for head in given:
            if (finding := self._against(head, "the head that was given")) is not None:
                self.report.findings.append(finding)
        return self.report

    @contextlib.contextmanager
    def _reading(self, name: str, where: str = "") -> Iterator[None]:
        """Damage to a file is a finding, and the next file is looked at all the same."""
        try:
            yield
        except Permanent as error:
            self.report.add(Fault.UNREADABLE, name, f"{where}{error}")

    def _open(self) -> None:
        """The live file first: what is closed and deleted after that is still seen in it."""
        with self._reading(self._journal.name):
            self._live = self._stack.enter_context(contextlib.closing(open_live(self._journal)))
        for path in sorted((self._journal.parent / FOLDER).glob(YEARS)):
            # one that is not there was kept long enough just now
            with contextlib.suppress(FileNotFoundError), self._reading(_name(path)):
                self._closed.append(self._stack.enter_context(contextlib.closing(open_closed(path))))
        self._closed.sort(key=lambda closed: closed.statement.first)

    def _follow_closed(self, closed: Closed, reached: Head | None) -> Head:
        name, said = _name(closed.path), closed.statement
        if said.gateway != self._gateway:
            self.report.add(Fault.ALTERED_FILE, name, f"it is of the gateway {said.gateway}")
        if not self._signed(closed.key, closed.said.encode(), closed.signature):
            self.report.add(Fault.BAD_SIGNATURE, name, f"what it says of itself is not signed with a key that is trusted ({closed.key})")
        if reached is not None and said.before != reached.hash:
            self.report.add(Fault.MISSING_ROWS, name, f"it does not go on after row {reached.sequence}, where the file before it ends")
        before = self.report.rows
        end = self._follow(closed, Head(0, said.before), reached.sequence if reached else 0)
        if (end.sequence, end.hash, self.report.rows - before) != (said.last, said.head, said.rows):
            self.report.add(Fault.ALTERED_FILE, name, f"it does not hold what it says: {said.rows} rows, the last of them {said.last}")
        self.report.unsigned = 0  # what it says of itself is signed, or was found not to be
        return Head(said.last, said.head)

    def _follow_live(self, live: Volume, reached: Head | None) -> None:
        name, base = self._journal.name, live.before
        if reached is not None:
            joint = base.hash if base.sequence == reached.sequence else live.hash_of(reached.sequence)
            if base.sequence > reached.sequence:
                self.report.add(Fault.MISSING_ROWS, name, f"rows after {reached.sequence} up to {base.sequence} are in no file")
            elif joint != reached.hash:
                self.report.add(Fault.FORKED_CHAIN, name, f"its row {reached.sequence} is not the one with which {_name(self._closed[-1].path)} ends")
        self._follow(live, base, reached.sequence if reached else 0)

    def _follow(self, volume: Volume, start: Head, counted: int) -> Head:
        """Follow the chain through a file; rows up to `counted` were looked at in another one. Gives what it ends with."""
        name, end = _name(volume.path), start
        self.report.files.append(name)
        with self._reading(name):
            if (damage := volume.damage()) is not None:
                self.report.add(Fault.UNREADABLE, name, f"SQLite's own check finds: {damage}; {volume.advice}")
        sealed: dict[int, Head] = {}
        with self._reading(name):
            sealed = self._heads_of(volume, name)
        with self._reading(name, "not all rows can be read: "):
            for row in volume.rows():
                expected = link(end.hash, row[:-1])
                if expected != row.hash:
                    self.report.add(Fault.BROKEN_LINK, name, f"row {row.sequence} was changed, or is not the one that followed row {end.sequence}")
                end = Head(row.sequence, row.hash if row.typed else expected)
                if row.sequence > counted and row.typed:
                    self._count(row, sealed, name)
        return end

    def _count(self, row: Kept, sealed: Mapping[int, Head], name: str) -> None:
        report = self.report
        report.count(row)
        report.unsigned += 1
        if row.site == "":
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                self._notes.append((row, dict(json.loads(row.body))))
        if row.sequence in sealed:
            if not report.heads and report.unsigned > journal_tail.SEALED_EVERY:
                report.remarks.append(f"rows before {row.sequence} were signed all at once, with the head of that row")
            report.unsigned, report.head, report.heads = 0, sealed[row.sequence], report.heads + 1
        elif report.unsigned == journal_tail.SEALED_EVERY + 1 and report.heads:
            report.add(Fault.UNSIGNED, name, f"no head was signed between rows {report.head.sequence if report.head else 0} and {row.sequence}")

    def _heads_of(self, volume: Volume, name: str) -> dict[int, Head]:
        """The signed heads of a file that hold."""
        sealed = {}
        for head in volume.heads():
            finding = self._against(head, "its own signed head")
            if finding is None:
                sealed[head.sequence] = head
            else:
                self.report.add(finding.fault, name, finding.sentence)
        return sealed

    def _against(self, head: Head, what: str) -> Finding | None:
        """What is wrong if the journal is held against a head."""
        name, said = self._journal.name, f"{what} names row {head.sequence}"
        if head.signature and not self._signed(head.key, head.message(self._gateway), head.signature):
            return Finding(Fault.BAD_SIGNATURE, name, f"{said}, and no key that is trusted signed it ({head.key})")
        files: list[Volume] = [*self._closed, *([self._live] if self._live else [])]
        found = self._hash_of(head.sequence, files)
        if found == head.hash:
            return None
        if found is not None:
            return Finding(Fault.FORKED_CHAIN, name, f"{said} with another hash than the one that is there")
        first, last = self._ends(files)
        if head.sequence > last:
            return Finding(Fault.MISSING_TAIL, name, f"{said}, and the last one here is {last}: what came after it is missing")
        if head.sequence < first:
            return Finding(Fault.NOT_COVERED, name, f"{said}, and the first one kept here is {first}: it cannot be compared")
        return Finding(Fault.FORKED_CHAIN, name, f"{said}, which is not there, though later ones are")

    @staticmethod
    def _hash_of(sequence: int, files: Sequence[Volume]) -> bytes | None:
        """The hash of a row in whichever of the files has it; what cannot be read was told already."""
        for volume in files:
            with contextlib.suppress(Permanent):
                if (found := volume.hash_of(sequence)) is not None:
                    return found
        return None

    @staticmethod
    def _ends(files: Sequence[Volume]) -> tuple[int, int]:
        """The lowest and the highest number in the files, as far as they can be read."""
        found: list[int] = []
        for volume in files:
            with contextlib.suppress(Permanent):
                found += [volume.first(), volume.last()]
        return min(filter(None, found), default=0), max(found, default=0)

    def _check_beginning(self) -> None:
        """What is older than the first file was given up, and a row says so."""
        first: Volume | None = self._closed[0] if self._closed else self._live
        if first is None or not first.before.hash:
            return
        name, head = _name(first.path), first.before.hash.hex()
        given_up = [said for row, said in self._notes if row.event == Note.FORGOTTEN and said.get("head") == head]
        if given_up:
            self.report.remarks.append(f"rows up to {given_up[0].get('last')} were kept long enough and given up")
        else:
            self.report.add(Fault.MISSING_ROWS, name, "rows came before its first one, and no row says that they were given up")

    def _check_notes(self) -> None:
        """What the journal says of its closed files is so."""
        files = {closed.statement.head.hex(): closed for closed in self._closed}
        forgotten = {said.get("head") for row, said in self._notes if row.event == Note.FORGOTTEN}
        for row, said in self._notes:
            closed, name = files.get(str(said.get("head"))), str(said.get("file"))
            if row.event == Note.SALVAGED:
                self.report.remarks.append(f"row {row.sequence} says that damage was cut out: what could not be kept is in {said.get('kept')}")
            elif row.event == Note.CLOSED and closed is not None and digest(closed.path) != said.get("sha256"):
                self.report.add(Fault.ALTERED_FILE, name, f"it is not, byte for byte, the file that was closed (row {row.sequence})")
            elif row.event == Note.CLOSED and closed is None and said.get("head") not in forgotten:
                self.report.add(Fault.MISSING_ROWS, name, f"it was closed (row {row.sequence}) and never given up, and is not there or is another")

    def _signed(self, key: str, message: bytes, signature: bytes) -> bool:
        return key in self._keys and verified(self._keys[key], message, signature)


def _name(path: Path) -> str:
    return f"{FOLDER}/{path.name}" if path.parent.name == FOLDER else path.name
