"""tools/system-packages and tools/python-ready, run for real with stand-ins for apt-get, id and sudo."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
OURS = "hazgate tools/system-packages"


@dataclass(frozen=True)
class Machine:
    """A machine made of one folder of programs and one of policies; `apt-get` says what it was asked and under which policy."""

    root: Path

    @property
    def policy(self) -> Path:
        """Debian's switch for the start of services at installation."""
        return self.root / "policy-rc.d"

    @property
    def log(self) -> str:
        """What the stand-ins were asked to do, a line each."""
        path = self.root / "log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def program(self, name: str, body: str) -> None:
        """Put a shell script on this machine's PATH."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the script with its fixed paths led into this folder."""
        text = (TOOLS / "system-packages").read_text(encoding="utf-8").replace("/usr/sbin/policy-rc.d", str(self.policy))
        text = text.replace("PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin", "").replace("/var/lib/apt/lists", str(self.root / "lists"))
        script = self.root / "system-packages"
        script.write_text(text, encoding="utf-8")
        return subprocess.run(["/bin/sh", str(script)], env={"PATH": str(self.root / "bin"), **environment}, capture_output=True, text=True, check=False)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian machine on which only strace is missing, seen as root."""
    made = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "main_Packages.lz4").touch()
    for name in ("grep", "ls", "mv", "rm", "chmod", "sh", "cat"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    for name in ("mosquitto", "mosquitto_pub", "influxd", "victoria-metrics", "faketime", "systemd-analyze"):
        made.program(name, "")
    made.program("id", "echo 0")
    strace = tmp_path / "bin" / "strace"
    said = f'echo "$DEBIAN_FRONTEND: $*" >>{tmp_path}/log'
    made.program("apt-get", f'{said}\nif [ "$1" = install ]; then cat {made.policy} >>{tmp_path}/log; echo >{strace}; chmod 755 {strace}; fi')
    return made


def test_nothing_is_said_or_done_when_nothing_is_missing(machine: Machine) -> None:
    machine.program("strace", "")
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr, machine.log) == (0, "", "", "")


def test_only_what_is_missing_is_installed_with_the_start_of_services_blocked(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "noninteractive: install --quiet --yes --no-install-recommends strace" in machine.log
    assert "exit 101" in machine.log
    assert "update" not in machine.log
    assert not machine.policy.exists()


def test_lists_are_fetched_first_when_there_are_none(machine: Machine) -> None:
    (machine.root / "lists" / "main_Packages.lz4").unlink()
    assert machine.run().returncode == 0
    assert [line.split()[1] for line in machine.log.splitlines() if line.startswith("noninteractive")] == ["update", "install"]


def test_the_machines_own_policy_comes_back_also_after_a_failure(machine: Machine) -> None:
    machine.policy.write_text("the machine's own", encoding="utf-8")
    machine.program("apt-get", "exit 100")
    assert machine.run().returncode == 100
    assert machine.policy.read_text(encoding="utf-8") == "the machine's own"


def test_what_a_killed_run_left_behind_is_put_right(machine: Machine) -> None:
    machine.policy.write_text(f"#!/bin/sh\n# put here by {OURS}\nexit 101\n", encoding="utf-8")
    (machine.root / "policy-rc.d.kept-by-hazgate").write_text("the machine's own", encoding="utf-8")
    assert machine.run().returncode == 0
    assert machine.policy.read_text(encoding="utf-8") == "the machine's own"


def test_somebody_who_is_not_root_is_told_the_packages_and_nothing_is_touched(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    done = machine.run()
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends strace" in done.stderr
    assert machine.log == ""


def test_with_allow_apt_the_rest_is_done_through_sudo(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", f'echo "sudo $*" >>{machine.root}/log')
    assert machine.run(ALLOW_APT="1").returncode == 0
    assert machine.log.startswith("sudo sh ")


def test_on_a_system_without_apt_the_packages_are_named(machine: Machine) -> None:
    (machine.root / "bin" / "apt-get").unlink()
    done = machine.run()
    assert done.returncode == 1
    assert "Debian calls strace" in done.stderr


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        (None, "there is no 'python3' here"),
        ('case "$*" in *version_info\\ \\<*) exit 1;; *) echo 3.9.2;; esac', "'python3' is 3.9.2"),
        ('case "$*" in *import\\ ensurepip*) exit 1;; *format*) echo python3.11-venv;; esac', "apt-get install python3.11-venv"),
    ],
    ids=["absent", "too old", "without venv"],
)
def test_a_python_that_will_not_do_is_named_in_one_sentence(machine: Machine, python: str | None, sentence: str) -> None:
    if python is not None:
        machine.program("python3", python)
    tool = str(TOOLS / "python-ready")
    done = subprocess.run(["/bin/sh", tool, "python3"], env={"PATH": str(machine.root / "bin")}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_python_that_will_do_is_not_remarked_on() -> None:
    done = subprocess.run(["/bin/sh", str(TOOLS / "python-ready"), "python3"], env=dict(os.environ), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
