"""Copies alarm events from the journal to a store that keeps them beside the readings, for who looks at both together.

The journal stays what counts: a copy that fails is tried again with the next batch of readings and disturbs nobody.
"""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

from adapters import journal_files
from alerts.ports import AlarmEvent, EventStore, HazgateError, Store
from alerts.reading import SECOND

log = logging.getLogger("hazgate.recorder")

JOURNAL = "journal.db"
"""The journal's file in `data_dir`."""
AGAIN = 86_400 * SECOND
MANY = 1_000
"""Events handed over at a time."""
_END_OF_TIME = 2**63 - 1


class Chronicle:
    """Knows which events the store has. In the recorder's one thread."""

    def __init__(self, data_dir: Path, store: Store) -> None:
        """Nothing is read yet. A store that is no `EventStore` is left alone."""
        self._path = data_dir / JOURNAL
        self._store = store if isinstance(store, EventStore) else None
        self._since: int | None = None
        self._sequence = 0
        self._failing = False

    def copy(self) -> None:
        """Hand over what is new; a failure is logged once, and what it kept back comes with the next call."""
        if self._store is None or not self._path.exists():
            return
        try:
            self._copy(self._store)
            self._failing = False
        except HazgateError as error:
            if not self._failing:
                log.warning("alarm events are not copied to the store for now: %s", error)
            self._failing = True

    def _copy(self, store: EventStore) -> None:
        if self._since is None:
            # with a day to spare, for a clock that was set back: to write an event again changes nothing
            self._since = store.last_event() - AGAIN
        rows = (row for row in journal_files.rows(self._path, self._since, _END_OF_TIME) if row.sequence > self._sequence)
        while some := [AlarmEvent(r.sequence, r.site, r.alarm, r.event, r.at, r.recorded_at, r.body) for r in itertools.islice(rows, MANY)]:
            store.write_events(some)
            self._since, self._sequence = some[-1].recorded_at, some[-1].sequence
