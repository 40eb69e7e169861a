"""One suite over every codec: the same facts, as each kind of device says them, become the same readings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.codecs import OWN, Receiver, Understood

from adapters.registry import CODECS
from alerts.reading import MILLISECOND, Quality, RawReading
from alerts.site import Codec

MESSAGES = Path(__file__).parent / "messages"
EXPECTED: dict[str, Any] = yaml.safe_load((MESSAGES / "expected.yaml").read_text())
FOLDERS = sorted(folder for folder in MESSAGES.iterdir() if folder.is_dir())


@dataclass(frozen=True)
class Recorded:
    """A folder of recorded messages of one kind of device, and how its site file reads them."""

    folder: Path
    settings: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Recorded:
        """Read the folder's codec.yaml."""
        return cls(folder, yaml.safe_load((folder / "codec.yaml").read_text()))

    @property
    def topic(self) -> str:
        """Where the device publishes."""
        return str(self.settings.get("topic", OWN))

    def receiver(self) -> Receiver:
        """A codec that has heard what comes before every message (a birth)."""
        made = Receiver(self.settings["codec"])
        for before in self.settings.get("before", ()):
            assert made.hear(self.message(before["file"]), before["topic"]).refused == ""
        return made

    def message(self, name: str) -> bytes:
        """The bytes of a recorded message."""
        file = next(self.folder.glob(f"{Path(name).stem}.*"))
        return bytes.fromhex(file.read_text()) if file.suffix == ".hex" else file.read_bytes()

    def hear(self, case: str) -> Understood:
        """What becomes of the message of that case."""
        return self.receiver().hear(self.message(case), self.topic)


CASES = [(folder, case) for folder in FOLDERS for case in EXPECTED if case not in Recorded.of(folder).settings["cannot"]]


def wanted(facts: dict[str, Any]) -> tuple[str, float | str, int | None, Quality, bool]:
    """Comparable facts of an expected reading; `nothing` stands for no value."""
    time = facts["time"]
    value = "nothing" if facts["value"] is None else float(facts["value"])
    return facts["sensor"], value, None if time is None else time * MILLISECOND, Quality[facts.get("quality", "good").upper()], facts.get("historical", False)


def said(reading: RawReading) -> tuple[str, float | str, int | None, Quality, bool]:
    """The same of a reading."""
    return reading.sensor, "nothing" if math.isnan(reading.value) else reading.value, reading.time, reading.quality, reading.historical


@pytest.mark.parametrize(("folder", "case"), CASES, ids=lambda part: part.name if isinstance(part, Path) else part)
def test_the_same_facts_become_the_same_readings_whoever_says_them(folder: Path, case: str) -> None:
    heard, expected = Recorded.of(folder).hear(case), EXPECTED[case]
    assert [said(reading) for reading in heard.readings] == [wanted(facts) for facts in expected.get("readings", ())]
    assert bool(heard.refused) is expected.get("refused", False), heard
    assert len(heard.unreadable) == expected.get("unreadable", 0), heard.unreadable


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_has_a_message_for_every_case_that_its_device_can_say(folder: Path) -> None:
    recorded = Recorded.of(folder)
    there = {file.stem for file in folder.iterdir()} & EXPECTED.keys()
    assert there == EXPECTED.keys() - recorded.settings["cannot"].keys()


def test_every_kind_of_codec_has_recorded_messages() -> None:
    kinds = {Recorded.of(folder).settings["codec"]["kind"] for folder in FOLDERS}
    assert kinds == {*CODECS, "sparkplug"} == set(Codec.model_json_schema()["properties"]["kind"]["enum"])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_whatever_the_bytes_the_answer_is_readings_or_a_sentence(folder: Path) -> None:
    """Arbitrary bytes, and recorded messages with a part replaced, cut off or doubled."""
    recorded = Recorded.of(folder)
    originals = [recorded.message(file.name) for file in sorted(folder.iterdir()) if file.suffix in (".json", ".hex")]
    receiver = recorded.receiver()

    @given(
        st.one_of(
            st.binary(max_size=200),
            st.tuples(st.sampled_from(originals), st.integers(0, 300), st.integers(0, 8), st.binary(max_size=12)).map(lambda t: bent(*t)),
        )
    )
    def check(payload: bytes) -> None:
        heard = receiver.hear(payload, recorded.topic)
        for reading in heard.readings:
            assert 0 < len(reading.sensor) <= 400
            assert reading.time is None or -(2**63) < reading.time < 2**63
            assert not math.isinf(reading.value)
            (reading.sensor + (reading.unit or "")).encode()
        assert all(sentence.encode() and len(sentence) < 600 for sentence in [*heard.unreadable, heard.refused or "."])

    check()


def bent(message: bytes, at: int, gone: int, instead: bytes) -> bytes:
    """A message with `gone` bytes replaced."""
    place = at % (len(message) + 1)
    return message[:place] + instead + message[place + gone :]
