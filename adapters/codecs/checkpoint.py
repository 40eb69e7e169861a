"""A checkpoint of detection at rest: arrays by name, the sensors they belong to, what recognizes repeats, and running catch-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.detect.past import Memory


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    body: bytes


class _Wire(msgspec.Struct, array_like=True):
    names: list[tuple[str, str]]
    arrays: dict[str, _Array]
    memory: list[tuple[int, int, int, float]]
    past: Memory = []
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds.

    `names[k]` is the (site, sensor) of row k in every array. memory: as admission gave it. past: catch-ups, as their
    detector gave them. sequence: the journal's last number when it was taken; what has a higher one was decided later.
    """

    names: list[tuple[str, str]]
    arrays: Mapping[str, NDArray[np.generic]]
    memory: list[tuple[int, int, int, float]]
    past: Memory
    sequence: int


def encode(saved: Saved) -> bytes:
    """One checkpoint as bytes."""
    packed = {name: _Array(array.dtype.str, array.shape, array.tobytes()) for name, array in saved.arrays.items()}
    return msgspec.msgpack.encode(_Wire(saved.names, packed, saved.memory, saved.past, saved.sequence))


def decode(body: bytes) -> Saved:
    """The checkpoint again. Raises ValueError for bytes that are none."""
    wire = msgspec.msgpack.decode(body, type=_Wire)
    arrays = {name: np.frombuffer(a.body, np.dtype(a.dtype)).reshape(a.shape) for name, a in wire.arrays.items()}
    return Saved(wire.names, arrays, wire.memory, wire.past, wire.sequence)
