"""What the integration tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.sink import Sink, webhook_sink


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A receiver of webhooks that takes everything."""
    async with webhook_sink() as running:
        yield running
