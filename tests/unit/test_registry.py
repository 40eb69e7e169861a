"""The one list of outside things: every entry can be loaded, and nothing is loaded that is not asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from adapters import registry
from adapters.codecs.frames import Names
from adapters.duck import DuckSettings
from adapters.influx import InfluxSettings
from alerts.ports import Permanent


@pytest.mark.parametrize("entry", registry.STORES, ids=lambda entry: entry.kind)
def test_every_kind_has_settings_that_name_it(entry: registry.Kind) -> None:
    settings, factory = entry.load()
    assert typing.get_type_hints(settings, include_extras=True)["kind"] == typing.Literal[entry.kind]
    assert callable(factory)


def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="there is no kind 'floppy'; there is duckdb, influxdb"):
        registry.open_store({"kind": "floppy"}, tmp_path, "epoch", Names())


def test_the_recorder_loads_no_network_client_and_no_models_of_sites() -> None:
    """Gateway and recorder share 200 MiB: the recorder imports what it needs and no more."""
    code = "import sys, gateway.recorder, adapters.duck; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"fastapi", "httpx", "pandas", "paho", "pyarrow", "rich", "uvicorn", "alerts.site", "gateway.settings", "duckdb", "pydantic"}


def test_settings_travel_to_another_process_as_plain_values_and_secrets_as_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAZGATE_TEST_SECRET", "hunter2")
    given = {"kind": "influxdb", "version": 2, "url": "http://127.0.0.1:8086", "org": "o", "bucket": "b", "token": {"env": "HAZGATE_TEST_SECRET"}}
    settings = InfluxSettings.model_validate(given)
    plain = json.dumps(registry.plain(settings))
    assert "hunter2" not in plain
    assert InfluxSettings(**json.loads(plain)) == settings
    assert registry.plain(DuckSettings()) == {"kind": "duckdb"}


def test_the_settings_of_every_store_load_no_client() -> None:
    """The gateway process reads the settings of all stores and opens none."""
    code = "import sys, gateway.settings; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"duckdb", "influxdb_client", "reactivex", "urllib3"}
