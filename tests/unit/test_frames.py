"""Frames at rest: what was encoded is decoded, whatever the values, and damage is noticed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.recording import readings

from adapters.codecs import frames
from adapters.codecs.frames import Names
from alerts.reading import COLUMNS, DTYPES, Readings

WHOLE = st.integers(-(2**63), 2**63 - 1)


@st.composite
def batches(draw: st.DrawFn) -> Readings:
    """Any columns at all, of one length, with sensors 0 to 99."""
    rows = draw(st.integers(0, 90))
    kinds: dict[str, st.SearchStrategy[object]] = {"sensor": st.integers(0, 99), "quality": st.integers(0, 4), "mark": st.integers(0, 7)}
    columns = {}
    for name in COLUMNS:
        kind = kinds.get(name, st.floats() if DTYPES[name] == "<f8" else WHOLE)
        columns[name] = np.array(draw(st.lists(kind, min_size=rows, max_size=rows)), DTYPES[name])
    return Readings(**columns)


@given(batches())
def test_any_batch_comes_back_as_it_was(batch: Readings) -> None:
    known = [("north", f"GT-{n}") for n in range(100)]
    back = frames.decode(frames.encode(batch, known), lambda _site, sensor: int(sensor[3:]))
    for name in COLUMNS:
        assert np.array_equal(getattr(back, name), getattr(batch, name), equal_nan=DTYPES[name] == "<f8"), name


def test_sensors_are_found_by_name_in_a_changed_register() -> None:
    blob = frames.encode(readings((1, 0, 5.0), (0, 1, 6.0), (1, 2, 7.0)), [("north", "GT-1"), ("north", "GT-2")])
    back = frames.decode(blob, lambda _site, sensor: {"GT-2": 40}.get(sensor))
    assert back.sensor.tolist() == [40, 40]
    assert back.value.tolist() == [5.0, 7.0]


def test_a_plain_reading_costs_little_beside_its_name() -> None:
    """What holds only its default is left out: 4 + 8 + 8 + 8 bytes a reading."""
    many = readings(*((0, float(n), float(n)) for n in range(1000)))
    assert len(frames.encode(many, [("north", "GT-1")])) < 28 * 1000 + 40


@pytest.mark.parametrize("change", [lambda b: b[:10], lambda b: b[:-1], lambda b: b[:-1] + b"\xff", lambda b: b"NOPE" + b[4:], lambda _b: b""])
def test_a_damaged_frame_is_a_value_error(change: object) -> None:
    blob = frames.encode(readings((0, 0, 5.0)), [("north", "GT-1")])
    assert callable(change)
    with pytest.raises(ValueError, match="frame"):
        frames.decode(change(blob), Names().find)


def test_names_are_numbered_in_the_order_they_are_met() -> None:
    known = Names()
    assert [known.find("a", "x"), known.find("b", "x"), known.find("a", "x")] == [0, 1, 0]
    assert known.known == [("a", "x"), ("b", "x")]
    assert frames.empty().mark.dtype == np.uint8
