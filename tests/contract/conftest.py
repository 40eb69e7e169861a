"""Servers that the suites of the ports share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.stores import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Real databases, each started when a test first asks for it."""
    with contextlib.ExitStack() as stack:
        yield Servers(stack)
