"""What `check` refuses of a device's codec: the line that says so, and the sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.files import GATEWAY, SITE, line_of, problems, sound

MAPPED = "kind: mapped, "
ONE = "topic: 'acme/{sensor}/up', paths: {value: '$.v'}"
SPB = "kind: sparkplug, topic: "

REFUSED = [
    ("kind: json, time: s", "time", "means nothing to the kind json; it takes topic"),
    (f"{SPB}spBv1.0/g/+/e, paths: {{value: $.v}}", "paths", "means nothing to the kind sparkplug; it takes names, topic"),
    ("kind: sparkplug", "topic", "is missing; write spBv1.0/GROUP/+/EDGE"),
    (f"{SPB}spBv1.0/g/DDATA/e/d", "topic", "expected spBv1.0/GROUP/+/EDGE for an edge node"),
    ("kind: senml, topic: spBv1.0/g/+/e", "topic", "topics under spBv1.0 are Sparkplug B's"),
    ("kind: senml, topic: a/#", "topic", "'#' is no level of a device's topic"),
    ("kind: senml, topic: a//b", "topic", "'' is no level of a device's topic"),
    ("kind: senml, topic: +/b", "topic", "the first level is a name"),
    ("kind: senml, topic: $SYS/b", "topic", "begins with $ belongs to the broker"),
    ("kind: senml, topic: 'a/{sensor}'", "topic", "{sensor} is for the kind mapped"),
    (f"{MAPPED}topic: 'a/{{sensor}}/{{sensor}}', paths: {{value: $.v}}", "topic", "{sensor} stands twice"),
    ("kind: senml, topic: hazgate/v1/north/rtu-1/readings", "topic", "reaches into hazgate/v1/…"),
    ("kind: senml, topic: hazgate/+/x", "topic", "reaches into hazgate/v1/…"),
    (f"{MAPPED}topic: a/b", "paths.value", "write either the path of the value"),
    (f"{MAPPED}paths: {{value: $.v}}", "paths.sensor", "the device has 2 sensors, and nothing says which"),
    (f"{MAPPED}paths: {{value: $.v, sensor: $.s}}, topic: 'a/{{sensor}}'", "paths.sensor", "names the sensor, and so does {sensor} in topic"),
    (f"{MAPPED}paths: {{sensor: $.s}}, values: {{GT-1: $.a}}", "values", "says whose each value is, and so does paths.sensor"),
    (f"{MAPPED}{ONE.replace('$.v', '$..v')}", "paths.value", "'..v' in the path '$..v' is no step"),
    (f"{MAPPED}{ONE.replace('$.v', 'v')}", "paths.value", "'v' is no path; it begins with $"),
    (f"{MAPPED}{ONE.replace('$.v', '$.d[*]')}", "paths.value", "[*] stands in `each` only"),
    (f"{MAPPED}{ONE.replace('value:', 'valeu:')}", "paths.valeu", "did you mean value?"),
    (f"{MAPPED}values: {{GT-9: $.a}}", "values.GT-9", "'GT-9' is no sensor of the device rtu-1"),
    ("kind: senml, names: {a: RC-1}", "names.a", "'RC-1' is no sensor of the device rtu-1"),
    ("kind: senml, units: {C: celsius}", "units.C", "degC, degF, m3/h, L/min, t/h, mA, A, V, W, kW or m/s, not 'celsius'"),
    (f"{MAPPED}{ONE}, qualities: {{ok: fine}}", "qualities.ok", "expected good, uncertain, bad, calibrating or test"),
]


def site(*codecs: str) -> str:
    """The small site with these codecs, one a line, of rtu-1 and meter-1."""
    lines = "".join(f"  - {{id: {device}, codec: {{{codec}}}}}\n" for device, codec in zip(("rtu-1", "meter-1"), codecs, strict=False))
    return SITE.replace("people:\n", f"devices:\n{lines}people:\n", 1)


@pytest.mark.parametrize(("codec", "key", "says"), REFUSED, ids=[codec for codec, _, _ in REFUSED])
def test_a_codec_that_cannot_work_is_refused_on_its_line(codec: str, key: str, says: str, tmp_path: Path) -> None:
    text = site(codec)
    found = [problem for problem in problems(tmp_path, site=text) if problem.key == f"devices.rtu-1.codec.{key}"]
    assert found
    assert says in found[0].sentence
    assert found[0].line == line_of(text, "- {id: rtu-1")


@pytest.mark.parametrize(
    ("codec", "says"),
    [
        (f"{SPB}spBv1.0/g/+/e", "cannot be required: a metric of Sparkplug carries none"),
        (f"{MAPPED}{ONE}", 'is required, and no path leads to it; write paths: {unit: "$.…"}'),
    ],
)
def test_a_unit_that_the_codec_never_reads_cannot_be_required(codec: str, says: str, tmp_path: Path) -> None:
    text = site(codec).replace("- {id: rtu-1,", "- {id: rtu-1, unit: required,")
    (found,) = problems(tmp_path, site=text)
    assert (found.key, found.line) == ("devices.rtu-1.unit", line_of(text, "- {id: rtu-1"))
    assert says in found.sentence


@pytest.mark.parametrize("codec", ["kind: json", "kind: senml", f"{MAPPED}topic: 'acme/{{sensor}}', paths: {{value: $.v, unit: $.u}}"])
def test_a_unit_that_the_codec_reads_can_be_required(codec: str, tmp_path: Path) -> None:
    assert sound(tmp_path, site=site(codec).replace("- {id: rtu-1,", "- {id: rtu-1, unit: required,")).warnings == ()


@pytest.mark.parametrize(
    "codec",
    [
        "kind: json, topic: plant/rtu-1",
        f"{MAPPED}{ONE}",
        f"{MAPPED}topic: acme/+/up, values: {{GT-1: '$.a[0]', PT-1: \"$['b c'].d\"}}, time: s",
        f"{MAPPED}paths: {{each: '$.data[*]', sensor: '@.id', value: '@.v', time: $.ts}}, names: {{g: GT-1}}",
        "kind: senml",
        f"{SPB}spBv1.0/plant 1/+/edge/rtu-1, names: {{Gas/CH4: GT-1}}",
    ],
)
def test_a_codec_that_can_work_is_taken_without_a_remark(codec: str, tmp_path: Path) -> None:
    assert sound(tmp_path, site=site(codec)).warnings == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kind: senml, topic: a/+/c", "kind: senml, topic: a/b/+"),
        ("kind: senml, topic: a/b", "kind: senml, topic: a/+"),
        ("kind: json, topic: a/+", f"{MAPPED}topic: 'a/{{sensor}}', paths: {{value: $.v}}"),
        (f"{SPB}spBv1.0/g/+/e/d", f"{SPB}spBv1.0/g/+/e/d"),
    ],
)
def test_a_topic_that_two_devices_could_mean_is_refused(one: str, other: str, tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, site=site(one, other))
    assert (problem.key, "could be of device rtu-1 as well" in problem.sentence) == ("devices.meter-1.codec.topic", True)


def test_patterns_that_no_topic_can_both_match_are_two_devices(tmp_path: Path) -> None:
    assert sound(tmp_path, site=site("kind: senml, topic: a/+/c", "kind: senml, topic: a/b/+/d")).warnings == ()
    assert sound(tmp_path, site=site("kind: senml, topic: a/+/c", "kind: senml, topic: a/+/d")).warnings == ()


def test_two_devices_of_one_edge_are_two_topics(tmp_path: Path) -> None:
    assert sound(tmp_path, site=site(f"{SPB}spBv1.0/g/+/e/d", f"{SPB}spBv1.0/g/+/e")).warnings == ()


def test_the_gateways_own_topics_are_those_of_its_own_prefix(tmp_path: Path) -> None:
    gateway = GATEWAY.replace('1883"}', '1883", prefix: plant}')
    (problem,) = problems(tmp_path, gateway=gateway, site=site("kind: senml, topic: plant/senml/rtu-1"))
    assert "reaches into plant/…" in problem.sentence
    assert sound(tmp_path, gateway=gateway, site=site("kind: senml, topic: hazgate/v1/x")).warnings == ()
