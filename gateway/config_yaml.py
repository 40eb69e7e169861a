"""YAML with places: what a file says as plain data, and the line of every key.

Read from libyaml's events, one after the other, so that neither depth nor an alias can make the reader explode. Only
true, false, null, integers and decimals are resolved; everything else (`off`, `22:00`, dates) stays text. Tags,
anchors and aliases are refused: with them a line would no longer be where its value stands.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.config_problem import WHOLE_FILE, Problem

Keys = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""

DEEPEST: Final = 32
_INTEGER: Final = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?([eE][-+]?\d{1,2})?")
_WORDS: Final = {"true": True, "false": False, "null": None, "": None}


def resolve(text: str) -> Any:
    """The value of a plain scalar. A number of more than 18 digits, or with a leading 0 or +, stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789":
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DECIMAL.fullmatch(text):
            return float(text)
    return text


class Document:
    """One file as plain data, with the places of its keys and whatever was wrong with it as YAML."""

    def __init__(self, file: str) -> None:
        """`file` is how the file is called in problems."""
        self.file = file
        self.data: Any = None
        self.problems: list[Problem] = []
        self._lines: dict[int, dict[str | int, int]] = {}
        self._alive: list[Any] = []

    def note(self, container: Any, key: str | int, line: int) -> int:
        """Remember on which line an entry of a mapping or list of this document stands; answers the line of its first mention."""
        lines = self._lines.get(id(container))
        if lines is None:
            lines = self._lines[id(container)] = {}
            self._alive.append(container)  # the id stands for it as long as it lives, and a repeated key's value hangs nowhere
        return lines.setdefault(key, line)

    def line(self, keys: Keys) -> int:
        """The line of the last of `keys` that the file itself contains, from 1."""
        line, at = 1, self.data
        for key in keys:
            known = self._lines.get(id(at), {})
            if key not in known:
                break
            line, at = known[key], at[key]
        return line

    def place(self, keys: Keys) -> str:
        """The key path as text, entries of lists under their ids."""
        words, at = [], self.data
        for key in keys:
            within = isinstance(at, dict | list) and key in self._lines.get(id(at), {})
            item = at[key] if within else None
            name = item.get("id") if isinstance(key, int) and isinstance(item, dict) else None
            words.append(name if isinstance(name, str) and name else str(key))
            at = item
        return ".".join(words) or WHOLE_FILE


class _Refused(Exception):
    """The file cannot be read further: a sentence and the line it is about."""

    def __init__(self, sentence: str, line: int) -> None:
        super().__init__(sentence)
        self.sentence, self.line = sentence, line


class _Builder:
    """Puts events together; the stack holds the containers that are still open and, for a mapping, the key that waits for its value."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[tuple[Any, list[str | int]]] = []
        self._keys: list[str | int] = []

    def feed(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused("anchors (&) and aliases (*) are not read here; write the value out", line)
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if event.tag is not None:
                raise _Refused(f"the tag {event.tag} is not read here; leave it out", line)
            self._start({} if isinstance(event, yaml.MappingStartEvent) else [], line)

    def _start(self, container: Any, line: int) -> None:
        if len(self._open) >= DEEPEST:
            raise _Refused(f"lists and mappings stand more than {DEEPEST} deep in one another", line)
        self._value(container, line)
        self._open.append((container, []))

    def _close(self) -> None:
        self._open.pop()
        if self._keys and self._open:
            self._keys.pop()

    def _scalar(self, event: Any, line: int) -> None:
        if event.tag is not None:
            raise _Refused(f"the tag {event.tag} is not read here; leave it out", line)
        plain = event.implicit[0]
        container, pending = self._open[-1] if self._open else (None, [])
        if isinstance(container, dict) and not pending:
            key = resolve(event.value) if plain else event.value
            self._key(container, pending, key if type(key) is int else event.value, line)
            return
        self._value(resolve(event.value) if plain else event.value, line)
        if self._keys:
            self._keys.pop()

    def _key(self, container: dict[Any, Any], pending: list[str | int], key: str | int, line: int) -> None:
        document = self._document
        first = document.note(container, key, line)
        if key in container:
            sentence = f"stands twice in the same mapping (first on line {first}); keep one of them"
            document.problems.append(Problem(document.file, line, document.place((*self._keys, key)), sentence))
        pending.append(key)
        self._keys.append(key)

    def _value(self, value: Any, line: int) -> None:
        """Hang a value where it belongs. A container stays on the way (`_keys`) until it is closed."""
        if not self._open:
            self._document.data = value
            return
        container, pending = self._open[-1]
        if isinstance(container, list):
            self._document.note(container, len(container), line)
            self._keys.append(len(container))
            container.append(value)
        elif pending:
            container.setdefault(pending.pop(), value)
        else:
            raise _Refused("a list or mapping cannot be a key", line)


def read(path: Path) -> Document:
    """Read one file. What cannot be read is in the document's `problems`; its `data` is then None."""
    document = Document(str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        document.problems.append(Problem(str(path), 1, WHOLE_FILE, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        document.problems.append(Problem(str(path), line, WHOLE_FILE, "is not UTF-8 text; save it as UTF-8"))
    else:
        parse(text, document)
    return document


def parse(text: str, document: Document) -> None:
    """Fill a document from YAML text. A duplicate key is a problem; anything worse leaves no data behind."""
    collecting = gc.isenabled()
    # the half million objects of a large site all survive: without the collector's repeated walks it is read five times as fast
    gc.disable()
    try:
        _build(text, document)
    except _Refused as refused:
        _fail(document, refused.line, refused.sentence)
    except yaml.reader.ReaderError as error:
        _fail(document, text.count("\n", 0, error.position) + 1, f"holds a character that YAML does not allow: {error.reason}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _fail(document, mark.line + 1 if mark else 1, f"is not valid YAML: {error.problem}{f' ({error.context})' if error.context else ''}")
    finally:
        if collecting:
            gc.enable()


def _fail(document: Document, line: int, sentence: str) -> None:
    document.data = None
    document.problems.append(Problem(document.file, line, WHOLE_FILE, sentence))


def _build(text: str, document: Document) -> None:
    builder = _Builder(document)
    documents = 0
    for event in _events(text):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _Refused("a second YAML document begins here; a file holds one", line)
        else:
            builder.feed(event)
    if not isinstance(document.data, dict):
        said = "is empty" if document.data is None else "is not a mapping of keys to values"
        raise _Refused(f"{said}; docs/examples shows what belongs in it", 1)


def _events(text: str) -> Iterator[Any]:
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()
