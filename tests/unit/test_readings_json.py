"""Readings as JSON: what is understood, what is unreadable, and that nothing else ever happens, whatever the bytes."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs.inbound import MAX_READINGS, Decoded, Unreadable
from adapters.codecs.readings_json import decode
from alerts.reading import MILLISECOND, NO_SEQ, Quality, RawReading

FULL = {"sensor": "GT-101", "time": 1763712000123, "value": 12.34, "unit": "%LEL", "quality": "uncertain", "seq": 17, "historical": True}
AT = 1763712000123 * MILLISECOND


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


def one(payload: bytes | dict[str, Any]) -> RawReading:
    decoded = decode(payload if isinstance(payload, bytes) else encoded(payload))
    assert decoded.unreadable == []
    (reading,) = decoded.readings
    return reading


def refusal(payload: bytes | dict[str, Any]) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(payload if isinstance(payload, bytes) else encoded(payload))
    return str(caught.value)


def test_every_key_of_a_reading_is_understood() -> None:
    assert one(FULL) == RawReading("GT-101", 12.34, AT, "%LEL", Quality.UNCERTAIN, 17, historical=True)


def test_what_is_left_out_or_null_has_its_default() -> None:
    expected = RawReading("a", 1.0, None, None, Quality.GOOD, NO_SEQ, historical=False)
    assert one({"sensor": "a", "value": 1}) == expected
    assert one({"sensor": "a", "value": 1, "time": None, "unit": None, "quality": None, "seq": None, "historical": None}) == expected


def test_keys_we_do_not_know_are_ignored_and_the_last_of_two_equal_keys_counts() -> None:
    assert one(b'{"sensor": "a", "value": 1, "battery": {"v": [3.6]}, "value": 2}').value == 2.0


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0), (0, 0.0), (-3, -3.0), (1e-300, 1e-300), (2**63, 2.0**63)])
def test_numbers_and_booleans_are_values(value: float, number: float) -> None:
    assert one({"sensor": "a", "value": value}).value == number


@pytest.mark.parametrize("quality", list(Quality))
def test_each_quality_is_known_by_its_name(quality: Quality) -> None:
    assert one({"sensor": "a", "value": 1, "quality": quality.name.lower()}).quality is quality


@pytest.mark.parametrize("bare", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("quality", ["good", "bad"])
def test_bare_nan_and_infinity_are_no_value_and_the_quality_is_kept(bare: str, quality: str) -> None:
    reading = one(f'{{"sensor": "a", "value": {bare}, "quality": "{quality}", "seq": 3}}'.encode())
    assert math.isnan(reading.value)
    assert (reading.quality, reading.seq) == (Quality[quality.upper()], 3)


def test_null_is_a_value_only_of_bad_quality() -> None:
    assert math.isnan(one({"sensor": "a", "value": None, "quality": "bad"}).value)
    assert "null" in refusal({"sensor": "a", "value": None})
    assert "null" in refusal({"sensor": "a", "value": None, "quality": "uncertain"})


def test_a_unit_may_be_any_text_for_admission_judges_it() -> None:
    assert one({"sensor": "a", "value": 1, "unit": "斤"}).unit == "斤"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"sensor": "a"},
        {"value": 1},
        {"sensor": 7, "value": 1},
        {"sensor": "", "value": 1},
        {"sensor": "-a", "value": 1},
        {"sensor": "a.b", "value": 1},
        {"sensor": "a\n", "value": 1},
        {"sensor": "é", "value": 1},
        {"sensor": "a" * 41, "value": 1},
        {"sensor": "a", "value": "1"},
        {"sensor": "a", "value": {}},
        {"sensor": "a", "value": 10**400},
        {"sensor": "a", "value": 1, "quality": "fine"},
        {"sensor": "a", "value": 1, "quality": 0},
        {"sensor": "a", "value": 1, "unit": 5},
        {"sensor": "a", "value": 1, "seq": -1},
        {"sensor": "a", "value": 1, "seq": 1.5},
        {"sensor": "a", "value": 1, "seq": True},
        {"sensor": "a", "value": 1, "seq": 2**63},
        {"sensor": "a", "value": 1, "historical": 1},
        {"sensor": "a", "value": 1, "time": 1763712000.5},
        {"sensor": "a", "value": 1, "time": True},
        {"sensor": "a", "value": 1, "time": 2**63},
        {"sensor": "a", "value": 1, "time": -(2**63)},
        {"sensor": "a", "value": 1, "time": "yesterday"},
        {"sensor": "a", "value": [1]},
        {"sensor": "a", "value": 1, "time": [1]},
        {"sensor": "a", "value": [1, 2], "time": [1]},
        {"sensor": "a", "value": [], "time": []},
    ],
)
def test_a_single_object_that_is_no_reading_is_unreadable(body: dict[str, Any]) -> None:
    assert refusal(body)


@pytest.mark.parametrize(
    "payload", [b"", b" ", b"null", b"1", b'"a"', b"{", b"[]", b" [ ] ", b"\xff", b'{"sensor":"\xff"}', b"{} x", b"\xef\xbb\xbf{}", b"NaN", b"[NaN"]
)
def test_what_is_no_message_at_all_is_unreadable(payload: bytes) -> None:
    assert refusal(payload)


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-11-21T08:00:00.123Z", AT),
        ("2025-11-21T16:00:00.123+08:00", AT),
        ("2025-11-21t07:30:00.123-00:30", AT),
        ("2025-11-21 08:00:00.123z", AT),
        ("2025-11-21T08:00:00.123456789Z", AT + 456_789),
        ("2025-11-21T08:00:00.1234567899999Z", AT + 456_789),
        ("1969-12-31T23:59:59.5Z", -500 * MILLISECOND),
        ("2016-12-31T23:59:60Z", 1483228800 * 1_000_000_000),
        ("2024-02-29T00:00:00Z", 1709164800 * 1_000_000_000),
    ],
)
def test_times_are_rfc_3339_with_any_offset(written: str, ns: int) -> None:
    assert one({"sensor": "a", "value": 1, "time": written}).time == ns


@pytest.mark.parametrize(
    "written",
    [
        "2025-11-21",
        "2025-11-21T08:00:00",
        "2025-02-30T08:00:00Z",
        "2025-11-21T24:00:00Z",
        "2025-11-21T08:00:00+0800",
        "2025-11-21T08:00:00.Z",
        "1600-01-01T00:00:00Z",
        "2300-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "٢٠٢٥-11-21T08:00:00Z",
        "20251121T080000Z",
    ],
)
def test_times_without_an_offset_off_the_calendar_or_beyond_int64_are_unreadable(written: str) -> None:
    assert "time" in refusal({"sensor": "a", "value": 1, "time": written})


@pytest.mark.parametrize(("milliseconds", "kept"), [(9223372036854, True), (-9223372036854, True), (9223372036855, False), (-9223372036855, False)])
def test_milliseconds_reach_as_far_as_int64_nanoseconds(milliseconds: int, kept: bool) -> None:
    body = {"sensor": "a", "value": 1, "time": milliseconds}
    if kept:
        assert one(body).time == milliseconds * MILLISECOND
    else:
        assert refusal(body)


def test_one_bad_element_spoils_only_itself() -> None:
    decoded = decode(encoded([{"sensor": "a", "value": 1}, {"sensor": "", "value": 1}, 7, {"sensor": "b", "value": None}, {"sensor": "c", "value": 3}]))
    assert [(reading.sensor, reading.value) for reading in decoded.readings] == [("a", 1.0), ("c", 3.0)]
    assert len(decoded.unreadable) == 3


def test_one_bad_element_spoils_only_itself_beside_a_bare_nan_too() -> None:
    decoded = decode(b'[{"sensor":"a","value":NaN},{"sensor":"b"},{"sensor":"c","value":1e999},{"sensor":"d","value":1,"unit":"\\ud800"}]')
    assert [(reading.sensor, math.isnan(reading.value)) for reading in decoded.readings] == [("a", True), ("c", True)]
    assert len(decoded.unreadable) == 2


def test_an_array_of_nothing_but_bad_elements_counts_each() -> None:
    assert decode(b"[1, {}, null]").readings == []
    assert len(decode(b"[1, {}, null]").unreadable) == 3


def test_a_run_is_one_sensor_at_many_times_with_the_number_of_its_first_reading() -> None:
    body = {"sensor": "a", "time": [1, "1970-01-01T00:00:00.002Z"], "value": [1, True], "unit": "ppm", "quality": "test", "seq": 8, "historical": True}
    assert decode(encoded(body)).readings == [
        RawReading("a", 1.0, MILLISECOND, "ppm", Quality.TEST, 8, historical=True),
        RawReading("a", 1.0, 2 * MILLISECOND, "ppm", Quality.TEST, 9, historical=True),
    ]


def test_one_bad_reading_in_a_run_spoils_only_itself() -> None:
    decoded = decode(encoded([{"sensor": "a", "time": [1, 2, None, True, "x", 6], "value": [1, "2", 3, 4, 5, 6], "seq": 0}]))
    assert [(reading.value, reading.seq) for reading in decoded.readings] == [(1.0, 0), (6.0, 5)]
    assert len(decoded.unreadable) == 4


@pytest.mark.parametrize(
    "many", [b"[" + b"0," * MAX_READINGS + b"0]", encoded({"sensor": "a", "time": [1] * (MAX_READINGS + 1), "value": [1] * (MAX_READINGS + 1)})]
)
def test_more_readings_than_a_message_may_hold_are_refused_as_a_whole(many: bytes) -> None:
    assert str(MAX_READINGS) in refusal(many)


def test_many_short_runs_are_bounded_like_one_long_one() -> None:
    run = {"sensor": "a", "time": [1] * 1000, "value": [1] * 1000}
    assert str(MAX_READINGS) in refusal(encoded([run] * 66))


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"NaN",
        b'{"a":' * 100_000,
        b'{"sensor":"a","value":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"sensor":"a","value":' + b"9" * 2**20 + b"}",
        b'{"sensor":"a","value":NaN,"x":' + b"9" * 2**20 + b"}",
        b'{"sensor":"' + b"a" * 2**20 + b'","value":1}',
        b'{"sensor":"a","value":1,"quality":"' + b"q" * 2**20 + b'"}',
        b"[" + b"0," * (2**19 - 1) + b"0]",
        b"[" + b"{}," * MAX_READINGS + b"NaN]",
        b"\x00" * 2**20,
        b" " * 2**20,
        b"\\" * 2**20,
    ],
    ids=lambda payload: repr(payload[:24]),
)
def test_a_mebibyte_of_malice_is_unreadable_in_bounded_time_and_words(payload: bytes) -> None:
    begun = time.perf_counter()
    assert len(refusal(payload)) < 1000
    assert time.perf_counter() - begun < 10.0


def sound(decoded: Decoded) -> bool:
    """What every later stage relies on: finite or NaN, int64, text that can be stored."""
    for reading in decoded.readings:
        assert type(reading.value) is float
        assert not math.isinf(reading.value)
        assert reading.time is None or -(2**63) < reading.time < 2**63
        assert NO_SEQ <= reading.seq < 2**63
        assert (reading.unit or "").encode() is not None
        assert reading.sensor.isascii()
    return all(reason.encode() for reason in decoded.unreadable)


def harmless(payload: bytes) -> bool:
    try:
        return sound(decode(payload))
    except Unreadable as error:
        return bool(str(error).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["a", "good", "bad", "2025-11-21T08:00:00Z"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*FULL, "x"]) | st.text(max_size=3), inner, max_size=7),
    max_leaves=30,
)
ALMOST = st.fixed_dictionaries(
    {"sensor": st.just("a") | JSON, "value": st.floats() | st.lists(JSON, max_size=3)},
    optional={name: JSON for name in FULL if name not in ("sensor", "value")},
)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_decoded_or_unreadable(payload: bytes) -> None:
    assert harmless(payload)


@given(JSON | ALMOST | st.lists(ALMOST, max_size=4))
def test_arbitrary_json_is_decoded_or_unreadable(body: object) -> None:
    assert harmless(json.dumps(body).encode())


@given(ALMOST, st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_damaged_json_is_decoded_or_unreadable(body: object, position: int, damage: bytes) -> None:
    payload = json.dumps(body).encode()
    assert harmless(payload[:position] + damage + payload[position + len(damage) :])


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-9223372036854, 9223372036854), st.sampled_from(list(Quality)))
def test_every_finite_value_and_every_time_come_back_exactly(value: float, milliseconds: int, quality: Quality) -> None:
    reading = one({"sensor": "a", "value": value, "time": milliseconds, "quality": quality.name.lower()})
    assert (reading.value, reading.time, reading.quality) == (value, milliseconds * MILLISECOND, quality)
