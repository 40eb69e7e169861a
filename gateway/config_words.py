"""Turns what pydantic says about a value into a sentence that a site engineer can act on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from adapters.secret import Secret
from alerts.alarm import Condition
from alerts.written import ID
from gateway.config_yaml import Keys

MISSING: Final = {
    "gateway": "a name for this gateway, such as north-01",
    "broker": 'the MQTT broker, such as {url: "mqtt://127.0.0.1:1883"}',
    "url": "the address, such as mqtt://127.0.0.1:1883 or http://127.0.0.1:9000/desk",
    "sites": "the site files, such as [north.yaml]",
    "heartbeat": "where to say that the gateway lives, {url: …, every: 30s}, or none with an override_reason",
    "notify": 'at least one channel to people, such as desk: {kind: webhook, url: "http://127.0.0.1:9000/desk"}',
    "every": "how often, such as 30s",
    "site": "the site's id, such as north",
    "timezone": "the place whose clocks the rota goes by, such as Asia/Shanghai",
    "zones": "at least one zone, such as {id: tank-area, name: Tank area}",
    "sensors": "at least one sensor",
    "people": "at least one person who can be told",
    "rota": "who stands for a role, and when",
    "escalation": "whom to tell, for red, orange, yellow and blue",
    "last_resort": "whom to tell when nobody has acted, such as {tell: [wang]}",
    "id": "an id, unique in this file",
    "kind": "what it is",
    "zone": "the id of its zone",
    "device": "the id of the device that publishes it",
    "range": "the span of the instrument in its unit, such as [0, 100]",
    "interval": "the time between two readings, such as 1s",
    "unit": 'the unit of its readings, such as "%LEL"',
    "role": "officer, leader, engineer, manager, administrator, viewer or upstream",
    "tell": "roles or people's ids, such as [officer]",
    "by": "the id of the person who put this file to work",
    "reason": "why, in a sentence",
}
"""What to write for a key that must be there."""

FEW: Final = 12
"""Words that are listed without looking for the nearest."""
AN_ID: Final = "an id of 1 to 40 letters, digits, - and _, beginning with a letter or digit"
_PATTERNS: Final = (
    (ID, AN_ID),
    ("[^#+", "an MQTT topic without wildcards and spaces"),
    ("oo", "a vote such as 2oo3"),
    (":[0-5]", "a time of day such as 22:00"),
)


def shown(value: object) -> str:
    """A value as a person recognizes it, cut to 40 characters."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:39]}…") if isinstance(value, str) else text


def nearest(word: object, known: Iterable[str]) -> str:
    """` (did you mean …?)`, or nothing where no known word resembles it."""
    close = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def choice(word: object, known: Iterable[str], what: str, where: str = "this file") -> str:
    """`'x' is no {what} of {where}` with the nearest known word, or all of them if they are few."""
    words = sorted(known)
    hint = nearest(word, words)
    if not hint and 0 < len(words) <= FEW:
        hint = f" (known: {', '.join(words)})"
    return f"{shown(word)} is no {what} of {where}{hint}"


def _expected(error: dict[str, Any]) -> str:
    options = re.findall(r"'([^']*)'", error["ctx"]["expected"]) or re.findall(r"\d+", error["ctx"]["expected"])
    given = shown(error["input"])
    hint = nearest(error["input"], options) if len(options) > FEW else ""
    if set(options) == set(Condition):
        return f"{given} is no condition of an alarm{hint}; `hazgate schema events` lists them"
    return f"expected {' or '.join(filter(None, [', '.join(options[:-1]), options[-1]]))}, not {given}{hint}"


def _pattern(error: dict[str, Any]) -> str:
    what = next((text for part, text in _PATTERNS if part in error["ctx"]["pattern"]), f"text like {error['ctx']['pattern']}")
    return f"expected {what}, not {shown(error['input'])}"


def _text(error: dict[str, Any]) -> str:
    given = error["input"]
    quoted = f"; put it in quotes if it is meant: '{given}'" if isinstance(given, int | float) and not isinstance(given, bool) else ""
    return f"expected text, not {shown(given)}{quoted}"


def _mapping(error: dict[str, Any]) -> str:
    if error.get("ctx", {}).get("class_name") == Secret.__name__:
        return "expected where the secret is kept, {env: NAME} or {file: PATH}; a secret itself never stands in a file"
    return f"expected a mapping of keys to values, not {shown(error['input'])}"


def _instead(what: str) -> Callable[[dict[str, Any]], str]:
    return lambda error: f"expected {what}, not {shown(error['input'])}"


def _bound(word: str, name: str) -> Callable[[dict[str, Any]], str]:
    return lambda error: f"must be {word} {error['ctx'][name]}"


_SENTENCES: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "string_type": _text,
    "string_pattern_mismatch": _pattern,
    "string_too_short": lambda _: "is empty; write something here",
    "enum": _expected,
    "literal_error": _expected,
    "float_type": _instead("a number"),
    "int_type": _instead("a whole number"),
    "bool_type": _instead("true or false"),
    "finite_number": _instead("a finite number"),
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "dict_type": _instead("a mapping of keys to values"),
    "path_type": _instead("a path"),
    "tuple_type": _instead("a list"),
    "list_type": _instead("a list"),
    "too_short": lambda error: f"needs at least {error['ctx']['min_length']}",
    "too_long": lambda error: f"takes at most {error['ctx']['max_length']}",
    "greater_than": _bound("more than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "date_from_datetime_parsing": _instead("a day such as 2026-01-15"),
    "date_from_datetime_inexact": _instead("a day such as 2026-01-15"),
    "date_parsing": _instead("a day such as 2026-01-15"),
    "value_error": lambda error: str(error["ctx"]["error"]),
}


def sentences(refused: ValidationError, model: Any, data: object) -> Iterator[tuple[Keys, str]]:
    """Key path within `data` and sentence for each thing that validating it as `model` found; a place is named once."""
    seen: set[Keys] = set()
    for error in sorted(refused.errors(include_url=False), key=_beside_the_point):
        keys = _keys(error["loc"], data, ends=error["type"] in ("missing", "extra_forbidden"))
        if keys not in seen and not (_beside_the_point(error) and any(other[: len(keys)] == keys for other in seen)):
            seen.add(keys)
            yield keys, _sentence(dict(error), model, keys)


def _beside_the_point(error: Any) -> bool:
    """Whether this is the word of the other branch of `text or a mapping`, about a mapping."""
    return error["type"] == "string_type" and isinstance(error["input"], dict)


def _sentence(error: dict[str, Any], model: Any, keys: Keys) -> str:
    if error["type"] == "missing":
        hint = MISSING.get(str(keys[-1]))
        return f"is missing; write {hint}" if hint else "is missing"
    if error["type"] == "extra_forbidden":
        known = _fields(model, keys[:-1])
        hint = nearest(keys[-1], known) or f"; known here: {', '.join(sorted(known))}"
        return f"is not a key of this place{hint}"
    translate = _SENTENCES.get(error["type"])
    return translate(error) if translate else error["msg"][:1].lower() + error["msg"][1:]


def _keys(loc: tuple[str | int, ...], data: object, *, ends: bool) -> Keys:
    """The part of pydantic's location that names keys of the data; names of union branches and wrappers fall out."""
    keys: list[str | int] = []
    for position, step in enumerate(loc):
        inside, found = _step(data, step)
        if inside:
            data = found
        elif not (ends and position == len(loc) - 1):
            continue
        keys.append(step)
    return tuple(keys)


def _step(data: object, key: str | int) -> tuple[bool, object]:
    if isinstance(data, dict):
        return key in data, data.get(key)
    if isinstance(data, list | tuple) and isinstance(key, int) and key < len(data):
        return True, data[key]
    return False, None


def _fields(annotation: Any, keys: Keys) -> set[str]:
    """The keys that the model at the end of `keys` knows."""
    found: set[str] = set()
    for kind in _branches(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
            found |= set(fields) if not keys else _fields(fields[str(keys[0])], keys[1:]) if keys[0] in fields else set()
        elif get_origin(kind) in (tuple, list):
            found |= _fields(get_args(kind)[0], keys[1:] if keys and isinstance(keys[0], int) else keys)
        elif get_origin(kind) is dict and keys:
            found |= _fields(get_args(kind)[1], keys[1:])
    return found


def _branches(annotation: Any) -> tuple[Any, ...]:
    """An annotation without Annotated and Optional, as the tuple of what it can be."""
    arguments = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _branches(arguments[0])
    origin = get_origin(annotation)
    if origin is None or origin in (tuple, list, dict):
        return (annotation,)
    return tuple(branch for argument in arguments for branch in _branches(argument))
