"""The bundle: made here, installed into a clean environment where no index can be reached."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.manager import manager
from support.servers import free_port
from support.wait import eventually

ROOT = Path(__file__).resolve().parents[2]
DEAD = "http://127.0.0.1:9"
"""Where nobody listens: whoever asked for an index would fail there."""


def clean(home: Path, **more: str) -> dict[str, str]:
    """The environment of a machine without an index, and without anything of this one but its programs."""
    offline = {"PIP_NO_INDEX": "1", "http_proxy": DEAD, "https_proxy": DEAD, "ALL_PROXY": DEAD}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "PYTHON": sys.executable} | offline | more


def run(*command: object, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, env=dict(env), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, as `make bundle` makes it."""
    folder = tmp_path_factory.mktemp("bundle")
    made = run(ROOT / "tools" / "bundle", sys.executable, folder, cwd=folder, env=os.environ)
    assert made.returncode == 0, made.stderr
    assert [path.name for path in folder.iterdir()] == [made.stdout.split(",")[0].rpartition("/")[2]]
    return Path(made.stdout.split(",")[0])


@pytest.fixture
def unpacked(bundle: Path, tmp_path: Path) -> Path:
    """The archive's one folder."""
    with tarfile.open(bundle) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / bundle.stem


@pytest.mark.timeout(300)  # two installations, of seconds each alone, and of half a minute beside other tests
async def test_it_installs_without_an_index_runs_a_gateway_and_installs_once_more(unpacked: Path, tmp_path: Path) -> None:
    env, folder = clean(tmp_path), tmp_path / "opt" / "hazgate"
    folder.parent.mkdir()
    done = run(unpacked / "install", folder, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is in " in done.stdout
    hazgate = folder / "bin" / "hazgate"
    assert run(hazgate, "--version", cwd=tmp_path, env=env).stdout.startswith("hazgate ")
    where = run(folder / "bin" / "python", "-c", "import gateway; print(gateway.__file__)", cwd=tmp_path, env=env)
    assert where.stdout.startswith(str(folder))

    example = unpacked / "docs" / "examples" / "hazgate.yaml"
    checked = run(hazgate, "check", example, cwd=tmp_path, env=env)
    assert checked.returncode == 0, checked.stderr
    here = example.read_text(encoding="utf-8").replace('#api: {listen: "127.0.0.1:8080"}', f'api: {{listen: "127.0.0.1:{free_port()}"}}')
    example.write_text(here.replace("127.0.0.1:1883", f"127.0.0.1:{free_port()}"), encoding="utf-8")
    with manager(tmp_path) as ear, (tmp_path / "log").open("wb") as log:
        env["NOTIFY_SOCKET"] = ear.address
        gateway = await asyncio.create_subprocess_exec(hazgate, "run", example, cwd=tmp_path, env=env, stderr=log)
        try:
            await eventually(lambda: ear.said("READY"))
        finally:
            gateway.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(gateway.wait(), 15) == 0, (tmp_path / "log").read_text()

    again = run(unpacked / "install", folder, cwd=tmp_path, env=env)
    assert (again.returncode, again.stderr) == (0, "")


def test_a_damaged_bundle_installs_nothing_and_names_the_file(unpacked: Path, tmp_path: Path) -> None:
    wheel = next((unpacked / "wheels").glob("hazgate-*.whl"))
    wheel.write_bytes(wheel.read_bytes()[:-1])
    done = run(unpacked / "install", tmp_path / "opt", cwd=tmp_path, env=clean(tmp_path))
    assert done.returncode == 1
    assert wheel.name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "opt").exists()


def test_another_python_than_the_bundles_is_refused_in_a_sentence(unpacked: Path, tmp_path: Path) -> None:
    other = tmp_path / "python3.13"
    other.write_text(f'#!/bin/sh\ncase "$*" in *implementation*) echo cpython 3.13 linux riscv64;; *) exec {sys.executable} "$@";; esac\n', encoding="utf-8")
    other.chmod(0o755)
    done = run(unpacked / "install", tmp_path / "opt", cwd=tmp_path, env=clean(tmp_path, PYTHON=str(other)))
    assert done.returncode == 1
    assert "cpython 3.13 linux riscv64" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "opt").exists()


def test_a_folder_that_holds_something_else_is_left_alone(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "letters").touch()
    done = run(unpacked / "install", tmp_path / "opt", cwd=tmp_path, env=clean(tmp_path))
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "opt").iterdir()] == ["letters"]
