"""Every refusal of the loader: a sound pair of files, one thing wrong, and the line that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from support.files import GATEWAY, SITE, line_of, problems, sound, spoil

from gateway.config import Severity, load_site

GT = "limits: {high: 20, high_high: 40}"
PT = "limits: {low_low: 0.1, low: 0.2, high: 1.2, high_high: 1.4}"
RED = "red: {steps: [{after: 0s, tell: [officer]}, {after: 60s, tell: [leader]}], repeat: 120s}"
PEOPLE = "people:\n"
VOTES = "votes: [{id: V-1, of: [%s], condition: %s, vote: %s}]\npeople:\n"
RULE = "rules:\n  - {id: R-1, zone: %s, all: [{kind: %s, condition: high}]}\npeople:\n"


@dataclass(frozen=True)
class Wrong:
    """One passage changed: what, into what; where the problem is expected (a part of the new text) and what it says."""

    old: str
    new: str
    at: str
    key: str
    says: str

    def __str__(self) -> str:
        return f"{self.key} {self.says[:24]}"


def influx(keys: str, url: str = "http://127.0.0.1:8086") -> str:
    """`heartbeat: none` behind an InfluxDB store with these keys."""
    return f"store: {{kind: influxdb, url: '{url}', {keys}}}\nheartbeat: none"


def gt(limits: str) -> str:
    return f"limits: {limits}"


IN_SITE = [
    # keys and values
    Wrong("site: north", "site: nor.th", "site: nor.th", "site", "expected an id of 1 to 40 letters"),
    Wrong("site: north", "site: alarms", "site: alarms", "site", "is a word of the topics"),
    Wrong("timezone: Asia/Shanghai", "timezone: Asia/Shangai", "timezone", "timezone", "did you mean Asia/Shanghai"),
    Wrong("timezone: Asia/Shanghai", "timezone: ../etc/passwd", "timezone", "timezone", "no time zone"),
    Wrong("timezone: Asia/Shanghai\n", "", "site: north", "timezone", "is missing; write the place whose clocks"),
    Wrong("last_resort: {tell: [wang]}\n", "", "site: north", "last_resort", "is missing"),
    Wrong("zones:\n", "zonen: []\nzones:\n", "zonen", "zonen", "did you mean zones"),
    Wrong("interval: 1s", "intervals: 1s", "intervals", "sensors.GT-1.intervals", "did you mean interval"),
    Wrong("interval: 1s", "intervals: 1s", "- id: GT-1", "sensors.GT-1.interval", "is missing; write the time between two readings"),
    Wrong("interval: 1s", "interval: 1", "interval: 1\n", "sensors.GT-1.interval", "expected a duration such as 30s, with its unit, not 1"),
    Wrong("interval: 1s", "interval: 0s", "interval: 0s", "sensors.GT-1.interval", "must be more than 0"),
    Wrong("range: [0, 100]", 'range: [0, "100"]', "range: [0,", "sensors.GT-1.range.1", "expected a number, not '100'"),
    Wrong("range: [0, 100]", "range: 100", "range: 100", "sensors.GT-1.range", "expected a list, not 100"),
    Wrong("range: [0, 100]", "range: [100, 0]", "range: [100, 0]", "sensors.GT-1.range", "the lower end comes first"),
    Wrong("commissioned: 2026-01-15\n  - id: PT-1", "commissioned: soon\n  - id: PT-1", "commissioned: soon", "sensors.GT-1.commissioned", "expected a day"),
    Wrong(GT, f"{GT}\n    latch: on", "latch: on", "sensors.GT-1.latch", "expected true or false, not 'on'"),
    Wrong("  - id: GT-1", "  - id: 101", "- id: 101", "sensors.0.id", "put it in quotes if it is meant: '101'"),
    Wrong("kind: combustible_gas", "kind: combustible-gas", "kind: combustible-gas", "sensors.GT-1.kind", "did you mean combustible_gas"),
    Wrong(GT, gt("{high: 20, hihg: 40}"), "limits: {high: 20", "sensors.GT-1.limits.hihg", "did you mean high"),
    Wrong(GT, gt("20"), "limits: 20", "sensors.GT-1.limits", "expected a mapping of keys to values, not 20"),
    Wrong("  - {id: switch-room}", "  - switch-room", "- switch-room", "zones.1", "expected a mapping of keys to values"),
    # units
    Wrong('unit: "%LEL"', "unit: LEL", "unit: LEL", "sensors.GT-1.unit", "did you mean %LEL?"),
    Wrong('    unit: "%LEL"\n', "", "- id: GT-1", "sensors.GT-1.unit", "is missing; write the unit of its readings"),
    Wrong('unit: "%LEL"', "unit: kPa", "unit: kPa", "sensors.GT-1.unit", "is read in %LEL or %VOL or ppm by this version, not in kPa"),
    Wrong('unit: "%LEL"', "unit: ppm", "- id: GT-1", "sensors.GT-1.reference_temperature", "the temperature in degC that the figures of a gas in ppm"),
    Wrong("    gas: propane\n", "", "- id: GT-1", "sensors.GT-1.gas", "write the gas"),
    # limits
    Wrong(GT, gt("{high: 20, high_high: 120, override_reason: x}"), "high_high: 120", "sensors.GT-1.limits.high_high", "outside the range 0 to 100"),
    Wrong(GT, gt("{high: 22, high_high: 22}"), "high_high: 22", "sensors.GT-1.limits.high_high", "22 is not above high, 22"),
    Wrong(PT, "limits: {low_low: 0.3, low: 0.2}", "low_low: 0.3", "sensors.PT-1.limits.low", "0.2 is not above low_low, 0.3"),
    Wrong(GT, gt("{high: 30}"), "limits: {high: 30", "sensors.GT-1.limits.high", "30 is looser than 25 %LEL"),
    Wrong(GT, gt("{high_high: null}"), "high_high: null", "sensors.GT-1.limits.high_high", "is taken out, which is looser than 50 %LEL"),
    Wrong(
        GT, gt("{high: 30, override_reason: {high_high: no}}"), "high: 30", "sensors.GT-1.limits.override_reason.high_high", "not written in the same mapping"
    ),
    Wrong(GT, gt("{high: 30, override_reason: ''}"), "high: 30", "sensors.GT-1.limits.override_reason", "expected a sentence that says why"),
    # deadband and delays
    Wrong(GT, f"{GT}\n    deadband: 20", "deadband: 20", "sensors.GT-1.deadband", "less than the way from high to high_high, 20"),
    Wrong(PT, f"{PT}\n    deadband: 0.1", "deadband: 0.1", "sensors.PT-1.deadband", "less than the way from low to low_low, 0.1"),
    Wrong(PT, "limits: {low: 0.2, high: 1.2}\n    deadband: 0.5", "deadband: 0.5", "sensors.PT-1.deadband", "less than half the way from low to high, 0.5"),
    Wrong(PT, f"{PT}\n    on_delay: 30s", "on_delay: 30s", "sensors.PT-1.on_delay", "must be shorter than stale, 30s"),
    Wrong(GT, f"{GT}\n    on_delay: 6s", "on_delay: 6s", "sensors.GT-1.on_delay", "a RED alarm, by more than 5s"),
    Wrong(PT, f"{PT}\n    on_delay: 16s", "on_delay: 16s", "sensors.PT-1.on_delay", "a RED alarm, by more than 15s"),
    Wrong("interval: 1s", "interval: 31s", "interval: 31s", "sensors.GT-1.interval", "too slow for a gas; it must report at least every 30s"),
    Wrong(GT, f"{GT}\n    stale: 1s", "stale: 1s", "sensors.GT-1.stale", "must be longer than the interval"),
    # tiers, when, rate, signal
    Wrong(GT, f"{GT}\n    tiers: {{high_high: orange}}", "tiers:", "sensors.GT-1.tiers.high_high", "lowers red to orange"),
    Wrong(GT, f"{GT}\n    tiers: {{hi: red}}", "tiers:", "sensors.GT-1.tiers.hi", "no condition of an alarm (did you mean high?); `hazgate schema events`"),
    Wrong(GT, f"{GT}\n    tiers: {{high: rot}}", "tiers:", "sensors.GT-1.tiers.high", "expected blue, yellow, orange or red, not 'rot'"),
    Wrong(GT, f"{GT}\n    when: {{high_high: {{sensor: PT-1, is: on}}}}", "when:", "sensors.GT-1.when.high_high", "a RED alarm holds always"),
    Wrong(GT, f"{GT}\n    when: {{high: {{sensor: XV-9, is: on}}}}", "when:", "sensors.GT-1.when.high.sensor", "'XV-9' is no sensor of this file"),
    Wrong(GT, f"{GT}\n    when: {{high: {{sensor: PT-1}}}}", "when:", "sensors.GT-1.when.high", "expected the state that must hold"),
    Wrong(GT, f"{GT}\n    rate: {{rise: 5}}", "rate:", "sensors.GT-1.rate.rise", "expected a rate such as 5/m"),
    Wrong("    interval: 2s", "    interval: 2s\n    rate: {rise: null, fall: null}", "rate:", "sensors.PT-1.rate", "says neither rise nor fall"),
    Wrong(GT, f"{GT}\n    signal: {{kind: current, raw: [20, 4]}}", "signal:", "sensors.GT-1.signal.raw", "goes from 20 to 4 mA"),
    Wrong(GT, f"{GT}\n    signal: {{kind: current, raw: [0, 20]}}", "signal:", "sensors.GT-1.signal.raw", "0 to 20 mA leaves 3.8 to 20.5"),
    Wrong(GT, f"{GT}\n    signal: {{kind: current, map: msa-ultima}}", "signal:", "sensors.GT-1.signal.map", "did you mean msa-ultima-x?"),
    Wrong(GT, f"{GT}\n    signal: {{map: generic}}", "signal:", "sensors.GT-1.signal.kind", "write kind: current"),
    Wrong(GT, f"{GT}\n    states: {{0: shut, 1: shut}}", "states:", "sensors.GT-1.states", "shut stands for more than one number"),
    Wrong(GT, f"{GT}\n    normal: open", "normal: open", "sensors.GT-1.normal", "none of the sensor's states"),
    # names
    Wrong("zone: switch-room", "zone: switchroom", "zone: switchroom", "sensors.RC-1.zone", "did you mean switch-room"),
    Wrong("  - id: PT-1", "  - id: GT-1", "- id: GT-1\n    kind: pressure", "sensors.GT-1.id", "GT-1 is already the id on line 7"),
    Wrong("  - {id: switch-room}", "  - {id: RC-1}", "{id: RC-1}", "zones.RC-1.id", "RC-1 is already the id on line"),
    Wrong("  - {id: switch-room}", "  - {id: north-01}", "{id: north-01}", "zones.north-01.id", "already the gateway's own"),
    Wrong("  - {id: switch-room}", "  - {id: drill}", "{id: drill}", "zones.drill.id", "is a word of the topics"),
    Wrong("device: meter-1", "device: GT-1", "device: GT-1", "sensors.RC-1.device", "a device needs an id of its own"),
    Wrong(PEOPLE, "devices: [{id: rtu-9}]\npeople:\n", "devices:", "devices.rtu-9.id", "no sensor names the device rtu-9"),
    Wrong("  - {id: switch-room}", "  - {id: switch-room, source: MH-1}", "source: MH-1", "zones.switch-room.source", "is no source of hazard"),
    Wrong(PEOPLE, VOTES % ("GT-1, GT-9", "high", "1oo2"), "votes:", "votes.V-1.of.1", "'GT-9' is no sensor of this file"),
    Wrong(PEOPLE, VOTES % ("GT-1, PT-1", "high", "2oo3"), "votes:", "votes.V-1.vote", "does not fit the 2 sensors"),
    Wrong(PEOPLE, VOTES % ("GT-1, RC-1", "low", "1oo2"), "votes:", "votes.V-1.of.0", "GT-1 has no low limit and could never vote"),
    Wrong(PEOPLE, VOTES % ("GT-1", "high", "one"), "votes:", "votes.V-1.vote", "expected a vote such as 2oo3"),
    Wrong(PEOPLE, RULE % ("switch-rom", "residual_current"), "id: R-1", "rules.R-1.zone", "did you mean switch-room"),
    Wrong(PEOPLE, RULE % ("switch-room", "level"), "id: R-1", "rules.R-1.all.0.kind", "no sensor of kind level stands in the zone switch-room"),
    Wrong(PEOPLE, "rules: [{id: R-1, zone: tank-area}]\npeople:\n", "rules:", "rules.R-1", "says neither `all` nor `any`"),
    Wrong(PEOPLE, "pairs: [{id: P-1, of: [GT-1, PT-1], tolerance: 3}]\npeople:\n", "pairs:", "pairs.P-1.of", "a pair measures the same"),
    Wrong(PEOPLE, "sirens: {red: [horn]}\npeople:\n", "sirens:", "sirens.red.0", "'horn' is no channel"),
    Wrong("change: {by: wang", "change: {by: wong", "by: wong", "change.by", "did you mean wang"),
    # people, rota, escalation
    Wrong("reach: [desk, phone]", "reach: [desk, fone]", "fone", "people.li.reach.1", "did you mean phone"),
    Wrong("role: officer, reach", "role: boss, reach", "role: boss", "people.li.role", "expected officer, leader"),
    Wrong("people: [li], from", "people: [wang], from", "people: [wang], from", "rota.0.shifts.0.people.0", "wang is leader, engineer, not officer"),
    Wrong("people: [li], from", "people: [lee], from", "people: [lee]", "rota.0.shifts.0.people.0", "'lee' is no person"),
    Wrong('from: "00:00"', "from: 25:00", "from: 25:00", "rota.0.shifts.0.from", "expected a time of day such as 22:00"),
    Wrong('to: "24:00"', 'to: "24:00", days: [monday]', "days:", "rota.0.shifts.0.days", "expected daily or a list of mon, tue"),
    Wrong("last_resort: {tell: [wang]}", "last_resort: {tell: [wong]}", "tell: [wong]", "last_resort.tell.0", "is neither a role nor a person"),
    Wrong("last_resort: {tell: [wang]}", "last_resort: {tell: [manager]}", "tell: [manager]", "last_resort.tell.0", "nobody here is manager"),
    Wrong("  yellow: {steps: [{after: 0s, tell: [officer]}]}", "  yellow: {}", "yellow: {}", "escalation.yellow.steps", "tells nobody who can be reached"),
    Wrong("  blue: {}\n", "", "escalation:", "escalation.blue", "is missing; write whom to tell"),
    Wrong("  blue: {}\n", "  blue: {}\n  green: {}\n", "green: {}", "escalation.green", "is not a tier"),
    Wrong(RED, "red: {steps: [{tell: [officer]}], repeat: 1m}", "  red:", "escalation.red.steps", "reaches only 1 person; a RED"),
    Wrong("reach: [phone, desk]", "reach: []", "  red:", "escalation.red.steps", "reaches only 1 person"),
    Wrong(RED, RED.replace("red: {", "red: {when: {zone: tank-area}, "), "  red:", "escalation.red", "has no entry without `when`"),
    Wrong(
        RED,
        "red:\n  - {steps: [{tell: [li, wang]}], repeat: 1m}\n  - {steps: [{tell: [li, wang]}], repeat: 1m}",
        "- {steps: [{tell: [li",
        "escalation.red.0",
        "only the last entry",
    ),
    Wrong(
        RED,
        "red:\n  - {steps: [{tell: [li, wang]}], repeat: 1m}\n  - {when: {kind: level}, steps: [{tell: [li, wang]}], repeat: 1m}",
        "- {steps: [{tell: [li",
        "escalation.red.0",
        "put it last",
    ),
    Wrong(
        RED,
        "red:\n  - {when: {zone: nowhere}, steps: [{tell: [li, wang]}], repeat: 1m}\n  - {steps: [{tell: [li, wang]}], repeat: 1m}",
        "when: {zone",
        "escalation.red.0.when.zone",
        "'nowhere' is no zone",
    ),
]

IN_GATEWAY = [
    Wrong("gateway: north-01", "gateway: replies", "gateway: replies", "gateway", "is a word of the topics"),
    Wrong("heartbeat: none\n", "heartbeat: none\nheartbeet: 1\n", "heartbeet", "heartbeet", "did you mean heartbeat"),
    Wrong("heartbeat: none\n", "", "gateway:", "heartbeat", "is missing; write where to say that the gateway lives"),
    Wrong("override_reason: a test has no watchdog\n", "", "heartbeat: none", "heartbeat", "nobody notices when this gateway dies"),
    Wrong("heartbeat: none", "heartbeat: {every: 30s}", "heartbeat:", "heartbeat.url", "is missing"),
    Wrong("heartbeat: none", "heartbeat: off", "heartbeat: off", "heartbeat", "expected none, not 'off'"),
    Wrong("sites: [north.yaml]", "sites: []", "sites: []", "sites", "needs at least 1"),
    Wrong("sites: [north.yaml]", "sites: [north.yaml, north.yaml]", "sites:", "sites.1", "is named twice"),
    Wrong("heartbeat: none", "keep: {readings: 29d}\nheartbeat: none", "keep:", "keep.readings", "29d is less than the 30d"),
    Wrong("heartbeat: none", "keep: {alarms: 300d}\nheartbeat: none", "keep:", "keep.alarms", "300d is less than the 1y"),
    Wrong("heartbeat: none", "keep: {readings: 20d, override_reason: {alarms: x}}\nheartbeat: none", "keep:", "keep.readings", "20d is less than the 30d"),
    Wrong("heartbeat: none", influx("version: 2, org: o, token: {env: T}"), "store:", "store.bucket", "is missing; version 2 of InfluxDB needs it"),
    Wrong("heartbeat: none", influx("version: 1, bucket: b, database: d"), "store:", "store.bucket", "is not for version 1 of InfluxDB"),
    Wrong("heartbeat: none", influx("version: 4, database: d"), "store:", "store.version", "expected 1, 2 or 3, not 4"),
    Wrong("heartbeat: none", influx("version: 3, database: d, token: abc"), "store:", "store.token", "a secret itself never stands in a file"),
    Wrong("heartbeat: none", influx("version: 1, database: d, password: {env: P}"), "store:", "store.password", "needs username"),
    Wrong("heartbeat: none", influx("version: 1, database: d, timeout: 5"), "store:", "store.timeout", "expected a span such as 10s"),
    Wrong("heartbeat: none", influx("version: 1, database: d, path: x"), "store:", "store.path", "is not a key of this place"),
    Wrong("heartbeat: none", influx("version: 1, database: d", "http://me:pw@127.0.0.1"), "store:", "store.url", "do not belong into the address"),
    Wrong("heartbeat: none", "store: {kind: duckbd}\nheartbeat: none", "store:", "store.kind", "did you mean duckdb"),
    Wrong("heartbeat: none", 'api: {listen: "8080"}\nheartbeat: none', "api:", "api.listen", "expected an address and a port, such as 127.0.0.1:8080"),
    Wrong("heartbeat: none", "commands: {mqtt: on}\nheartbeat: none", "commands:", "commands.mqtt", "expected off, acl or signed, not 'on'"),
    Wrong("heartbeat: none", "spool: {limit: 20}\nheartbeat: none", "spool:", "spool.limit", "expected a size such as 20GB, with its unit"),
    Wrong("heartbeat: none", "home_site: south\nheartbeat: none", "home_site:", "home_site", "'south' is no site of the files in `sites`"),
    Wrong("heartbeat: none", "canary: {site: south, tell: [wang]}\nheartbeat: none", "canary:", "canary.site", "'south' is no site"),
    Wrong("heartbeat: none", "canary: {site: north, tell: [wong]}\nheartbeat: none", "canary:", "canary.tell.0", "did you mean wang"),
    Wrong("mqtt://127.0.0.1:1883", "http://127.0.0.1:1883", "broker:", "broker.url", "expected mqtt://host:port or mqtts://host:port"),
    Wrong('"mqtt://127.0.0.1:1883"}', '"mqtt://127.0.0.1:1883", password: hunter2}', "broker:", "broker.password", "{env: NAME} or {file: PATH}"),
    Wrong("  phone: {kind: webhook", "  phone: {kind: siren", "phone:", "notify.phone.kind", "sirens are not in this version"),
    Wrong("  phone: {kind: webhook", "  phone: {kind: web-hook", "phone:", "notify.phone.kind", "did you mean webhook"),
    Wrong("  phone: {kind: webhook", "  phone: {timeout: 5s", "phone:", "notify.phone.kind", "is missing"),
    Wrong("  phone: {kind", "  my phone: {kind", "my phone:", "notify.my phone", "expected an id of 1 to 40 letters"),
]


@pytest.mark.parametrize("wrong", IN_SITE, ids=str)
def test_a_wrong_site_file_is_refused_with_line_key_and_sentence(wrong: Wrong, tmp_path: Path) -> None:
    text = spoil(SITE, wrong.old, wrong.new)
    found = problems(tmp_path, site=text)
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    expected = (str(tmp_path / "north.yaml"), line_of(text, wrong.at), wrong.key)
    assert any((p.file, p.line, p.key) == expected and wrong.says in p.sentence for p in errors), "\n".join(map(str, found)) or "nothing was refused"


@pytest.mark.parametrize("wrong", IN_GATEWAY, ids=str)
def test_a_wrong_gateway_file_is_refused_with_line_key_and_sentence(wrong: Wrong, tmp_path: Path) -> None:
    text = spoil(GATEWAY, wrong.old, wrong.new)
    found = problems(tmp_path, gateway=text)
    errors = [problem for problem in found if problem.severity is Severity.ERROR]
    expected = (str(tmp_path / "hazgate.yaml"), line_of(text, wrong.at), wrong.key)
    assert any((p.file, p.line, p.key) == expected and wrong.says in p.sentence for p in errors), "\n".join(map(str, found)) or "nothing was refused"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (GT, gt("{high: 30, override_reason: {high: the vendor's head drifts up to 28}}")),
        (GT, gt("{high: 30, high_high: null, override_reason: agreed with the inspector}")),
        (GT, f"{GT}\n    on_delay: 8s\n    override_reason: {{on_delay: a truck exhaust stands beside it}}"),
        (GT, f"{GT}\n    tiers: {{high_high: orange, override_reason: nobody works there}}"),
        (GT, f"{GT}\n    tiers: {{high: red}}"),
        (PT, "limits: {high: 1.2, high_high: 1.4}\n    tiers: {high: blue}"),
    ],
    ids=["looser limit", "limit taken out", "long on-delay", "lowered tier", "raised tier", "lowered yellow"],
)
def test_what_somebody_answers_for_is_accepted(old: str, new: str, tmp_path: Path) -> None:
    assert sound(tmp_path, site=spoil(SITE, old, new)).sites


def test_a_red_chain_over_a_single_channel_is_refused(tmp_path: Path) -> None:
    text = spoil(spoil(SITE, "reach: [desk, phone]", "reach: [desk]"), "reach: [phone, desk]", "reach: [desk]")
    found = [p.sentence for p in problems(tmp_path, site=text) if p.key == "escalation.red.steps"]
    assert found == ["reaches its people over only 1 channel; a RED chain needs 2, in case one fails"]


def test_a_red_chain_is_judged_at_every_hour_that_its_roles_are_filled(tmp_path: Path) -> None:
    """At night the leader is the officer's stand-in, so that one person stands for both roles."""
    text = spoil(SITE, "{id: li, role: officer,", "{id: li, role: [officer, leader],")
    text = spoil(text, "{people: [wang], from: 20:00, to: 08:00}", "{people: [li], from: 20:00, to: 08:00}")
    found = [p.sentence for p in problems(tmp_path, site=text) if p.key == "escalation.red.steps"]
    assert found == ["reaches only 1 person on mon at 00:00; a RED chain must reach 2"]


def test_people_who_take_turns_count_as_one(tmp_path: Path) -> None:
    text = spoil(SITE, "{people: [li], from", "{people: [li, bo], rotate: week, from")
    text = spoil(text, "  - {id: wang", "  - {id: bo, role: officer, reach: [phone]}\n  - {id: wang")
    red = "red: {steps: [{tell: [officer]}], repeat: 120s}"
    assert any("reaches only 1 person" in p.sentence for p in problems(tmp_path, site=spoil(text, RED, red)))
    assert sound(tmp_path, site=text).sites


def test_a_gap_in_the_rota_is_no_error_of_the_file(tmp_path: Path) -> None:
    """Gaps are told while the gateway runs and listed by `hazgate rota`; the chain is judged at the hours that are filled."""
    assert sound(tmp_path, site=spoil(SITE, 'from: "00:00", to: "24:00"', "from: 08:00, to: 20:00")).sites


def test_every_error_of_all_files_is_listed_at_once_and_sorted(tmp_path: Path) -> None:
    site = spoil(spoil(SITE, "interval: 1s", "interval: 1"), "zone: switch-room", "zone: nowhere")
    gateway = spoil(GATEWAY, "mqtt://", "http://")
    found = problems(tmp_path, gateway=gateway, site=site)
    assert [p.key for p in found] == ["broker.url", "sensors.GT-1.interval", "sensors.RC-1.zone"]
    assert found == sorted(found)


def test_one_wrong_key_hides_no_other_mistake_of_its_sensor(tmp_path: Path) -> None:
    text = spoil(SITE, GT, gt("{high: 30, hihg: 1}") + "\n    zoone: x")
    text = spoil(text, "    interval: 1s", "    interval: 40s")
    keys = {p.key for p in problems(tmp_path, site=text)}
    assert keys == {"sensors.GT-1.limits.hihg", "sensors.GT-1.zoone", "sensors.GT-1.limits.high", "sensors.GT-1.interval"}


def test_a_wrong_person_is_one_problem_and_not_a_chain_that_reaches_nobody(tmp_path: Path) -> None:
    assert [p.key for p in problems(tmp_path, site=spoil(SITE, "{id: li, role: officer,", "{id: li, role: boss,"))] == ["people.li.role"]


def test_a_name_that_stands_for_nobody_is_one_problem(tmp_path: Path) -> None:
    text = spoil(SITE, "tell: [officer]}, {after: 60s", "tell: [oficer]}, {after: 60s")
    assert [p.key for p in problems(tmp_path, site=text)] == ["escalation.red.steps.0.tell.0"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"mqtt://127.0.0.1:1883"}', '"mqtt://127.0.0.1:1883", username: gw, password: hunter2}'),
        ('url: "http://127.0.0.1:9000/phone"', "url: {env: A, file: hunter2}"),
        ('url: "http://127.0.0.1:9000/phone"}', 'url: "http://127.0.0.1:9000/phone", headers: {Authorization: [hunter2]}}'),
        ('url: "http://127.0.0.1:9000/phone"', "url: [hunter2]"),
    ],
    ids=["password", "address", "header", "list"],
)
def test_a_refused_secret_is_not_repeated(old: str, new: str, tmp_path: Path) -> None:
    """What check prints ends up in tickets and logs."""
    found = problems(tmp_path, gateway=spoil(GATEWAY, old, new))
    assert found
    assert all("hunter2" not in str(problem) for problem in found)


def test_two_sites_of_one_gateway_need_ids_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "south.yaml").write_text(SITE, encoding="utf-8")
    found = problems(tmp_path, gateway=spoil(GATEWAY, "[north.yaml]", "[north.yaml, south.yaml]"))
    assert [(Path(p.file).name, p.key) for p in found] == [("south.yaml", "site")]


REMARKS = [
    ("change: {by: wang, approved: 2026-11-20, reason: first installation}\n", "", "change", "is missing; say who put this file to work"),
    ("    interval: 10s\n    commissioned: 2026-01-15", "    interval: 10s", "sensors", "1 of 3 are in commissioning and alarm nobody (RC-1"),
    ("{id: tank-area,", "{id: tank-area, min_healthy: 2,", "zones.tank-area.min_healthy", "asks for 2 healthy sensors of a kind"),
    (", repeat: 10m", "", "escalation.orange", "after the last step nobody is told again"),
    (GT, f"{GT}\n    rate: {{rise: 5/m}}", "sensors.GT-1.rate", "is not acted on by this version: rise and fall"),
    (PEOPLE, VOTES % ("GT-1", "high", "1oo1"), "votes", "no vote is judged"),
    (PEOPLE, RULE % ("tank-area", "pressure"), "rules", "no rule is judged"),
    (PEOPLE, "templates: {zh: {short: x}}\npeople:\n", "templates", "messages keep their own words"),
    ("repeat: 120s}", "repeat: 120s, verify_within: 10m}", "escalation.red.verify_within", "nobody is reminded to verify"),
]


@pytest.mark.parametrize(("old", "new", "key", "says"), REMARKS, ids=[remark[3] for remark in REMARKS])
def test_what_is_left_open_is_a_warning_and_no_refusal(old: str, new: str, key: str, says: str, tmp_path: Path) -> None:
    warnings = sound(tmp_path, site=spoil(SITE, old, new)).warnings
    assert [(w.key, w.severity) for w in warnings] == [(key, Severity.WARNING)]
    assert says in warnings[0].sentence


def test_a_key_that_is_not_judged_is_remarked_once_with_its_number(tmp_path: Path) -> None:
    text = SITE.replace("    commissioned: 2026-01-15\n", "    commissioned: 2026-01-15\n    response_time: 10m\n")
    (warning,) = sound(tmp_path, site=text).warnings
    assert warning.key == "sensors.GT-1.response_time"
    assert "(here and in 2 more)" in warning.sentence


def test_a_person_who_is_silent_without_the_broker_is_remarked(tmp_path: Path) -> None:
    gateway = GATEWAY + "  screen: {kind: mqtt, topic: site/screen}\n"
    text = spoil(SITE, "  - {id: wang", "  - {id: bo, role: viewer, reach: [screen]}\n  - {id: wang")
    (warning,) = sound(tmp_path, gateway=gateway, site=text).warnings
    assert (warning.key, "needs the broker" in warning.sentence) == ("people.bo.reach", True)


def test_a_site_file_by_itself_is_judged_without_its_gateways_channels(tmp_path: Path) -> None:
    path = tmp_path / "alone.yaml"
    path.write_text(spoil(SITE, "reach: [desk, phone]", "reach: [desk, fone]"), encoding="utf-8")
    assert not isinstance(load_site(path), list)
    assert isinstance(load_site(path, channels={"desk": "webhook", "phone": "webhook"}), list)
