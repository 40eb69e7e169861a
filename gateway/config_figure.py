"""A number that stands in a data file of the product, with where it comes from."""

from __future__ import annotations

from typing import Literal

from alerts.site import Day, Flag, Model, Number, Text

Mark = Literal["V", "S", "M"]
"""V: seen in the standard itself. S: quoted by a secondary source. M: our own choice, no claim of conformity."""


class Reviewed(Model):
    """Who confirmed a number, and when."""

    by: Text
    date: Day


class Figure(Model):
    """One number of a profile, with where it comes from.

    `value` is in the profile's first unit, or a span or rate as text; `of` makes it a percentage of the sensor's span
    or of its lowest upper limit.
    """

    value: Number | Flag | str
    of: Literal["span", "limit"] | None = None
    source: Text
    edition: Text
    mark: Mark
    reviewed: Reviewed | None
