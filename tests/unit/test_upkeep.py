"""How long the disk lasts, and when somebody is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.apps import loaded, write

from alerts.alarm import Condition
from gateway.app import App
from gateway.upkeep import AT_LEAST, DAY, FOREVER, FULL, Forecast

HOUR = DAY // 24
GIB = 2**30


def seen(*samples: tuple[int, float]) -> Forecast:
    """A forecast that saw so many GiB free at so many hours."""
    forecast = Forecast(None)
    for hour, free in samples:
        forecast.note(hour * HOUR, int(free * GIB))
    return forecast


def test_nothing_is_said_before_growth_was_seen_for_an_hour() -> None:
    assert Forecast(None).days_left() is None
    assert seen((5, 100)).days_left() is None
    forecast = seen((5, 100))
    forecast.note(5 * HOUR + AT_LEAST - 1, 90 * GIB)
    assert forecast.days_left() is None
    forecast.note(5 * HOUR + AT_LEAST, 90 * GIB)
    assert forecast.days_left() is not None


def test_the_days_left_are_what_is_free_over_what_a_day_takes() -> None:
    assert seen((0, 110), (12, 105), (24, 100)).days_left() == pytest.approx(10)
    assert seen((0, 101), (6, 100)).days_left() == pytest.approx(25)


def test_only_the_last_24_hours_count() -> None:
    assert seen((0, 900), (24, 110), (48, 100)).days_left() == pytest.approx(10)


def test_a_disk_that_does_not_fill_lasts_for_ever() -> None:
    assert seen((0, 100), (24, 120)).days_left() == FOREVER
    assert seen((0, 100), (24, 100)).days_left() == FOREVER


def test_a_full_disk_does_not_grow_and_has_no_day_left() -> None:
    forecast = Forecast(None)
    forecast.note(0, FULL - 1)
    assert forecast.days_left() == 0


def test_what_was_seen_outlives_a_restart_and_a_clock_that_was_set_back() -> None:
    again = Forecast(seen((0, 110), (24, 100)).text)
    assert again.days_left() == pytest.approx(10)
    again.note(-5 * HOUR, 100 * GIB)
    assert again.days_left() is None


async def test_less_than_two_weeks_raise_disk_low_and_15_days_end_it(tmp_path: Path) -> None:
    app = App(loaded(write(tmp_path)))
    forecast = app.upkeep.forecast
    stands: list[bool] = []
    for day, left in enumerate((20.0, 14.5, 13.5, 14.5, 15.5)):
        forecast.note(2 * day * DAY, int((left + 1) * GIB))
        forecast.note((2 * day + 1) * DAY, int(left * GIB))
        app.upkeep.judge()
        app.pipeline.turn()
        stands.append(Condition.DISK_LOW in app.core.own())
    assert stands == [False, False, True, True, False]
    await app.pipeline.stop()
    app.spool.file.close()
    app.journal._connection.close()
    app._lock.release()
