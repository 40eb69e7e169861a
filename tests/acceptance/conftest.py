"""A broker and a receiver of messages for each acceptance test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.servers import Mosquitto, mosquitto
from support.sink import Sink, webhook_sink


@pytest.fixture
async def broker() -> AsyncIterator[Mosquitto]:
    """A mosquitto of its own."""
    async with mosquitto() as server:
        yield server


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A receiver of webhooks that takes everything."""
    async with webhook_sink() as server:
        yield server
