"""The status of a device (`{"online": true}`, also left as its will) and of a gateway as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec


class _Status(msgspec.Struct):
    online: bool


class _GatewayStatus(msgspec.Struct):
    boot: str
    at: datetime


class GatewayStatus(msgspec.Struct, frozen=True):
    """Which start of a gateway (`boot`) said when (`at`, ns) that it is there."""

    boot: str
    at: int


_DECODER: Final = msgspec.json.Decoder(_Status)
_OF_GATEWAYS: Final = msgspec.json.Decoder(_GatewayStatus)


def decode_status(payload: bytes) -> bool | None:
    """Whether the device says it is there; None for a payload that says neither."""
    try:
        return _DECODER.decode(payload).online
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode_gateway_status(payload: bytes) -> GatewayStatus | None:
    """What a gateway says that is there; None for one that says it is gone, and for anything else."""
    try:
        found = _OF_GATEWAYS.decode(payload)
        return GatewayStatus(found.boot, round(found.at.timestamp() * 1000) * 1_000_000)
    except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError):
        return None
