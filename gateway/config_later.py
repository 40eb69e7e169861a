"""Keys that this version records but does not act on yet. Whoever makes one work deletes its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.config_draft import Draft
from gateway.config_problem import Severity
from gateway.config_yaml import Keys


@dataclass(frozen=True, slots=True)
class Later:
    """A key (`*` stands for every entry), what does not happen, the value that makes no difference, and the values concerned if not all are."""

    path: tuple[str, ...]
    what: str
    harmless: object = None
    only: tuple[str, ...] = ()

    def concerns(self, value: object) -> bool:
        """Whether the file counts on something here that does not happen."""
        return value in self.only if self.only else value not in (None, [], {}) and value != self.harmless


SITE: Final = (
    Later(("votes",), "no vote is judged; each sensor alarms by itself"),
    Later(("rules",), "no rule is judged; each sensor alarms by itself"),
    Later(("pairs",), "no discrepancy is judged"),
    Later(("sirens",), "no siren sounds"),
    Later(("templates",), "messages keep their own words"),
    Later(("sensors", "*", "kind"), "it is recorded, and NO FIRE ALARM is raised by it", only=("smoke", "heat", "flame")),
    Later(("sensors", "*", "kind"), "it is recorded, and NO ALARM is raised when somebody presses it", only=("manual_call_point",)),
    Later(("sensors", "*", "kind"), "it is recorded, and NO ALARM is raised by its states", only=("arc_fault", "digital_state", "external_event")),
    Later(("sensors", "*", "rate"), "rise and fall are not judged"),
    Later(("sensors", "*", "response_time"), "nothing is predicted"),
    Later(("sensors", "*", "when"), "the limit holds always"),
    Later(("sensors", "*", "test_interval"), "nothing becomes due"),
    Later(("sensors", "*", "calibration_interval"), "nothing becomes due"),
    Later(("work",), "nothing can be shelved or inhibited"),
    Later(("rota", "*", "overrides"), "the rota goes by its shifts alone"),
    Later(("rota", "*", "strong"), "the rota goes by its shifts alone"),
    Later(("rota", "*", "shifts", "*", "rotate"), "all people of the shift are on duty together"),
    Later(("rota", "*", "shifts", "*", "handover"), "all people of the shift are on duty together"),
    Later(("escalation", "*", "verify_within"), "nobody is reminded to verify"),
)
GATEWAY: Final = (Later(("workers",), "one process does the work", 1),)


def check_later(draft: Draft, table: tuple[Later, ...]) -> None:
    """Warn of every key in the table that the file uses: once each, at its first place, with how many more there are."""
    for later in table:
        places = [keys for keys, value in _found(draft.data, later.path) if later.concerns(value)]
        if places:
            more = f" (here and in {len(places) - 1} more)" if len(places) > 1 else ""
            draft.add(places[0], f"is not acted on by this version{more}: {later.what}", Severity.WARNING)


def _found(at: Any, path: tuple[str, ...], keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    if not path:
        yield keys, at
    elif path[0] == "*":
        for key, item in at.items() if isinstance(at, dict) else enumerate(at if isinstance(at, list) else ()):
            yield from _found(item, path[1:], (*keys, key))
    elif isinstance(at, dict) and path[0] in at:
        yield from _found(at[path[0]], path[1:], (*keys, path[0]))
    elif isinstance(at, list) and keys and keys[0] == "escalation":
        for position, item in enumerate(at):
            yield from _found(item, path, (*keys, position))
