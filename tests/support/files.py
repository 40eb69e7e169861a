"""A small gateway file and site file that check without a remark, as text to be spoilt, and a way to write them down."""

from __future__ import annotations

from pathlib import Path

from gateway.config import Config, Problem, load

GATEWAY = """\
gateway: north-01
broker: {url: "mqtt://127.0.0.1:1883"}
sites: [north.yaml]
heartbeat: none
override_reason: a test has no watchdog
notify:
  desk: {kind: webhook, url: "http://127.0.0.1:9000/desk"}
  phone: {kind: webhook, url: "http://127.0.0.1:9000/phone"}
"""
SITE = """\
site: north
timezone: Asia/Shanghai
zones:
  - {id: tank-area, name: Tank area}
  - {id: switch-room}
sensors:
  - id: GT-1
    kind: combustible_gas
    gas: propane
    zone: tank-area
    device: rtu-1
    unit: "%LEL"
    range: [0, 100]
    interval: 1s
    limits: {high: 20, high_high: 40}
    commissioned: 2026-01-15
  - id: PT-1
    kind: pressure
    zone: tank-area
    device: rtu-1
    unit: MPa
    range: [0, 2.5]
    interval: 2s
    limits: {low_low: 0.1, low: 0.2, high: 1.2, high_high: 1.4}
    commissioned: 2026-01-15
  - id: RC-1
    kind: residual_current
    zone: switch-room
    device: meter-1
    unit: mA
    range: [0, 1000]
    interval: 10s
    commissioned: 2026-01-15
people:
  - {id: li, role: officer, reach: [desk, phone]}
  - {id: wang, role: [leader, engineer], reach: [phone, desk]}
rota:
  - {role: officer, shifts: [{people: [li], from: "00:00", to: "24:00"}]}
  - {role: leader, shifts: [{people: [wang], from: 08:00, to: 20:00}, {people: [wang], from: 20:00, to: 08:00}]}
escalation:
  red: {steps: [{after: 0s, tell: [officer]}, {after: 60s, tell: [leader]}], repeat: 120s}
  orange: {steps: [{after: 0s, tell: [officer]}], repeat: 10m}
  yellow: {steps: [{after: 0s, tell: [officer]}]}
  blue: {}
last_resort: {tell: [wang]}
change: {by: wang, approved: 2026-11-20, reason: first installation}
"""


def write(folder: Path, *, gateway: str = GATEWAY, site: str = SITE) -> Path:
    """Put both files into a folder; answers the gateway's."""
    (folder / "north.yaml").write_text(site, encoding="utf-8")
    (folder / "hazgate.yaml").write_text(gateway, encoding="utf-8")
    return folder / "hazgate.yaml"


def sound(folder: Path, *, gateway: str = GATEWAY, site: str = SITE) -> Config:
    """The configuration of two files that are expected to load."""
    loaded = load(write(folder, gateway=gateway, site=site))
    assert isinstance(loaded, Config), "\n".join(map(str, loaded))
    return loaded


def problems(folder: Path, *, gateway: str = GATEWAY, site: str = SITE) -> list[Problem]:
    """What is wrong with two files, warnings of sound ones included."""
    loaded = load(write(folder, gateway=gateway, site=site))
    return list(loaded.warnings) if isinstance(loaded, Config) else loaded


def spoil(text: str, old: str, new: str) -> str:
    """The text with one passage changed. It must be there once, or the case would prove nothing."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The line, from 1, on which a part of the text stands first."""
    return text[: text.index(part)].count("\n") + 1
