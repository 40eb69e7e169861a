"""Logs: one record a line, in the form that suits the reader, whatever stands in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from gateway import logs


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        """It says that it is one."""
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_without_a_terminal_every_record_is_one_json_object_on_one_line() -> None:
    stream = io.StringIO()
    logs.set_up(stream)
    logging.getLogger("hazgate.broker").warning("broker %s\nsaid \x1b[31m%s", "lost", "no")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "hazgate.broker", "broker lost\nsaid \x1b[31mno")
    assert str(line["time"]).endswith("Z")


def test_what_a_caller_adds_becomes_a_key_and_cannot_replace_ours() -> None:
    stream = io.StringIO()
    logs.set_up(stream)
    logging.getLogger("hazgate").info("state", extra={"state": "up", "level": "quiet", "color_message": "x"})
    (line,) = lines(stream)
    assert (line["state"], line["level"]) == ("up", "info")
    assert "color_message" not in line


def test_a_trace_stays_within_its_line() -> None:
    stream = io.StringIO()
    logs.set_up(stream)
    try:
        int("broken")
    except ValueError:
        logging.getLogger("hazgate").exception("it broke")
    (line,) = lines(stream)
    assert "ValueError: invalid literal" in str(line["trace"])


def test_on_a_terminal_it_is_text_in_which_nothing_can_paint_or_forge_a_line() -> None:
    stream = Terminal()
    logs.set_up(stream)
    logging.getLogger("hazgate").error("topic %s", "a\n2026-01-01T00:00:00Z info    all is well\x1b[2J")
    text = stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "error" in text
    assert "\\n2026-01-01" in text


def test_a_message_as_long_as_a_payload_is_cut() -> None:
    stream = io.StringIO()
    logs.set_up(stream)
    logging.getLogger("hazgate").info("x" * 100_000)
    assert len(str(lines(stream)[0]["message"])) < logs.LONGEST + 50


@pytest.mark.parametrize("name", ["uvicorn.error", "uvicorn.access", "paho.mqtt", "httpx", "asyncio"])
def test_libraries_speak_up_only_when_something_is_wrong(name: str) -> None:
    """At INFO httpx writes the address of a webhook, which may hold its secret, with every message."""
    stream = io.StringIO()
    logs.set_up(stream)
    logging.getLogger(name).info("HTTP Request: POST https://robot.example/send?access_token=s3cret")
    assert stream.getvalue() == ""


def test_setting_up_twice_does_not_write_twice() -> None:
    stream = io.StringIO()
    logs.set_up(stream)
    logs.set_up(stream)
    logging.getLogger("hazgate").info("once")
    assert len(lines(stream)) == 1
