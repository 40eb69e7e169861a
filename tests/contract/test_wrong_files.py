"""`hazgate check` on folders of wrong files: exactly the lines of each folder's expected.txt, exit status 2, and no socket opened."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from gateway.cli.main import main

CASES = sorted(folder for folder in (Path(__file__).parent / "wrong_files").iterdir() if folder.is_dir())
LINE = re.compile(r"(?P<file>[a-z]+\.yaml):(?P<line>\d+): (?P<key>[^:]+): (?P<sentence>.+)")


@pytest.fixture(autouse=True)
def _no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("checking a configuration opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_there_are_more_than_twenty_wrong_files() -> None:
    assert len(CASES) > 20


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_wrong_file_is_refused_with_exactly_the_expected_lines(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    assert main(["check", "hazgate.yaml"]) == 2
    said = capsys.readouterr()
    assert said.out == (folder / "expected.txt").read_text(encoding="utf-8")
    assert all(LINE.fullmatch(line) for line in said.out.splitlines())
    assert "is refused" in said.err


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_with_json_the_last_line_is_one_object_that_holds_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(folder)
    assert main(["check", "hazgate.yaml", "--json"]) == 2
    *lines, last = capsys.readouterr().out.splitlines()
    found = json.loads(last)
    assert found["ok"] is False
    marks = {"error": "", "warning": "warning: "}
    assert [f"{p['file']}:{p['line']}: {p['key']}: {marks[p['severity']]}{p['sentence']}" for p in found["problems"]] == lines


def test_a_sound_configuration_exits_zero_and_counts_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    examples = Path(__file__).resolve().parents[2] / "docs" / "examples"
    assert main(["check", str(examples / "hazgate.yaml"), "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out.splitlines()[-1])
    assert found["ok"] is True
    assert found["sites"] == [{"site": "north", "sensors": 6, "commissioning": 0, "unreviewed_limits": 0}]
    assert re.fullmatch(r"[0-9a-f]{64}", found["hash"])
    assert "is fit to run" in said.err
