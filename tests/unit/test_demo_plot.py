"""What the demo tells before it begins: where its site is faster than a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.offline import site_file

from gateway.demo.plot import NOT, Plot, haste

SITES = Path(__file__).parents[2] / "simulators" / "sites"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo", ("off-delays to 5 s",)),
        ("tank-farm-demo", ("off-delays to 5 s", "on-delays to 1 to 2 s")),
        ("fire-water-demo", ("off-delays to 5 s", "on-delays to 1 s")),
        ("tank-farm", ("off-delays to 15 s", "on-delays to 5 s")),
        ("sewage-pit", ("off-delays to 15 s",)),
    ],
)
def test_the_haste_of_a_site_is_the_delays_that_are_shorter_than_their_kind_has(name: str, expected: tuple[str, ...]) -> None:
    assert haste(site_file(SITES / f"{name}.yaml")) == expected


def plot(*hurried: str) -> Plot:
    """A short scenario at such a site."""
    return Plot("A leak", ("quiet", "leak"), 45, hurried)


def test_the_notice_says_what_is_shortened_and_how_long_it_takes() -> None:
    notice = plot("off-delays to 5 s", "on-delays to 1 to 2 s").notice
    assert "no real site is guarded. Its off-delays are shortened to 5 s, on-delays to 1 to 2 s, so that the incident is over within 45 s." in notice
    assert "not a gas detection and alarm system" in notice


def test_a_site_with_the_delays_of_its_kinds_needs_no_word_about_them() -> None:
    assert "shortened" not in plot().notice
    assert plot().banner(80) == f" SIMULATION · {NOT}"


@pytest.mark.parametrize("width", [80, 110, 200])
def test_what_it_is_not_is_never_cut_off(width: int) -> None:
    line = plot("off-delays to 5 s", "on-delays to 1 to 2 s").banner(width)
    assert line.endswith(NOT)
    assert "shortened" in line
    assert len(line) <= width
