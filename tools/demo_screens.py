"""Plays the demos and draws their live view, a moment before something is done about the incident, into docs/sites/screens/.

Run as `make demo-screens`, or with names of demos for those alone. Each picture is the real view of a real run: broker, gateway,
simulators and officer as `hazgate demo` starts them, at the size of a terminal of 110 columns and 34 lines. A run that ends
otherwise than it should leaves the old picture. The times of day in it are those of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import sys
from html import escape, unescape
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from adapters.clock import SystemClock
from alerts.reading import SECOND
from gateway.api.models import AlarmBody
from gateway.cli.demo import planned
from gateway.demo import screen
from gateway.demo.incident import Stage
from gateway.demo.picture import Picture
from gateway.demo.play import Demo
from simulators.scenario import load
from simulators.shipped import DEFAULT, Shipped, shipped

SCREENS: Final = Path(__file__).resolve().parents[1] / "docs" / "sites" / "screens"
WIDTH, HEIGHT = 110, 34
BEFORE: Final = 3 * SECOND // 2
"""Before something is done: late enough for the officer to have begun, and early enough for something to wait for an answer."""
AT_ONCE: Final = 3
"""Demos that play at the same time."""
FONTS: Final = '"DejaVu Sans Mono", "Noto Sans Mono CJK SC", Menlo, Consolas, monospace'
"""Those of the machine that shows the picture: rich would have them fetched from the network."""
TEXT: Final = re.compile(r'(<text [^>]*textLength=)"([\d.]+)"([^>]*>)([^<]*)</text>')
FETCHED: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Photographer:
    """Watches a demo and keeps its view at a moment, `after` ns of the site's life."""

    def __init__(self, picture: Picture, after: int) -> None:
        self.view: list[Text] = []
        self.words = ""
        self._picture = picture
        self._after = after
        self._clock = SystemClock()

    def say(self, sentence: str) -> None:
        """Nothing of it belongs to the view."""

    def look(self) -> None:
        """Keep the view if it is time."""
        began, now = self._picture.incident.began, self._clock.now()
        if not self.view and began is not None and now >= began + self._after:
            self.view = screen.draw(self._picture, now, WIDTH, HEIGHT)
            self.words = described(self._picture, (now - began) // SECOND)


def pictured() -> list[Shipped]:
    """The demos of which there is a picture: those whose scenarios were made to be watched."""
    return [each for each in shipped() if each.made_for_demo]


def described(picture: Picture, seconds: int) -> str:
    """What the officer sees at that moment, for the page and for readers who see no picture."""
    incident = picture.incident
    course = (Stage.TROUBLE, Stage.DETECTED, Stage.TOLD, Stage.ACKNOWLEDGED)
    reached = [
        f"{incident.names[stage]} after {(incident.reached[stage] - (incident.began or 0)) / SECOND:.0f} s" for stage in course if stage in incident.reached
    ]
    leads = [f"{alarm.alarm} {alarm.tier}, {_answer(alarm)}" for alarm in picture.alarms if alarm.lead]
    zones = [f"{zone.name} {zone.color}" for zone in (picture.site.zones if picture.site else [])]
    return f"{seconds} s after the beginning: {', '.join(reached)}. On the list: {'; '.join(leads)}. Zones: {', '.join(zones)}."


def _answer(alarm: AlarmBody) -> str:
    return "waiting for an answer" if alarm.state.unacknowledged else f"acknowledged by {alarm.acknowledged_by}"


def svg(name: str, view: list[Text], words: str) -> str:
    """The view as it looks on a terminal, with its description."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True, color_system="truecolor", legacy_windows=False)
    console.print(*view, sep="\n")
    title = "hazgate demo" if name == DEFAULT else f"hazgate demo {name}"
    drawn = FETCHED.sub("", console.export_svg(title=title, unique_id=f"screen-{name}"))
    drawn = TEXT.sub(_measured, drawn).replace("Fira Code, monospace", FONTS)
    return drawn.replace("<style>", f"<title>{title}</title>\n    <desc>{escape(words)}</desc>\n    <style>", 1)


def _measured(text: re.Match[str]) -> str:
    """The text with its true length: rich counts characters where Chinese ones take two cells."""
    before, length, between, shown = text.groups()
    plain = unescape(shown)
    return f'{before}"{float(length) / max(1, len(plain)) * cell_len(plain):g}"{between}{shown}</text>'


async def take(chosen: Shipped, turn: asyncio.Semaphore) -> str:
    """Play one demo and write its picture; what went wrong, in a sentence, or nothing."""
    script = load(chosen.path).script
    plan, plot = planned(chosen, plot_seconds := script.duration // SECOND)
    picture = Picture(plot)
    photographer = Photographer(picture, script.timeline[2].at - BEFORE)
    async with turn:
        sys.stderr.write(f"{chosen.name}: {plot_seconds} s\n")
        outcome = await Demo(plan, picture, photographer).run(contextlib.nullcontext())
    if outcome.reasons:
        return f"{chosen.name}: {'; '.join(outcome.reasons)}"
    (SCREENS / f"{chosen.name}.svg").write_text(svg(chosen.name, photographer.view, photographer.words), encoding="utf-8")
    return ""


async def main(names: list[str]) -> int:
    """Take the pictures of these demos, or of all; the exit status."""
    SCREENS.mkdir(exist_ok=True)
    turn = asyncio.Semaphore(AT_ONCE)
    wrong = await asyncio.gather(*(take(each, turn) for each in pictured() if not names or each.name in names))
    sys.stderr.writelines(f"{sentence}\n" for sentence in wrong if sentence)
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
