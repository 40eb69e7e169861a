"""The command line's front: quick help, the notice, and commands that are imported only when they are run."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gateway.cli import main as cli


def test_version_says_what_hazgate_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"hazgate {cli.version()} ")
    for words in (
        "GB/T 50493",
        "not a fire alarm system",
        "safety-instrumented",
        "certified or assessed",
        "must not replace, delay or feed",
        "valve, pump, breaker",
    ):
        assert words in text


def test_help_and_version_import_no_command() -> None:
    """Else `hazgate --help` takes a second on a small machine."""
    for option in ("--help", "--version"):
        code = f"import sys, json\nfrom gateway.cli.main import main\ntry: main([{option!r}])\nexcept SystemExit: pass\nprint(json.dumps(sorted(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = json.loads(done.stdout.splitlines()[-1])
        assert {name.split(".")[0] for name in loaded} & {"numpy", "pydantic", "fastapi", "asyncio", "yaml"} == set()


def test_without_a_command_it_shows_help_and_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(name in captured.err for name in cli.COMMANDS)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_with_examples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb = ["create"] if name == "token" else []
    with pytest.raises(SystemExit) as ended:
        cli.main([name, *verb, "--help"])
    assert ended.value.code == 0
    assert f"hazgate {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_described_alike_in_both_helps(name: str) -> None:
    parser = cli._parser([name])
    assert cli.COMMANDS[name] in parser.format_help()
