"""`hazgate simulate` as a person meets it: files, refusals, help."""

from __future__ import annotations

import argparse
import json
import socket
from pathlib import Path

import pytest

from alerts.alarm import EventKind, Tier
from gateway.cli import simulate
from simulators.links import Broker, sighted
from simulators.oracle import Sighting

SCENARIOS = Path(__file__).parents[2] / "simulators/scenarios"
LEAK = str(SCENARIOS / "lpg-leak.yaml")


def hazgate(*words: str) -> int:
    parser = argparse.ArgumentParser("hazgate")
    simulate.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["simulate", *words])
    status: int = arguments.run(arguments)
    return status


def test_offline_writes_every_reading_as_a_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "leak.jsonl"
    assert hazgate(LEAK, "--offline", str(file), "--seconds", "10", "--json") == 0
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    summary = json.loads(capsys.readouterr().out)
    assert summary == {"scenario": "lpg-leak", "site": "lpg-leak", "seed": 21, "seconds": 10.0, "readings": len(lines)}
    assert len(lines) == 21 * 10 - 7
    assert lines[0].keys() == {"time", "sensor", "value", "unit", "quality", "seq", "device", "arrival"}
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert lines[-1]["time"] == 1_767_225_610_000


def test_offline_is_the_same_file_for_the_same_seed_and_another_for_another(tmp_path: Path) -> None:
    texts = []
    for number, seed in enumerate(["5", "5", "6"]):
        file = tmp_path / f"{number}.jsonl"
        hazgate(LEAK, "--offline", str(file), "--seed", seed, "--seconds", "5")
        texts.append(file.read_text(encoding="utf-8"))
    assert texts[0] == texts[1] != texts[2]


def test_offline_without_end_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hazgate(LEAK, "--offline", str(tmp_path / "x"), "--seconds", "0") == 1
    assert "has no end" in capsys.readouterr().err


def test_an_unwritable_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hazgate(LEAK, "--offline", str(tmp_path / "none" / "x")) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_a_broker_that_is_not_there_is_one_sentence_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert hazgate(LEAK, "--broker", f"mqtt://rtu:hush@127.0.0.1:{port}") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"the broker mqtt://127.0.0.1:{port} cannot be used: ")
    assert error.count("\n") == 1
    assert "hush" not in error


def test_a_scenario_that_does_not_load_is_its_sentences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hazgate(str(tmp_path / "none.yaml")) == 1
    assert capsys.readouterr().err == f"{tmp_path}/none.yaml: cannot be read: No such file or directory\n"


def test_a_scenario_not_meant_for_real_time_is_not_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (SCENARIOS / "lpg-leak.yaml").read_text(encoding="utf-8").replace("live: true", "live: false").replace("../sites", str(SCENARIOS.parent / "sites"))
    path = tmp_path / "slow.yaml"
    path.write_text(text, encoding="utf-8")
    assert hazgate(str(path)) == 1
    assert "use --offline FILE" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--broker", "http://127.0.0.1"), ("--broker", "mqtt://"), ("--seconds", "-1"), ("--seconds", "soon"), ("--seed", "x")])
def test_wrong_arguments_are_refused_by_the_parser(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        hazgate(LEAK, *words)
    assert caught.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        hazgate("--help")
    assert caught.value.code == 0
    assert "hazgate simulate simulators/scenarios/lpg-leak.yaml" in capsys.readouterr().out


def test_a_broker_url_keeps_its_password_to_itself() -> None:
    broker = Broker.parse("mqtts://rtu:p%40ss@broker.example")
    assert (broker.host, broker.port, broker.tls, broker.username, broker.password) == ("broker.example", 8883, True, "rtu", "p@ss")
    assert "p@ss" not in repr(broker)
    assert broker.shown == "mqtts://broker.example:8883"


def test_a_real_alarm_event_is_a_sighting_and_a_drill_is_none() -> None:
    event = {"alarm": "GT-101.high", "event": "raise", "tier": "orange", "mode": "real", "value": 21.0}
    assert sighted(json.dumps(event).encode(), 7) == Sighting("GT-101.high", EventKind.RAISE, Tier.ORANGE, 7)
    assert sighted(json.dumps(event | {"mode": "drill"}).encode(), 7) is None


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"\xff", b'{"alarm": "a", "event": "boom", "tier": "red", "mode": "real"}', "text", None])
def test_what_is_no_alarm_event_is_refused(payload: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        sighted(payload, 0)
