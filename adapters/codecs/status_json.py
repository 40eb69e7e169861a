"""A device's status as JSON: `{"online": true}`, also left as its will."""

from __future__ import annotations

from typing import Final

import msgspec


class _Status(msgspec.Struct):
    online: bool


_DECODER: Final = msgspec.json.Decoder(_Status)


def decode_status(payload: bytes) -> bool | None:
    """Whether the device says it is there; None for a payload that says neither."""
    try:
        return _DECODER.decode(payload).online
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
