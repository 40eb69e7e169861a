"""A checkpoint of detection at rest: arrays by name, the sensors they belong to, and what recognizes repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray


class _Array(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    body: bytes


class _Wire(msgspec.Struct, array_like=True):
    names: list[tuple[str, str]]
    arrays: dict[str, _Array]
    memory: list[tuple[int, int, int, float]]


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint as read: `names[k]` is the (site, sensor) of row k in every array; memory as admission gave it."""

    names: list[tuple[str, str]]
    arrays: dict[str, NDArray[np.generic]]
    memory: list[tuple[int, int, int, float]]


def encode(names: Sequence[tuple[str, str]], arrays: Mapping[str, NDArray[np.generic]], memory: Sequence[tuple[int, int, int, float]]) -> bytes:
    """One checkpoint as bytes."""
    packed = {name: _Array(array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}
    return msgspec.msgpack.encode(_Wire(list(names), packed, list(memory)))


def decode(body: bytes) -> Saved:
    """The checkpoint again. Raises ValueError for bytes that are none."""
    wire = msgspec.msgpack.decode(body, type=_Wire)
    arrays = {name: np.frombuffer(a.body, np.dtype(a.dtype)).reshape(a.shape) for name, a in wire.arrays.items()}
    return Saved(wire.names, arrays, wire.memory)
