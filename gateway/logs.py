"""Logs: text that a person reads on a terminal, else one JSON object a line; always on stderr, never a payload.

What devices and networks send ends up in messages (a topic, an error's words). So a record is one line (but for a trace on a
terminal), control characters are spelled out, and a message is cut at `LONGEST` characters.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

LONGEST: Final = 2_000
"""Characters of a message that are kept: room for any sentence of ours, none for a payload."""
QUIET: Final = {
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,
    "paho": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "asyncio": logging.WARNING,
}
"""Least level of loggers that are not ours. At INFO httpx writes addresses, which may hold a secret."""
_OWN_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line: `time level logger message`, `trace` if there is one, and what `extra=` added."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        extra = {key: value for key, value in vars(record).items() if key not in _OWN_FIELDS}
        return json.dumps(extra | line, ensure_ascii=False, default=str)


class Text(logging.Formatter):
    """For a terminal: time, level, message; a trace follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of text."""
        text = _message(record)
        if not text.isprintable():
            text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
        line = f"{_time(record)} {record.levelname.lower():8} {text}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(stream: TextIO | None = None, *, level: int = logging.INFO) -> logging.Handler:
    """Send every log of the process to `stream` (stderr if left out), in the form that suits it; returns the handler."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Text() if stream.isatty() else JsonLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, level))
    return handler


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text)} characters)"
    return text
