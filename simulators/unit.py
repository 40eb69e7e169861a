"""What every piece of plant has in common: quantities that sensors read, knobs that a scenario turns, and a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar


class Unit(ABC):
    """A piece of plant. It holds no randomness, and its quantities and knobs are attributes of the names given here.

    QUANTITIES: what can be measured, with its unit. KNOBS: what a phase of a scenario may set, any time.
    """

    QUANTITIES: ClassVar[Mapping[str, str]]
    KNOBS: ClassVar[frozenset[str]]

    @abstractmethod
    def step(self, seconds: float) -> None:
        """Advance by `seconds`, with every knob where it stands."""

    def truth(self, quantity: str) -> Callable[[], float]:
        """A function that gives the present value of one of QUANTITIES."""
        return partial(getattr, self, quantity)

    def turn(self, knobs: Mapping[str, float]) -> None:
        """Set some of KNOBS."""
        for knob, value in knobs.items():
            setattr(self, knob, value)
