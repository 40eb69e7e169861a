"""The example files: they check, they show true defaults, and the smallest site of the documentation loads."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from support.files import GATEWAY, sound

from gateway.cli import check
from gateway.config import Config, effective_hash, load
from gateway.config_profiles import profiles

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
EXCERPT = """\
site: north
name: 北罐区
timezone: Asia/Shanghai
zones:
  - {id: tank-area, name: 罐区, hazard: LPG storage, min_healthy: 2}
sensors:
  - id: GT-101
    kind: combustible_gas
    gas: propane
    zone: tank-area
    device: rtu-1
    unit: "%LEL"
    range: [0, 100]
    interval: 1s
    limits: {high: 20, high_high: 40}
    deadband: 2
    on_delay: 0s
    off_delay: 60s
    latch: true
    stale: 30s
    rate: {rise: 5/m, window: 60s, minimum: 5}
    tiers: {}
    signal: {kind: direct}
    owner: gas-shift
    place: pump P-3, north side
    consequence: explosive atmosphere
    action: stop loading, isolate V-12, clear the area
    commissioned: 2026-01-15
    tested: 2026-10-01
    calibrated: 2026-03-01
people:
  - {id: li, name: 李工, role: officer, reach: [desk, {channel: phone, to: "+86…"}]}
  - {id: wang, name: 王主任, role: leader, reach: [phone, desk]}
rota:
  - {role: officer, shifts: [{people: [li], from: "00:00", to: "24:00", days: daily}]}
  - {role: leader, shifts: [{people: [wang], from: "00:00", to: "24:00", days: daily}]}
escalation:
  red:    {inform: [{after: 0s, tell: [leader]}], steps: [{after: 0s, tell: [officer]}, {after: 60s, tell: [leader]}], repeat: 120s, ack_expires: 15m}
  orange: {steps: [{after: 0s, tell: [officer]}, {after: 120s, tell: [leader]}], repeat: 10m, ack_expires: 30m, verify_within: 30m, feedback_within: 24h}
  yellow: {steps: [{after: 0s, tell: [officer]}], feedback_within: 72h}
  blue:   {}
last_resort: {tell: [wang]}
change: {by: wang, approved: 2026-11-20, reason: first installation}
"""
SETTING = re.compile(r"^(\s*)#(\S|  )", re.MULTILINE)
"""A key that is commented out: `#` directly before it, or before two blanks where it belongs to one above. Prose has one blank."""


def loaded(path: Path) -> Config:
    config = load(path)
    assert isinstance(config, Config), "\n".join(map(str, config))
    return config


def written_out(folder: Path) -> Path:
    """The examples with every commented key in force."""
    for example in EXAMPLES.glob("*.yaml"):
        text = SETTING.sub(r"\1\2", example.read_text(encoding="utf-8"))
        (folder / example.name).write_text(text, encoding="utf-8")
    return folder / "hazgate.yaml"


def test_the_examples_check(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["check", str(EXAMPLES / "hazgate.yaml")])
    assert arguments.run(arguments) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 1


def test_the_defaults_that_the_examples_show_are_the_defaults(tmp_path: Path) -> None:
    """Uncommenting every commented key changes nothing."""
    assert effective_hash(loaded(written_out(tmp_path))) == effective_hash(loaded(EXAMPLES / "hazgate.yaml"))


def test_the_examples_show_every_default_of_the_gateways_file(tmp_path: Path) -> None:
    shown = loaded(written_out(tmp_path)).gateway
    unshown = {"home_site", "canary", "override_reason"}
    assert set(type(shown).model_fields) - shown.model_fields_set == unshown


def test_the_smallest_site_of_the_documentation_loads(tmp_path: Path) -> None:
    config = sound(tmp_path, gateway=GATEWAY, site=EXCERPT)
    assert [sensor.id for sensor in config.sites[0].sensors] == ["GT-101"]
    assert {warning.key for warning in config.warnings} == {"sensors.GT-101.rate", "escalation.orange.verify_within", "zones.tank-area.min_healthy"}


def test_the_site_of_every_kind_has_each_kind_and_checks_with_warnings_of_states_only(tmp_path: Path) -> None:
    every = (EXAMPLES.parent / "sites" / "every-kind.yaml").read_text(encoding="utf-8")
    config = sound(tmp_path, gateway=GATEWAY, site=every)
    assert {sensor.kind for sensor in config.sites[0].sensors} == set(profiles())
    assert {warning.key.rpartition(".")[2] for warning in config.warnings} == {"kind"}
    assert len(config.warnings) == 3
