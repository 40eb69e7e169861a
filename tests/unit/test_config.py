"""The loader: what YAML becomes, on which line things stand, where secrets and paths go, and what a configuration's hash covers."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.files import GATEWAY, SITE, problems, sound, spoil, write

from alerts.alarm import Condition, Tier
from alerts.ports import Permanent
from alerts.reading import SECOND
from alerts.site import Sensor
from gateway.config import Config, Severity, effective_hash, load
from gateway.config_problem import WHOLE_FILE, Problem
from gateway.config_yaml import Document, parse, resolve


def document(text: str) -> Document:
    made = Document("test.yaml")
    parse(text, made)
    return made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("1.50", 1.5),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("1.5e-3", 0.0015),
    ],
)
def test_only_truth_nothing_and_numbers_are_resolved(text: str, value: object) -> None:
    assert document(f"k: {text}").data == {"k": value}
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "off",
        "on",
        "yes",
        "no",
        "True",
        "NULL",
        "~",
        "22:00",
        "2026-01-15",
        "2oo3",
        "007",
        "+8613800000000",
        "0x1F",
        "1_000",
        ".5",
        ".inf",
        ".nan",
        "1e999",
        "9" * 30,
    ],
)
def test_everything_else_stays_text(text: str) -> None:
    assert document(f"k: {text}").data == {"k": text}


def test_quotes_make_text_of_anything() -> None:
    assert document("a: '1'\nb: \"true\"\nc: 'null'").data == {"a": "1", "b": "true", "c": "null"}


def test_keys_are_text_or_whole_numbers() -> None:
    assert document("{0: open, 1.5: a, true: b, null: c, '2': d}").data == {0: "open", "1.5": "a", "true": "b", "null": "c", "2": "d"}


def test_every_key_and_entry_knows_its_line() -> None:
    made = document("a: 1\nb:\n  - x: 1\n    y: [1,\n      2]\n  - id: GT-1\n    z: {q: 1,\n        r: 2}\n")
    places = {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 0, "y"): 4, ("b", 0, "y", 1): 5, ("b", 1): 6, ("b", 1, "z"): 7, ("b", 1, "z", "r"): 8}
    assert {keys: made.line(keys) for keys in places} == places


def test_a_key_that_is_not_there_stands_where_it_would_belong() -> None:
    made = document("a: 1\nb:\n  - id: GT-1\n    z: {q: 1}\n")
    assert made.line(("b", 0, "z", "missing", "deeper")) == 4
    assert made.line(("missing",)) == 1


def test_a_key_path_names_entries_by_their_id_and_else_by_position() -> None:
    made = document("b:\n  - id: GT-1\n  - x: 1\n  - id: 5\n")
    assert [made.place(("b", n, "x")) for n in range(3)] == ["b.GT-1.x", "b.1.x", "b.2.x"]


def test_a_duplicate_key_names_the_first_one() -> None:
    (problem,) = document("a: 1\nb: {c: 1,\n  c: 2}\n").problems
    assert str(problem) == "test.yaml:3: b.c: stands twice in the same mapping (first on line 2); keep one of them"


def test_duplicate_keys_inside_a_duplicate_are_found_too() -> None:
    made = document("a: {x: 1}\na: {y: 1,\n y: 2}\n")
    assert [(p.line, p.key) for p in made.problems] == [(2, "a"), (3, "a.y")]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: [1,\nb: 2", 3, "is not valid YAML"),
        ("a: 1\n\tb: 2", 2, "is not valid YAML: found a tab"),
        ("a: 'x", 1, "is not valid YAML"),
        ("a: 1\n---\nb: 2", 2, "a second YAML document"),
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("- a\n- b\n", 1, "is not a mapping"),
        ("just words", 1, "is not a mapping"),
        ("a: 1\nb: \x07", 2, "a character that YAML does not allow"),
        ("a: &x 1\nb: *x", 1, "anchors (&) and aliases (*)"),
        ("a: 1\nb: *x", 2, "anchors (&) and aliases (*)"),
        ("a: !!python/object:os.system {}", 1, "the tag"),
        ("a: 1\nb: !!str 5", 2, "the tag"),
        ("? [a]\n: b", 1, "cannot be a key"),
        ("[" * 100_000, 1, "deep in one another"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_and_a_line(text: str, line: int, says: str) -> None:
    made = document(text)
    assert made.data is None
    assert [(p.line, p.key, says in p.sentence) for p in made.problems] == [(line, WHOLE_FILE, True)]


@given(st.text(alphabet=st.sampled_from("ab:-[]{},&*!#|>'\"?%@`\n\t 01"), max_size=60))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    made = document(text)
    assert made.data is None or isinstance(made.data, dict)
    assert made.data is not None or made.problems


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 1e300, "", "x", "north", "1s", [], [[]], [None], {}, {"id": []}, {"id": "x", "tell": 5}, {0: 0}]
)
RICH = spoil(
    spoil(SITE, "limits: {high: 20, high_high: 40}", "limits: {high: 20}\n    rate: {}\n    when: {rise: {sensor: PT-1, is: x}}\n    tiers: {high: red}"),
    "people:\n",
    """votes: [{id: V-1, of: [GT-1, PT-1], condition: high, vote: 1oo2}]
rules: [{id: R-1, zone: tank-area, all: [{kind: pressure, condition: high}], not: [{sensor: RC-1, condition: high}]}]
pairs: [{id: P-1, of: [PT-1, PT-2], tolerance: 1}]
devices: [{id: rtu-1, codec: {kind: json}}]
sources: [{id: MH-1, name: x, level: 1, responsible: li}]
sirens: {red: [desk]}
people:
""",
)


def ways(at: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested mappings and lists."""
    inner = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
    return [way for key, value in inner for way in ((*before, key), *ways(value, (*before, key)))]


def spoilt(text: str, data: st.DataObject) -> str:
    tree = document(text).data
    for _ in range(data.draw(st.integers(0, 3))):
        *way, last = data.draw(st.sampled_from(ways(tree)))
        at = tree
        for key in way:
            at = at[key]
        at[last] = copy.deepcopy(data.draw(JUNK))
    return json.dumps(tree)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_stands_in_the_files_the_answer_is_a_configuration_or_problems(data: st.DataObject) -> None:
    """Values of the wrong kind in any place are sentences, never an exception."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(write(Path(folder), gateway=spoilt(GATEWAY, data), site=spoilt(RICH, data)))
    assert isinstance(loaded, Config) or any(p.severity is Severity.ERROR for p in loaded)


def test_a_file_that_is_not_there_or_not_text_is_a_problem_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "north.yaml").write_bytes(b"site: north\nname: \xff\n")
    (tmp_path / "hazgate.yaml").write_text(spoil(GATEWAY, "[north.yaml]", "[north.yaml, south.yaml]"), encoding="utf-8")
    found = load(tmp_path / "hazgate.yaml")
    assert isinstance(found, list)
    assert [(Path(p.file).name, p.line, p.sentence) for p in found] == [
        ("north.yaml", 2, "is not UTF-8 text; save it as UTF-8"),
        ("south.yaml", 1, "cannot be read: No such file or directory"),
    ]


def test_a_missing_gateway_file_is_one_line(tmp_path: Path) -> None:
    found = load(tmp_path / "hazgate.yaml")
    assert isinstance(found, list)
    assert [str(p) for p in found] == [f"{tmp_path / 'hazgate.yaml'}:1: (file): cannot be read: No such file or directory"]


def test_a_problem_prints_as_file_line_key_sentence() -> None:
    problem = Problem("north.yaml", 12, "sensors.GT-1.limits.high", "120 is outside the range 0 to 100")
    assert str(problem) == "north.yaml:12: sensors.GT-1.limits.high: 120 is outside the range 0 to 100"
    assert str(Problem("a", 1, "b", "c", Severity.WARNING)) == "a:1: b: warning: c"


def sensor(config: Config, identity: str) -> Sensor:
    return next(s for s in config.sites[0].sensors if s.id == identity)


def test_limits_are_merged_with_the_profile_by_key(tmp_path: Path) -> None:
    merged = sensor(sound(tmp_path, site=spoil(SITE, "limits: {high: 20, high_high: 40}", "limits: {high: 20}")), "GT-1")
    assert (merged.limits.high, merged.limits.high_high, merged.limits.low) == (20, 50, None)


def test_a_null_takes_a_limit_out(tmp_path: Path) -> None:
    text = spoil(SITE, "limits: {high: 20, high_high: 40}", "limits: {high_high: null, override_reason: {high_high: agreed}}")
    assert sensor(sound(tmp_path, site=text), "GT-1").limits.high_high is None


def test_a_profile_supplies_what_the_file_leaves_out(tmp_path: Path) -> None:
    gas = sensor(sound(tmp_path), "GT-1")
    assert (gas.deadband, gas.on_delay, gas.off_delay, gas.latch, gas.stale) == (2, 0, 60 * SECOND, True, 30 * SECOND)
    assert (gas.tier(Condition.HIGH), gas.tier(Condition.HIGH_HIGH), gas.red_capable) == (Tier.ORANGE, Tier.RED, True)
    assert gas.rate is None


def test_the_site_says_what_holds_where_it_says_something(tmp_path: Path) -> None:
    text = spoil(SITE, "limits: {high: 20, high_high: 40}", "latch: false\n    deadband: 1\n    off_delay: 10s\n    stale: 45s")
    gas = sensor(sound(tmp_path, site=text), "GT-1")
    assert (gas.deadband, gas.off_delay, gas.latch, gas.stale) == (1, 10 * SECOND, False, 45 * SECOND)


def test_a_slow_sensor_is_stale_after_three_intervals(tmp_path: Path) -> None:
    slow = sensor(sound(tmp_path, site=spoil(SITE, "interval: 10s", "interval: 2m")), "RC-1")
    assert slow.stale == 360 * SECOND


def test_a_config_tells_which_numbers_are_unreviewed_defaults(tmp_path: Path) -> None:
    config = sound(tmp_path)
    assert config.unreviewed("north") == 2
    assert config.origins["north", "RC-1"]["limits.high"].source.startswith("GB 50116")
    assert "limits.high" not in config.origins["north", "GT-1"]
    assert config.origins["north", "GT-1"]["deadband"].mark == "M"


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    text = GATEWAY.replace('{url: "mqtt://127.0.0.1:1883"}', '{url: "mqtts://127.0.0.1:8883", ca: ca.pem, username: gw, password: {file: secrets/mqtt}}')
    gateway = sound(tmp_path, gateway=text).gateway
    assert gateway.data_dir == tmp_path / "data"
    assert gateway.broker.ca == tmp_path / "ca.pem"
    assert gateway.broker.password is not None
    assert gateway.broker.password.file == str(tmp_path / "secrets" / "mqtt")


def test_a_secret_is_named_read_when_used_and_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GATEWAY.replace('{url: "mqtt://127.0.0.1:1883"}', '{url: "mqtt://127.0.0.1:1883", username: gw, password: {env: HAZGATE_TEST_SECRET}}')
    config = sound(tmp_path, gateway=text)
    secret = config.gateway.broker.password
    assert secret is not None
    with pytest.raises(Permanent, match="HAZGATE_TEST_SECRET is not set"):
        secret.reveal()
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{config!r} {config} {secret!r} {secret}"
    assert f"{secret}" == "<secret>"


def test_loading_reads_no_secret(tmp_path: Path) -> None:
    text = GATEWAY.replace('{url: "mqtt://127.0.0.1:1883"}', '{url: "mqtt://127.0.0.1:1883", username: gw, password: {file: nowhere}}')
    assert sound(tmp_path, gateway=text).gateway.broker.password is not None


def test_the_home_site_is_the_first_unless_named(tmp_path: Path) -> None:
    south = spoil(SITE, "site: north", "site: south")
    (tmp_path / "south.yaml").write_text(south, encoding="utf-8")
    both = spoil(GATEWAY, "[north.yaml]", "[north.yaml, south.yaml]")
    assert sound(tmp_path, gateway=both).home_site.site == "north"
    assert sound(tmp_path, gateway=f"{both}home_site: south\n").home_site.site == "south"


HASHED: list[tuple[str, str, str]] = [
    ("a limit", "high: 20,", "high: 19,"),
    ("a recipient", "{after: 60s, tell: [leader]}", "{after: 60s, tell: [wang]}"),
    ("a unit", "unit: MPa", "unit: bar"),
    ("a tier", "  - id: PT-1", "    tiers: {high: red}\n  - id: PT-1"),
]


@pytest.mark.parametrize(("old", "new"), [row[1:] for row in HASHED], ids=[row[0] for row in HASHED])
def test_the_effective_hash_changes_with_what_matters(old: str, new: str, tmp_path: Path) -> None:
    assert effective_hash(sound(tmp_path)) != effective_hash(sound(tmp_path, site=spoil(SITE, old, new)))


def test_the_effective_hash_does_not_change_with_how_or_where_it_is_written(tmp_path: Path) -> None:
    spelt = spoil(SITE, "limits: {high: 20, high_high: 40}", "# confirmed\n    deadband: 2.0\n    limits:\n      high: 20.0\n      high_high: 40")
    (tmp_path / "elsewhere").mkdir()
    assert effective_hash(sound(tmp_path)) == effective_hash(sound(tmp_path / "elsewhere", site=spelt))


def test_a_configuration_cannot_be_changed(tmp_path: Path) -> None:
    config: Any = sound(tmp_path)
    for holder, name in ((config, "gateway"), (config.gateway, "workers"), (config.sites[0], "name")):
        with pytest.raises((AttributeError, ValueError)):
            setattr(holder, name, "x")


def test_warnings_do_not_keep_a_configuration_from_loading(tmp_path: Path) -> None:
    found = load(write(tmp_path, site=SITE.replace("change: {by", "# change: {by")))
    assert isinstance(found, Config)
    assert [w.key for w in found.warnings] == ["change"]
    assert not problems(tmp_path)
