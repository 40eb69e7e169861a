"""The one list of outside things: every entry can be loaded, and nothing is loaded that is not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from adapters import registry
from adapters.codecs.frames import Names
from alerts.ports import Permanent


@pytest.mark.parametrize("entry", registry.STORES, ids=lambda entry: entry.kind)
def test_every_kind_has_settings_that_name_it(entry: registry.Kind) -> None:
    settings, factory = entry.load()
    assert settings().kind == entry.kind
    assert callable(factory)


def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="there is no kind 'floppy'; there is duckdb"):
        registry.open_store({"kind": "floppy"}, tmp_path, "epoch", Names())


def test_the_recorder_loads_no_network_client_and_no_models_of_sites() -> None:
    """Gateway and recorder share 200 MiB: the recorder imports what it needs and no more."""
    code = "import sys, gateway.recorder, adapters.duck; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"fastapi", "httpx", "pandas", "paho", "pyarrow", "rich", "uvicorn", "alerts.site", "gateway.settings", "duckdb", "pydantic"}
