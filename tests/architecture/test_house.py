"""The commands and files around the code do what the documents promise."""

from __future__ import annotations

import configparser
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.service import EVERY

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TARGETS = {
    "help",
    "install",
    "install-dev",
    "system-packages",
    "demo",
    "test",
    "test-fast",
    "check",
    "fix",
    "bench",
    "soak",
    "bundle",
    "site-pages",
    "demo-screens",
}


def documents() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return loaded


class Unit(configparser.ConfigParser):
    """A systemd unit: keys keep their case and may stand more than once."""

    def optionxform(self, optionstr: str) -> str:
        """Leave a key as it is written; the parent class lower-cases it."""
        return optionstr


def unit() -> Unit:
    parser = Unit(strict=False, interpolation=None, delimiters=("=",))
    parser.read(ROOT / "deploy" / "hazgate.service", encoding="utf-8")
    return parser


def test_every_target_of_the_makefile_can_be_made() -> None:
    make = shutil.which("make")
    assert make
    for target in sorted(TARGETS):
        dry = subprocess.run([make, "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert dry.returncode == 0, dry.stderr


def test_documents_name_no_target_that_the_makefile_lacks() -> None:
    named = set(re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)", documents())) | set(re.findall(r"^make ([a-z-]+)", documents(), re.MULTILINE))
    assert named <= TARGETS
    assert {"demo", "test", "check"} <= named


def test_ci_runs_what_a_laptop_runs_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if line.startswith("make")]
    assert lines == ["make check", "make test"]


def test_every_path_that_architecture_names_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:alerts|adapters|gateway|simulators|tests|deploy|docs|tools|\.ci)/[\w./-]*)`", text))
    assert len(named) > 20
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_a_reader_meets_the_notice_before_anything_else(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    first = text[: text.index("\n## ")]
    assert all(word in first for word in ("GDS", "GB/T 50493", "SIS"))
    assert len(first.splitlines()) <= 40


def test_chinese_texts_never_call_a_tier_a_statutory_warning() -> None:
    """预警 is a grade that authorities declare; it may only be named where we say that our tiers are none."""
    text = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    assert "红色报警" in text
    assert re.findall(r"[红橙黄蓝]色?预警", text) == []
    assert text.count("预警") <= 1


def test_both_readmes_show_the_same_commands() -> None:
    blocks = [re.findall(r"^```.*?^```", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL) for name in ("README.md", "README.zh-CN.md")]
    commands = [[re.sub(r"\s*#.*", "", line) for block in side for line in block.splitlines()] for side in blocks]
    assert commands[0] == commands[1]


def test_every_file_that_compose_mounts_is_in_the_repository() -> None:
    mounts = [str(mount).split(":") for service in compose()["services"].values() for mount in service.get("volumes", [])]
    files = [source for source, *_ in mounts if source.startswith(".")]
    assert files
    assert [source for source in files if not (ROOT / source).exists()] == []
    assert {source for source, *_ in mounts if not source.startswith(".")} == set(compose()["volumes"])


def test_every_variable_of_compose_is_documented() -> None:
    variables = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    assert variables
    assert [name for name in sorted(variables) if f"`{name}`" not in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")] == []


def test_the_image_copies_only_what_is_there_and_not_ignored() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for source in line.split()}
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied
    assert [source for source in sorted(copied) if not (ROOT / source).exists() or source not in allowed] == []
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)[-1] != "root"
    assert set(re.findall(r"^\s+target: (\S+)$", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), re.MULTILINE)) <= set(
        re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.MULTILINE)
    )


def test_the_service_runs_as_its_own_user_and_is_restarted() -> None:
    service = unit()["Service"]
    assert service["User"] not in {"root", "nobody"}
    assert service["Restart"] == "on-failure"
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"].removesuffix("s")) > 2 * EVERY
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"


def test_every_benchmark_can_be_imported() -> None:
    """`make test` does not run benchmarks; this keeps a renamed function from being noticed only months later."""
    for path in sorted((ROOT / "tests" / "benchmarks").glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert any(name.startswith("test_") for name in vars(module))
