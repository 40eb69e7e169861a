"""The journal for an inquiry: signed lines of JSON that hold for themselves, and a timeline that people read.

Both give a stretch of the chain without a gap: from the first row that was recorded in the time asked for to the last,
whatever their alarms' suppression, mode or tier.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.codecs.alarm_json import time_text
from adapters.codecs.chain import Head, line, link
from adapters.journal_files import Kept, Volume, opened
from adapters.signing import Sealer


@dataclass(slots=True)
class Stretch:
    """Rows `first` to `last`, which are 0 for none; `before` is the hash that the first follows.

    count: rows given so far; broken: how many of them do not follow.
    """

    files: list[tuple[Volume, int]]
    first: int
    last: int
    before: bytes
    count: int = 0
    broken: int = 0

    def rows(self) -> Iterator[Kept]:
        """Every row in order."""
        reached = self.before
        for volume, after in self.files:
            for row in volume.rows(max(after, self.first - 1)):
                if row.sequence > self.last:
                    return
                self.count += 1
                self.broken += link(reached, row[:-1]) != row.hash
                reached = row.hash
                yield row

    def messages(self) -> Mapping[int, list[tuple[bytes, str, str]]]:
        """Messages to people by the number of the event that caused them: notice, what became of it, the far side's words."""
        found: dict[int, list[tuple[bytes, str, str]]] = {}
        for volume, _ in self.files[-1:]:  # the outbox stays in the live file
            for number, notice, state, words in volume.messages(self.first - 1, self.last):
                found.setdefault(number, []).append((notice, state, words))
        return found

    def heads(self) -> Mapping[int, Head]:
        """The signed heads of these rows, by number."""
        return {head.sequence: head for volume, _ in self.files for head in volume.heads() if self.first <= head.sequence <= self.last}


@contextlib.contextmanager
def stretch(journal: Path, since: int, until: int) -> Iterator[Stretch]:
    """The rows from the first to the last with since <= recorded_at < until (ns). Raises Transient or Permanent."""
    with opened(journal) as files:
        spans = [(volume, low, high) for volume, after in files for low, high in [volume.span(after, since, until)] if high]
        first, last = min((low for _, low, _ in spans), default=0), max((high for _, _, high in spans), default=0)
        before = next((volume.hash_before(first) for volume, low, _ in spans if low == first), b"")
        yield Stretch(files if spans else [], first, last, before)


def signed_lines(wanted: Stretch, sealer: Sealer) -> Iterator[bytes]:
    """Lines of JSON: what it is, each row and behind it the signed head that names it, and last what signs all lines before it."""
    digest = hashlib.sha256()
    for written in _lines(wanted, sealer):
        digest.update(written)
        yield written
    signature = sealer.sign(f"hazgate journal export 1\n{sealer.gateway}\n{digest.hexdigest()}\n")
    yield _json({"sha256": digest.hexdigest(), "key": sealer.key.id, "signature": base64.b64encode(signature).decode()})


def _lines(wanted: Stretch, sealer: Sealer) -> Iterator[bytes]:
    heads = wanted.heads()
    span = {"first": wanted.first, "last": wanted.last, "before": wanted.before.hex()}
    yield _json({"hazgate_journal_export": 1, "gateway": sealer.gateway, "made": time_text(sealer.now())} | span)
    for row in wanted.rows():
        yield line(row[:-1], row.hash) + b"\n" if row.typed else _json({"sequence": row.sequence, "unreadable": repr(row)})
        if row.sequence in heads:
            yield _json({"head": heads[row.sequence].text})


def _json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values).encode() + b"\n"
