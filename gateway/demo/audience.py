"""Who watches the demo: a reader of plain lines, or a live screen."""

from __future__ import annotations

import sys
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from adapters.clock import SystemClock
from alerts.reading import SECOND
from gateway.demo import screen
from gateway.demo.picture import Picture


class Reader:
    """Plain lines on stderr: each note of the picture, with the seconds since the site came to life."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._shown = 0
        _write(picture.plot.notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.look()

    def say(self, sentence: str) -> None:
        """Something about the demo itself."""
        _write(sentence)

    def look(self) -> None:
        """Write what is new."""
        picture = self._picture
        fresh = picture.notes - self._shown
        self._shown = picture.notes
        for note in list(picture.feed)[-fresh:] if fresh else []:
            began = picture.incident.began
            _write(f"{(note.at - (began or note.at)) / SECOND:6.1f} s  {note.text}")


def _write(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Screen:
    """A live view on the terminal's alternate screen, drawn anew at every look; it follows the terminal's size."""

    def __init__(self, picture: Picture, console: Console) -> None:
        self._picture = picture
        self._console = console
        self._clock = SystemClock()
        self._live = Live(self, console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        console.print(picture.plot.notice, highlight=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, sentence: str) -> None:
        """Something about the demo itself, before the view opens."""
        self._console.print(sentence, highlight=False, markup=False)

    def look(self) -> None:
        """Draw."""
        self._live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The view at the terminal's present size."""
        yield from screen.draw(self._picture, self._clock.now(), options.max_width, options.height or console.height)
