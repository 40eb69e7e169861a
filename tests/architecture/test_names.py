"""The public names: declared once in the code, and the same in the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from alerts import alarm
from alerts.alarm import Color, Condition, EventKind, Mode, NoticeKind, Quarantine, Refusal, Role, State, SuppressionKind, Tier, Verb, Verified

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "alerts" / "alarm.py"
PUBLIC: tuple[type[StrEnum], ...] = (
    Color,
    Condition,
    EventKind,
    Mode,
    NoticeKind,
    Quarantine,
    Refusal,
    Role,
    State,
    SuppressionKind,
    Tier,
    Verb,
    Verified,
)
DOCUMENTED: dict[str, type[StrEnum]] = {
    "Tiers": Tier,
    "States": State,
    "Modes": Mode,
    "Conditions": Condition,
    "Events": EventKind,
    "Verbs": Verb,
    "Reasons of refusal": Refusal,
    "Reasons of quarantine": Quarantine,
    "Suppressions": SuppressionKind,
    "Findings": Verified,
    "Notifications": NoticeKind,
    "Roles": Role,
}
TOPICS = [
    "hazgate/v1/{site}/{device}/readings",
    "hazgate/v1/{site}/{device}/status",
    "hazgate/v1/{site}/alarms/{alarm}",
    "hazgate/v1/{site}/alarm-events",
    "hazgate/v1/{site}/state",
    "hazgate/v1/{site}/commands/{user}/{verb}",
    "hazgate/v1/{site}/replies/{id}",
    "hazgate/v1/gateways/{gateway}/status",
    "hazgate/v1/gateways/{gateway}/alarms/{alarm}",
]


def page() -> str:
    return (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")


def words(node: ast.AST) -> list[str]:
    """The texts that a `Literal[...]` or an enumeration's body lists; empty for anything else."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
        return [c.value for c in ast.walk(node.slice) if isinstance(c, ast.Constant) and isinstance(c.value, str)]
    if isinstance(node, ast.ClassDef) and any("Enum" in ast.unparse(base) for base in node.bases):
        values = [item.value for item in node.body if isinstance(item, ast.Assign)]
        return [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return []


def declared_elsewhere() -> Iterator[str]:
    public = [{member.value for member in enumeration} for enumeration in PUBLIC]
    for package in ("alerts", "adapters", "gateway", "simulators"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path == HOME:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                listed = set(words(node))
                if len(listed) > 1 and any(listed <= values for values in public):
                    yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {sorted(listed)}"


def test_public_enumerations_are_declared_in_one_module_only() -> None:
    """A second list of states, verbs or reasons would sooner or later differ from the first."""
    assert {enumeration.__module__ for enumeration in PUBLIC} == {alarm.__name__}
    assert list(declared_elsewhere()) == []


def test_every_enumeration_of_that_module_is_held_by_this_test() -> None:
    here = {v for v in vars(alarm).values() if isinstance(v, type) and issubclass(v, StrEnum) and v.__module__ == alarm.__name__}
    assert here == set(PUBLIC)


def test_the_page_lists_every_public_name_in_the_order_of_the_code() -> None:
    rows = {title: re.findall(r"`([^`]+)`", cells) for title, cells in re.findall(r"^\| ([A-Z][a-z ]+) \| (.*) \|$", page(), re.MULTILINE)}
    assert {title: rows.get(title) for title in DOCUMENTED} == {title: [m.value for m in names] for title, names in DOCUMENTED.items()}


def test_the_page_lists_exactly_the_public_topics() -> None:
    assert re.findall(r"^\| `(hazgate/v1/[^`]+)` \|", page(), re.MULTILINE) == TOPICS
