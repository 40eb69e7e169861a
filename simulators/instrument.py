"""What an instrument makes of the truth: delay, lag, noise, resolution, the ends of its scale."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np

T90_CONSTANTS: Final = math.log(10)
"""How many time constants a first-order lag needs for 90 % of a step: T90 = tau ln 10, tau = T90 / 2.303."""

BLOCK: Final = 512
"""Random numbers drawn at once; one by one they would cost more than all the rest of a reading."""


class Lag:
    """A first-order lag, exact for inputs that are constant over a step."""

    def __init__(self, t90: float, seconds: float, start: float = 0.0) -> None:
        """Reach 90 % of a step after `t90` s, moving in steps of `seconds`. A `t90` of 0 follows at once."""
        self._share = 1.0 if t90 <= 0 else 1 - math.exp(-seconds * T90_CONSTANTS / t90)
        self.value = start

    def step(self, target: float) -> float:
        """The output after one more step with `target` as input."""
        self.value += (target - self.value) * self._share
        return self.value


class Delay:
    """A transport delay: what goes in comes out `delay` later."""

    def __init__(self, delay: float, seconds: float, start: float = 0.0) -> None:
        """Delay by `delay` s, rounded to whole steps of `seconds`."""
        self._held: deque[float] = deque([start] * round(delay / seconds))

    def step(self, value: float) -> float:
        """Push in `value`, take out the oldest."""
        self._held.append(value)
        return self._held.popleft()


class Dial:
    """The reading end of an instrument: Gaussian noise, a resolution, a scale that ends.

    `noise` (one standard deviation) and `resolution` are in the instrument's unit; `scale` is its range.
    """

    def __init__(self, rng: np.random.Generator, scale: tuple[float, float], noise: float, resolution: float) -> None:
        self._rng = rng
        self._scale = scale
        self._noise = noise
        self._resolution = resolution
        self._digits = max(0, 2 - math.floor(math.log10(resolution)))
        self._drawn: list[float] = []

    def read(self, truth: float) -> float:
        """One reading of `truth`, rounded to the resolution and held within the scale."""
        if not self._drawn:
            self._drawn = self._rng.standard_normal(BLOCK)[::-1].tolist()
        noisy = truth + self._noise * self._drawn.pop()
        rounded = round(round(noisy / self._resolution) * self._resolution, self._digits)
        return min(self._scale[1], max(self._scale[0], rounded))
