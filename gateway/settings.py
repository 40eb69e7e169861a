"""hazgate.yaml as a frozen model: one gateway, its broker, store, interface, channels and sites.

Every default stands here and nowhere else. What takes more than one key to judge is checked by the loader.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema, field_validator

from adapters import registry
from adapters.duck import DuckSettings
from adapters.influx import InfluxSettings
from adapters.mqtt import BrokerSettings
from adapters.notify.topic import TopicSettings
from adapters.notify.webhook import WebhookSettings, address
from adapters.secret import Secret
from alerts import units
from alerts.site import Count, Id, Model, OverrideReason, Spell
from alerts.written import quantity

Size = Annotated[
    int,
    quantity(units.size, "a size such as 20GB"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(B|KB|MB|GB|TB)$", "examples": ["20GB"]}),
    Field(gt=0),
]
Channel = Annotated[TopicSettings | WebhookSettings, Field(discriminator="kind")]
"""Settings of any channel to people."""
CHANNELS: Final[dict[str, type[TopicSettings | WebhookSettings]]] = {"webhook": WebhookSettings, "mqtt": TopicSettings}
"""Kinds of channel that this version has."""
STORES: Final = tuple(kind.kind for kind in registry.STORES)
"""Kinds of store that this version has."""


def _kind_of_store(value: object) -> str:
    return str(value.get("kind", "duckdb")) if isinstance(value, dict) else str(getattr(value, "kind", "duckdb"))


Kept = Annotated[Annotated[DuckSettings, Tag("duckdb")] | Annotated[InfluxSettings, Tag("influxdb")], Discriminator(_kind_of_store)]
"""Settings of any store."""
NEEDS_BROKER: Final = frozenset({"mqtt", "siren"})
"""Kinds of channel that are silent while the broker is away."""
NOT_IN_THIS_VERSION: Final = {
    "siren": "sirens are not in this version; take the channel out and do not count on it",
    "http_sms": "SMS is not in this version; use a webhook",
}
"""Kinds of store and channel that are promised but cannot be had yet, with what to do."""


class Commands(StrEnum):
    """Whether people may command over MQTT: not at all, as the broker's access list says, or with a token in the body."""

    OFF = "off"
    ACL = "acl"
    SIGNED = "signed"


def _listener(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("expected an address and a port, such as 127.0.0.1:8080")  # noqa: TRY004 - pydantic reports ValueError only
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"expected an address and a port, such as 127.0.0.1:8080, not {value!r}")
    return value


class Api(Model):
    """Where the HTTP interface listens. On loopback reads are free; elsewhere everything needs a token."""

    listen: Annotated[str, BeforeValidator(_listener)] = "127.0.0.1:8080"

    @property
    def host(self) -> str:
        """The address without brackets and port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose."""
        return int(self.listen.rpartition(":")[2])


class Keep(Model):
    """For how long what is recorded is kept."""

    readings: Spell = Field(units.duration("400d"), description="at least 30d")
    alarms: Spell = Field(units.duration("3y"), description="at least 1y")
    quarantine: Spell = units.duration("30d")
    override_reason: OverrideReason | None = None


class JournalSettings(Model):
    """The journal of alarms."""

    key: Path = Field(Path("./journal.key"), description="what signs its heads, made at the first start; outside data_dir, where nobody else may read")


class Heartbeat(Model):
    """Whom to tell regularly that this gateway lives, so that its silence is noticed."""

    url: str | Secret = Field(description="http:// or https:// address that takes a POST; a secret if it carries a token")
    every: Spell = units.duration("30s")

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str | Secret) -> str | Secret:
        return address(url)


def _beats(value: object) -> str:
    return "none" if isinstance(value, str) else "beat"


Beating = Annotated[Annotated[Heartbeat, Tag("beat")] | Annotated[Literal["none"], Tag("none")], Discriminator(_beats)]


class CommandSettings(Model):
    """Commands that come over MQTT."""

    mqtt: Commands = Commands.OFF


class SpoolSettings(Model):
    """Readings on their way to the store."""

    limit: Size = units.size("20GB")


class Canary(Model):
    """A made-up alarm that crosses the whole path to show that it is open."""

    site: Id
    every: Spell = units.duration("60s")
    tell: tuple[str, ...] = Field(min_length=1)


class Gateway(Model):
    """One gateway. `data_dir`, certificates, keys and secrets are absolute once loaded: they count from the folder of the file, as `sites` do."""

    gateway: Id
    data_dir: Path = Field(Path("./data"), description="everything this gateway keeps; one gateway at a time")
    broker: BrokerSettings
    store: Kept = DuckSettings()
    api: Api = Api()
    sites: tuple[Path, ...] = Field(min_length=1, description="site files")
    keep: Keep = Keep()
    heartbeat: Beating = Field(description="`none` needs an override_reason")
    notify: dict[Id, Channel] = Field(min_length=1, description="channels to people, by name")
    home_site: Id | None = Field(None, description="the site whose chains tell the gateway's own alarms; the first if left out")
    commands: CommandSettings = CommandSettings()
    spool: SpoolSettings = SpoolSettings()
    journal: JournalSettings = JournalSettings()
    workers: Count = Field(1, ge=1)
    canary: Canary | None = None
    override_reason: OverrideReason | None = None
