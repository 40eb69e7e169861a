"""What `hazgate demo` can play, and what it says of anything else."""

from __future__ import annotations

import pytest

from gateway.cli.demo import planned
from gateway.cli.main import main
from simulators.scenario import load
from simulators.shipped import FOLDER, playable, shipped

MADE_FOR_IT = ["demo", "ammonia", "boiler", "circuits", "confined-space", "fire-water", "tank-farm"]


def test_every_shipped_scenario_is_listed_and_the_ones_made_to_be_watched_come_first() -> None:
    assert {each.path for each in shipped()} == set(FOLDER.glob("*.yaml"))
    assert [each.name for each in shipped()][: len(MADE_FOR_IT)] == MADE_FOR_IT
    assert [each.name for each in shipped() if each.made_for_demo] == MADE_FOR_IT


@pytest.mark.parametrize("name", [each.name for each in shipped() if each.live])
def test_a_scenario_that_plays_in_real_time_can_be_watched(name: str) -> None:
    chosen = playable(name)
    plan, plot = planned(chosen, None)
    assert load(chosen.path).script.live
    assert plan.site_file.is_file()
    assert plot.phases[0] == "quiet"


def test_one_made_to_be_watched_is_over_within_a_minute_and_a_half_and_says_what_is_done_about_it() -> None:
    for name in MADE_FOR_IT:
        script = load(playable(name).path).script
        assert script.duration <= 90 * 10**9, name
        assert len(script.timeline) >= 3, name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tank-overfill", "tank-overfill does not play in real time, only with hazgate simulate"),
        ("amonia", "did you mean ammonia?"),
        ("tank-farm-demo", "did you mean tank-farm?"),
        ("?", "there are demo, ammonia, boiler"),
    ],
)
def test_any_other_name_is_refused_with_what_there_is(name: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["demo", name])
    assert said in capsys.readouterr().err


def test_the_help_lists_them_with_their_titles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["demo", "--help"])
    said = capsys.readouterr().out
    for each in shipped():
        assert (f"  {each.name:<19}{each.title}\n" in said) == each.live
