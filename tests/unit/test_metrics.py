"""Prometheus text: its form, and that every figure of a gateway is in it and says what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apps import loaded, write

from gateway import metrics
from gateway.app import App
from gateway.metrics import Family, Type

SAMPLE = re.compile(r'hazgate_[a-z_]+(\{([a-z]+="(\\.|[^"\\])*",?)+\})? -?[0-9.e+]+')


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A gateway's parts, built and not started."""
    made = App(loaded(write(tmp_path)))
    yield made
    made.spool.file.close()
    made.journal._connection.close()
    made._lock.release()


def samples(app: App) -> dict[str, float]:
    lines = metrics.render(app.view).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def test_labels_are_escaped() -> None:
    family = Family("told", Type.GAUGE, "Told.", [({"words": 'a "quoted"\nline\\'}, 1.5)])
    assert list(family.lines()) == [
        "# HELP hazgate_told Told.",
        "# TYPE hazgate_told gauge",
        'hazgate_told{words="a \\"quoted\\"\\nline\\\\"} 1.5',
    ]


def test_a_large_count_keeps_every_digit() -> None:
    assert list(Family("x_total", Type.COUNTER, "X.", [({}, 123_456_789_012)]).lines())[-1] == "hazgate_x_total 123456789012"


def test_every_line_is_of_the_format_and_every_figure_has_help_and_type_once(app: App) -> None:
    text = metrics.render(app.view).decode()
    assert text.endswith("\n")
    named: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert (kind == "counter") == name.endswith("_total"), line
            named.append(name)
        elif line.startswith("# HELP "):
            assert line.endswith("."), line
        else:
            assert SAMPLE.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] == named[-1]
    assert len(named) == len(set(named)) > 20


async def test_it_counts_what_came_and_what_stands(app: App) -> None:
    for name, value in (("GT-1", 60.0), ("GT-2", 10.0), ("GT-9", 1.0)):
        app.pipeline.message("hazgate/v1/north/rtu-1/readings", json.dumps({"sensor": name, "value": value}).encode(), retained=False, token=0)
    app.pipeline.turn()
    found = samples(app)
    assert found['hazgate_alarms{site="north",tier="red",state="active_unacknowledged"}'] == 1
    assert found['hazgate_sensors{site="north"}'] == found['hazgate_sensors_heard{site="north"}'] == 2
    assert found['hazgate_sensors_sick{site="north"}'] == 0
    assert (found["hazgate_received_total"], found["hazgate_pending"], found["hazgate_balance_closes"]) == (3, 3, 1)
    assert found["hazgate_unidentified_total"] == 2
    assert found["hazgate_turns_total"] == 1
    assert (found["hazgate_link_up"], found["hazgate_ingesting"], found["hazgate_faults"]) == (0, 0, 0)
    await app.pipeline.stop()
