"""The files in deploy/grafana: sound, fitting together, and every query answered by a real InfluxDB out of what the store wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.recording import readings
from support.stores import Servers

from adapters.clock import SystemClock
from adapters.codecs.frames import Names
from adapters.codecs.line_protocol import FIELDS, MEASUREMENT, TAGS
from adapters.influx import InfluxStore
from alerts.ports import Frame
from alerts.reading import SECOND

GRAFANA = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "hazgate.json").read_text(encoding="utf-8"))
TARGETS = {f"{panel['title']} {target['refId']}": target["query"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
VARIABLES = {variable["name"]: variable["query"] for variable in DASHBOARD["templating"]["list"]}


def provisioned(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((GRAFANA / "provisioning" / name / "hazgate.yaml").read_text(encoding="utf-8"))
    return found


def test_every_panel_reads_from_the_datasource_that_is_provisioned() -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert (source["type"], source["jsonData"]["version"]) == ("influxdb", "InfluxQL")
    used = [holder["datasource"] for panel in DASHBOARD["panels"] for holder in (panel, *panel["targets"])]
    used += [variable["datasource"] for variable in DASHBOARD["templating"]["list"]]
    assert {(one["type"], one["uid"]) for one in used} == {("influxdb", source["uid"])}


def test_no_secret_stands_in_the_files_and_every_variable_is_explained() -> None:
    text = (GRAFANA / "provisioning" / "datasources" / "hazgate.yaml").read_text(encoding="utf-8")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    names = set(re.findall(r"\$(\w+)", "\n".join(line for line in text.splitlines() if not line.startswith("#"))))
    assert names == {"INFLUX_URL", "INFLUX_DATABASE", "INFLUX_TOKEN"}
    assert all(f"${name}" in comments for name in names)


def test_panels_do_not_lie_on_each_other_and_have_ids_of_their_own() -> None:
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("query", [*TARGETS.values(), *VARIABLES.values()], ids=[*TARGETS, *VARIABLES])
def test_a_query_names_nothing_but_the_schema(query: str) -> None:
    named = set(re.findall(r'"(\w+)"', query)) - set(re.findall(r'AS "(\w+)"', query))
    assert named <= {MEASUREMENT, *TAGS, *FIELDS}
    assert set(re.findall(r"\$(\w+)", query)) <= {*VARIABLES, "timeFilter", "__interval"}


@pytest.fixture(scope="module")
def database(servers: Servers) -> str:
    """Two sensors in two zones with a reading in each of the last 20 seconds."""
    made = servers.influxd.create()
    known = Names({"north": {"GT-1": ("pumps", "rtu-1", "combustible_gas"), "PT-1": ("tanks", "rtu-2", "pressure")}})
    known.find("north", "GT-1")
    known.find("north", "PT-1")
    now = SystemClock().now()
    given = readings(*((n % 2, 0.0, float(n)) for n in range(40)))
    given.time[:] = [now - n // 2 * SECOND for n in range(40)]
    InfluxStore(servers.influxd.settings(made), GRAFANA, "spool-1", known).write([Frame(1, given)])
    return made


def as_grafana_asks(query: str) -> str:
    """With `All` chosen for every variable, over the last six hours."""
    query = query.replace("$timeFilter", "time >= now() - 6h").replace("$__interval", "10s")
    return re.sub(r"\$(site|zone|sensor)", ".*", query)


@pytest.mark.parametrize("query", TARGETS.values(), ids=TARGETS)
def test_every_panel_shows_both_sensors_or_zones(query: str, servers: Servers, database: str) -> None:
    series = servers.influxd.ask(database, as_grafana_asks(query))
    assert {one["tags"].get("zone") or one["tags"]["sensor"] for one in series} in ({"pumps", "tanks"}, {"GT-1", "PT-1"})
    assert all(any(value is not None for row in one["values"] for value in row[1:]) for one in series)


@pytest.mark.parametrize(("name", "values"), [("site", {"north"}), ("zone", {"pumps", "tanks"}), ("sensor", {"GT-1", "PT-1"})])
def test_the_variables_offer_what_there_is(name: str, values: set[str], servers: Servers, database: str) -> None:
    (series,) = servers.influxd.ask(database, as_grafana_asks(VARIABLES[name]))
    assert {value for _, value in series["values"]} == values
