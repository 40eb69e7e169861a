"""docs/sites.md and its pictures are those of the scenarios that are shipped; `make site-pages` writes them anew."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from rich.cells import cell_len

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "simulators" / "scenarios").glob("*.yaml"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "tools" / "site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_scenarios_say(pages: ModuleType) -> None:
    assert (ROOT / "docs" / "sites.md").read_text(encoding="utf-8") == pages.page(), "run `make site-pages`"


def test_there_is_a_picture_of_each_scenario_and_of_nothing_else() -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / "sites").glob("*.svg")) == NAMES, "run `make site-pages`"


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_the_sensors_whose_alarms_must_come(pages: ModuleType, name: str) -> None:
    drawing = ET.parse(ROOT / "docs" / "sites" / f"{name}.svg").getroot()
    scenario = next(scenario for scenario in pages.scenarios() if scenario.name == name)
    shown = [str(text.text).split()[0] for text in drawing.iter(f"{SVG}text")]
    sensors = {sensor["id"] for sensor in scenario.site["sensors"]}
    musts = [source for must in scenario.musts if (source := must["alarm"].partition(".")[0]) in sensors]
    assert 0 < len(shown) <= pages.PANELS
    assert set(dict.fromkeys(musts).keys()) <= set(shown) or len(set(musts)) > pages.PANELS
    assert "nan" not in (ROOT / "docs" / "sites" / f"{name}.svg").read_text(encoding="utf-8")


DEMOS = sorted(name.removesuffix("-demo") for name in NAMES if f"-{name}".endswith("-demo"))


def test_there_is_a_view_of_each_demo_and_of_nothing_else() -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / "sites" / "screens").glob("*")) == DEMOS, "run `make demo-screens`"


@pytest.mark.parametrize("name", DEMOS)
def test_a_view_shows_and_tells_of_an_alarm_that_must_come_and_needs_nothing_from_elsewhere(pages: ModuleType, name: str) -> None:
    file = ROOT / "docs" / "sites" / "screens" / f"{name}.svg"
    view = ET.parse(file).getroot()
    (words,) = [str(each.text) for each in view.findall(f"{SVG}desc")]
    (scenario,) = [each for each in pages.scenarios() if each.demo == name]
    told = [must["alarm"] for must in scenario.musts if must["alarm"] in words]
    assert told
    shown = "".join("".join(text.itertext()) for text in view.iter(f"{SVG}text")).replace("\xa0", " ")
    assert all(alarm in shown for alarm in told)
    assert "SIMULATION" in shown
    assert scenario.site["name"] in shown
    assert "url(" not in file.read_text(encoding="utf-8").replace("url(#", "")


def test_text_of_a_view_is_as_long_as_its_cells() -> None:
    """Chinese characters take two; a length that counts characters would squeeze them."""
    view = ET.parse(ROOT / "docs" / "sites" / "screens" / "ammonia.svg").getroot()
    measured = [(float(text.attrib["textLength"]), cell_len(str(text.text))) for text in view.iter(f"{SVG}text") if "textLength" in text.attrib]
    assert {round(length / cells, 1) for length, cells in measured if cells} == {12.2}


def test_a_span_is_read_as_the_files_write_it(pages: ModuleType) -> None:
    assert [pages.seconds(written) for written in ("90s", "2m", "1h30m", "24h", 45, 0.5)] == [90, 120, 5400, 86400, 45, 0.5]
