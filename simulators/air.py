"""The air of a zone: two well-mixed boxes, near the release and around it, washed out by ventilation.

The near-field/far-field model of exposure science (M. Nicas, Am. Ind. Hyg. Assoc. J. 57, 1996):

    d(mass near)/dt = release - exchange * (c_near - c_far)
    d(mass far)/dt  = exchange * (c_near - c_far) - ventilation * c_far

Within one step the equations are linear with constant coefficients and are solved exactly, so that results do not depend
on the length of the step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


KNOBS: Final = {"ventilation_m3_s": "ventilation", "exchange_m3_s": "exchange"}
"""What a scenario may change, and which of `Boxes` it is."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Geometry and air flows of a zone.

    near, far: volumes, m3. exchange: air between the boxes, m3/s. ventilation: fresh air through the far box, m3/s.
    radius: reach of the near field, m. wind: speed at which gas travels to a head, m/s. All above 0.
    """

    near: float
    far: float
    exchange: float
    ventilation: float
    radius: float
    wind: float


class Air:
    """How much gas hangs in the two boxes, kg. It starts clean."""

    def __init__(self, boxes: Boxes, seconds: float) -> None:
        """Prepare steps of `seconds`."""
        self._seconds = seconds
        self._mass: Matrix = np.zeros(2)
        self.vented = 0.0
        """Gas that the ventilation has carried off so far, kg."""
        self._set(boxes)

    def _set(self, boxes: Boxes) -> None:
        self._boxes = boxes
        inward, outward = boxes.exchange / boxes.near, boxes.exchange / boxes.far
        rates = np.array([[-inward, outward], [inward, -outward - boxes.ventilation / boxes.far]])
        self._inverse: Matrix = np.linalg.inv(rates)
        self._decay = _exponential(rates, self._seconds)

    def turn(self, knobs: Mapping[str, float]) -> None:
        """The wind turns, a fan stops: new air flows, by the names in KNOBS, from the next step on."""
        self._set(replace(self._boxes, **{KNOBS[knob]: value for knob, value in knobs.items()}))

    def step(self, released: float) -> None:
        """Let one step pass in which `released` kg came out evenly."""
        inflow = np.array([released / self._seconds, 0.0])
        steady = -self._inverse @ inflow
        after = steady + self._decay @ (self._mass - steady)
        stayed = self._inverse @ (after - self._mass - inflow * self._seconds)
        self.vented += float(stayed[1]) * self._boxes.ventilation / self._boxes.far
        self._mass = after

    @property
    def mass(self) -> float:
        """Gas in both boxes, kg. With `vented` it adds up to what was released."""
        return float(self._mass.sum())

    def near(self) -> float:
        """Concentration beside the release, kg/m3."""
        return float(self._mass[0]) / self._boxes.near

    def far(self) -> float:
        """Concentration in the rest of the zone, kg/m3."""
        return float(self._mass[1]) / self._boxes.far

    def at(self, distance: float) -> float:
        """Concentration `distance` m from the release, kg/m3: near field blending into far field.

        The bell shape exp(-(distance/radius)^2) is ours; the two boxes only fix its two ends.
        """
        share = math.exp(-((distance / self._boxes.radius) ** 2))
        return self.far() + (self.near() - self.far()) * share

    def travel(self, distance: float) -> float:
        """How long gas takes to a head `distance` m away, s."""
        return distance / self._boxes.wind


def _exponential(rates: Matrix, seconds: float) -> Matrix:
    """exp(rates * seconds) of a 2x2 matrix whose eigenvalues are real and distinct, as those of two coupled boxes are."""
    values, vectors = np.linalg.eig(rates)
    return np.asarray((vectors * np.exp(values * seconds)) @ np.linalg.inv(vectors), dtype=np.float64)
