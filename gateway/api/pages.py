"""Lists are answered in pages, each small enough that encoding it holds up no alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import Query
from fastapi.responses import Response

MOST_BYTES: Final = 60 * 1024
"""Of one answer: the loop encodes nothing over 64 KiB at once."""
T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=500, description="items of a page; fewer come where they would be more than 60 KiB")]
Offset = Annotated[int, Query(ge=0, description="where the page begins; `next_offset` of the page before")]


def page(name: str, items: Sequence[T], encode: Callable[[T], bytes], *, offset: int, limit: int) -> Response:
    """The items from `offset` on, as many as fit, under the key `name`; and how many there are in all."""
    parts = fitting(items[offset : offset + limit], encode)
    end = offset + len(parts)
    more = end < len(items)
    return raw({name: array(parts), "total": len(items), "truncated": more, "next_offset": end if more else None})


def fitting(items: Iterable[T], encode: Callable[[T], bytes]) -> list[bytes]:
    """The first items, encoded: as many as fit into an answer, and at least one."""
    parts: list[bytes] = []
    size = 0
    for item in items:
        part = encode(item)
        size += len(part) + 1
        if parts and size > MOST_BYTES:
            break
        parts.append(part)
    return parts


def array(parts: Iterable[bytes]) -> bytes:
    """A JSON array of values that are JSON already."""
    return b"[" + b",".join(parts) + b"]"


def raw(members: dict[str, object]) -> Response:
    """A JSON object; values that are bytes are JSON already."""
    marked = {key: msgspec.Raw(value) if isinstance(value, bytes) else value for key, value in members.items()}
    return Response(msgspec.json.encode(marked), media_type="application/json")
