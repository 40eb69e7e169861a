"""docs/codecs.md: every example loads, and the messages on the page are read as the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.codecs import Receiver
from support.files import SITE, sound

from adapters.codecs.readings_json import decode

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "codecs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```(?:\n\nTo `([^`]+)`:\n\n```json\n(.*?)```\n\nis read as:\n\n```json\n(.*?)```)?", PAGE, re.DOTALL)


def devices(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(text)["devices"]
    return found


def test_the_page_has_an_example_of_every_kind_that_needs_one() -> None:
    assert {device["codec"]["kind"] for example in EXAMPLES for device in devices(example[0])} == {"mapped", "senml", "sparkplug"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[1] or "sparkplug")
def test_an_example_is_a_site_file_that_checks(example: tuple[str, ...], tmp_path: Path) -> None:
    text = SITE.replace("id: GT-1\n", "id: GT-101\n").replace("id: PT-1\n", "id: GT-102\n").replace("people:\n", f"{example[0]}people:\n", 1)
    assert sound(tmp_path, site=text).warnings == ()


@pytest.mark.parametrize("example", [example for example in EXAMPLES if example[1]], ids=lambda example: example[1])
def test_a_message_of_the_page_is_read_as_the_page_says(example: tuple[str, ...]) -> None:
    written, topic, message, readings = example
    (device,) = devices(written)
    heard = Receiver(device["codec"]).hear(message.encode(), topic)
    wanted = decode(readings.encode()).readings
    assert [repr(reading) for reading in heard.readings] == [repr(reading) for reading in wanted]
    assert heard.unreadable == []
    assert json.loads(message)
