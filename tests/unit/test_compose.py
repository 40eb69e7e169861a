"""docker-compose.yml, read as an engine would. No engine runs here: what is held is what can be read off the file."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from adapters.influx import InfluxSettings
from gateway.cli import main
from gateway.config import Config, load

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KEYS = {
    "build",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "network_mode",
    "profiles",
    "restart",
    "stop_grace_period",
    "volumes",
}
"""What a service may have here; a misspelt key would be an engine's to find, at the site."""


def mounts(service: str) -> dict[PurePosixPath, str]:
    """Where in the container, and what is there: a path in the repository or the name of a volume."""
    found = {}
    for mount in SERVICES[service].get("volumes", []):
        source, target, *mode = mount.split(":")
        assert mode == (["ro"] if source.startswith(".") else []), mount
        found[PurePosixPath(target)] = source
    return found


def outside(service: str, inside: str) -> Path:
    """The file of the repository that a path inside a container leads to."""
    path = PurePosixPath(inside)
    for target, source in mounts(service).items():
        if path.is_relative_to(target):
            return ROOT / source / path.relative_to(target)
    pytest.fail(f"{service} mounts nothing at {inside}")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_written_with_known_keys_and_comes_back_after_a_crash(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert ("image" in service) != ("build" in service)
    assert service["restart"] == "unless-stopped"
    assert service["network_mode"] == "host"
    assert set(service.get("depends_on", [])) <= set(SERVICES) - {name}
    assert all(isinstance(value, str) for value in service.get("environment", {}).values())
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", service.get("image", "pinned:1.0")), "an image without its version is another one tomorrow"


def test_no_service_that_always_runs_needs_one_that_does_not() -> None:
    on_demand = {name for name, service in SERVICES.items() if service.get("profiles")}
    assert {needed for name in set(SERVICES) - on_demand for needed in SERVICES[name].get("depends_on", [])} & on_demand == set()


def test_a_password_comes_from_outside_and_has_no_default() -> None:
    """A service that runs on demand cannot insist on its password without every other start insisting on it too."""
    written = re.findall(r"\$\{(\w+)([^}]*)\}", TEXT)
    assert written
    assert {rest for name, rest in written if name != "SIMULATOR_PASSWORD"} == {":?see docs/deploy.md"}
    assert {rest for name, rest in written if name == "SIMULATOR_PASSWORD"} == {":-"}


def test_the_gateway_finds_its_files_where_its_image_looks_and_they_fit(tmp_path: Path) -> None:
    config = outside("gateway", "/etc/hazgate/hazgate.yaml")
    for inside in ("hazgate.yaml", *yaml.safe_load(config.read_text(encoding="utf-8"))["sites"]):
        (tmp_path / inside).write_bytes(outside("gateway", f"/etc/hazgate/{inside}").read_bytes())
    loaded = load(tmp_path / "hazgate.yaml")
    assert isinstance(loaded, Config), loaded
    assert mounts("gateway")[PurePosixPath(loaded.gateway.data_dir)] == "gateway-data"
    assert mounts("gateway")[PurePosixPath(loaded.gateway.journal.key).parent] == "gateway-key"
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert 'CMD ["run", "/etc/hazgate/hazgate.yaml"]' in dockerfile
    store, made = loaded.gateway.store, SERVICES["store"]["environment"]
    assert isinstance(store, InfluxSettings)
    assert (store.org, store.bucket) == (made["DOCKER_INFLUXDB_INIT_ORG"], made["DOCKER_INFLUXDB_INIT_BUCKET"])
    assert store.url == f"http://{made['INFLUXD_HTTP_BIND_ADDRESS']}"
    assert store.token is not None
    assert SERVICES["gateway"]["environment"][store.token.env] == made["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]
    password = loaded.gateway.broker.password
    assert password is not None
    assert password.env in SERVICES["gateway"]["environment"]


def test_the_simulator_plays_the_site_that_the_gateway_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    command = SERVICES["simulator"]["command"]
    scenario = outside("simulator", command[1])
    site = yaml.safe_load(scenario.read_text(encoding="utf-8"))["site"]
    assert (scenario.parent / site).resolve() == outside("gateway", "/etc/hazgate/site.yaml")
    monkeypatch.setattr("gateway.cli.simulate.run", lambda arguments: 0 if (arguments.seconds, arguments.broker.username) == (0, "simulator") else 1)
    assert main.main([str(word) for word in command]) == 0


def test_grafana_finds_its_files_and_reads_what_the_gateway_writes() -> None:
    made, store = SERVICES["grafana"]["environment"], SERVICES["store"]["environment"]
    sources = yaml.safe_load(outside("grafana", "/etc/grafana/provisioning/datasources/hazgate.yaml").read_text(encoding="utf-8"))
    wanted = set(re.findall(r"\$(\w+)", str(sources)))
    assert wanted <= set(made)
    assert made["INFLUX_DATABASE"] == store["DOCKER_INFLUXDB_INIT_BUCKET"]
    assert made["INFLUX_URL"] == f"http://{store['INFLUXD_HTTP_BIND_ADDRESS']}"
    assert made["INFLUX_TOKEN"] == store["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"]
    providers = yaml.safe_load(outside("grafana", "/etc/grafana/provisioning/dashboards/hazgate.yaml").read_text(encoding="utf-8"))["providers"]
    assert [list(outside("grafana", provider["options"]["path"]).glob("*.json")) for provider in providers] != [[]]


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_but_the_broker_over_tls_listens_off_loopback(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    listening = [value for key, value in environment.items() if key.endswith(("_ADDR", "_BIND_ADDRESS"))]
    assert all(value.partition(":")[0] == "127.0.0.1" for value in listening)
    assert listening or "image" not in SERVICES[name]
