"""Servers that the suites of the ports share, and the table of what the store suite ran against."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from support.stores import Servers
from support.suite import CONFIG_LINE, table


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Real databases, each started when a test first asks for it."""
    with contextlib.ExitStack() as stack:
        yield Servers(stack)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the store suite."""
    config.addinivalue_line("markers", CONFIG_LINE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the store suite ran against."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome) if report.when == "call"]
    lines = list(table(reports))
    if lines:
        terminalreporter.write_sep("=", "store suite: tests by capability and store")
        terminalreporter.write_line("\n".join(lines))
