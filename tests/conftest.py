"""What every test gets: tests/ importable as `support.…`, the product's event loop, and a look for what was left running."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))
# a busy machine makes no test false
settings.register_profile("hazgate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hazgate")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests run on uvloop, as the gateway does."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def _settled() -> AsyncIterator[None]:
    """After the test and all its other fixtures: no task is left, after the few turns of the loop a cancelled one needs."""
    yield
    for _ in range(10):
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if not left:
            return
        await asyncio.sleep(0)
    pytest.fail(f"tasks left running: {', '.join(sorted(task.get_name() for task in left))}")


@pytest.fixture(autouse=True)
def _no_task_left(request: pytest.FixtureRequest) -> None:
    if inspect.iscoroutinefunction(getattr(request.node, "function", None)):
        request.getfixturevalue("_settled")
