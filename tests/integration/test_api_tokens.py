"""Tokens: made over the control socket or beside a stopped gateway, kept as hashes, good at once and after a restart."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.apps import Running, gateway_file, running, write

from adapters.lock import DirectoryLock
from gateway import control
from gateway.cli.main import main

ACKNOWLEDGE = "/api/v1/sites/north/alarms/GT-1.high_high/acknowledge"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(write(tmp_path), "broker") as each:
        yield each


def data_dir(gateway: Running) -> Path:
    return gateway.app.view.config.gateway.data_dir


async def ask(gateway: Running, question: dict[str, object]) -> dict[str, Any]:
    return await asyncio.to_thread(control.ask, data_dir(gateway), question)


async def hazgate(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command as a process of its own."""
    command = (sys.executable, "-m", "gateway.cli.main", *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def status_with(gateway: Running, token: str) -> int:
    """401, or what the desk says to a known person: nothing is active, 404 or 409."""
    return (await gateway.client.post(ACKNOWLEDGE, headers={"Authorization": f"Bearer {token}"})).status_code


async def test_a_token_made_while_the_gateway_runs_works_at_once_and_is_printed_alone(gateway: Running, tmp_path: Path) -> None:
    status, out, errors = await hazgate("token", "create", "--config", tmp_path / "hazgate.yaml", "--person", "li", "--for", "2h")
    assert (status, out.count("\n")) == (0, 1)
    assert "li" in errors
    assert out.strip() not in errors
    assert await status_with(gateway, out.strip()) == 409


async def test_a_token_outlives_the_gateway_and_its_secret_is_nowhere_on_disk(tmp_path: Path) -> None:
    path = write(tmp_path)
    async with running(path, "broker") as gateway:
        token = str((await ask(gateway, {"ask": "token_create", "person": "li", "for": 3600 * 10**9}))["token"])
    secret = token.split("_", 2)[2].encode()
    assert not [file for file in (tmp_path / "data").iterdir() if file.is_file() and secret in file.read_bytes()]
    async with running(path, "broker") as gateway:
        assert await status_with(gateway, token) == 409


async def test_a_token_can_be_made_before_the_gateway_ever_ran(tmp_path: Path) -> None:
    path = write(tmp_path)
    status, out, _ = await hazgate("token", "create", "--config", path, "--person", "wang")
    assert status == 0
    async with running(path, "broker") as gateway:
        assert await status_with(gateway, out.strip()) == 409


@pytest.mark.parametrize("running_gateway", [True, False])
async def test_an_unknown_person_is_a_sentence_and_status_2(tmp_path: Path, running_gateway: bool) -> None:
    path = write(tmp_path)
    arguments = ("token", "create", "--config", path, "--person", "nobody")
    if running_gateway:
        async with running(path, "broker"):
            status, out, errors = await hazgate(*arguments)
    else:
        status, out, errors = await hazgate(*arguments)
    assert (status, out) == (2, "")
    assert errors == "nobody is called nobody in the site files; known are an, li, wang\n"


@pytest.mark.parametrize("lifetime", ["0s", "2y", "soon", "30"])
def test_a_lifetime_that_is_none_or_too_long_is_refused(lifetime: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", "create", "--config", "x.yaml", "--person", "li", "--for", lifetime])
    assert ended.value.code == 2
    assert "--for" in capsys.readouterr().err


async def test_the_control_socket_is_for_this_user_only_and_gone_with_the_gateway(tmp_path: Path) -> None:
    async with running(write(tmp_path), "broker") as gateway:
        name = data_dir(gateway) / control.NAME
        assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert not name.exists()
    with pytest.raises(control.NoGateway):
        control.ask(name.parent, {"ask": "health"})


async def test_it_tells_health_and_balance(gateway: Running) -> None:
    health = await ask(gateway, {"ask": "health"})
    assert (health["ingesting"], list(health["obstacles"])) == (False, ["link"])
    balance = await ask(gateway, {"ask": "balance"})
    assert (balance["received"], balance["closes"]) == (0, True)


@pytest.mark.parametrize("question", [b"\n", b"[]\n", b'{"ask": "everything"}\n', b'{"ask": "token_create", "person": "li", "for": -1}\n', b"\xff\n"])
async def test_a_question_it_does_not_understand_is_answered(gateway: Running, question: bytes) -> None:
    with control._address(data_dir(gateway)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(question)
    answer = json.loads(await reader.readline())
    writer.close()
    assert answer["ok"] is False
    assert answer["error"]


async def test_a_line_without_end_is_cut_off(gateway: Running) -> None:
    with control._address(data_dir(gateway)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"x" * 100_000)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


async def test_run_says_by_its_status_why_it_could_not_start(tmp_path: Path) -> None:
    """2 configuration or a missing secret, 3 data directory in use, 4 journal damaged, 5 port taken."""
    path = write(tmp_path)
    (tmp_path / "broken.yaml").write_text("gateway: [")
    status, out, errors = await hazgate("run", tmp_path / "broken.yaml")
    assert (status, out) == (2, "")
    assert f"{tmp_path}/broken.yaml:" in errors

    broker = {"url": "mqtt://127.0.0.1:9", "username": "hazgate", "password": {"env": "HAZGATE_NO_SUCH_VARIABLE"}}
    status, _, errors = await hazgate("run", write(tmp_path, gateway=gateway_file() | {"broker": broker}))
    assert status == 2
    assert "HAZGATE_NO_SUCH_VARIABLE" in errors

    write(tmp_path)
    (tmp_path / "data").mkdir(exist_ok=True)
    lock = DirectoryLock(tmp_path / "data")
    status, _, errors = await hazgate("run", path)
    lock.release()
    assert status == 3
    assert "in use" in errors

    async with running(path, "broker") as other:
        taken = {"listen": f"127.0.0.1:{other.app.http.port}"}
        status, _, errors = await hazgate("run", write(tmp_path, gateway=gateway_file() | {"api": taken, "data_dir": "./elsewhere"}))
        assert status == 5
        assert taken["listen"] in errors

    (tmp_path / "elsewhere" / "journal.db").write_bytes(b"this is no database, and never was one" * 100)
    status, _, errors = await hazgate("run", path)
    assert status == 4
    assert "journal.db" in errors
    assert "Traceback" not in errors


async def test_run_says_what_it_is_not_before_anything_else(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("gateway: [")
    _, _, errors = await hazgate("run", tmp_path / "broken.yaml")
    assert "not a gas detection and alarm system" in json.loads(errors.splitlines()[0])["message"]


async def test_the_journal_keeps_tokens_as_hashes(gateway: Running) -> None:
    await ask(gateway, {"ask": "token_create", "person": "wang", "for": 10**9})
    with sqlite3.connect(f"file:{data_dir(gateway)}/journal.db?mode=ro", uri=True) as db:
        ((digest, person, created, until),) = db.execute("SELECT hash, person, created, until FROM tokens").fetchall()
    db.close()
    assert (len(digest), person, until - created) == (32, "wang", 10**9)
