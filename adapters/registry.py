"""What kinds of store and codec there are: the one list.

Entries name their module instead of importing it: the recorder must not load HTTP clients to open a store, nor the
gateway a database engine to send a message. A test loads every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from adapters.codecs.frames import Names
from adapters.codecs.inbound import Decode
from alerts.ports import Permanent, Store

if TYPE_CHECKING:  # the recorder opens stores and loads no models of sites
    from alerts.site import Codec


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of outside thing: its name in the files, where it lives, its settings model and what makes it of them."""

    kind: str
    module: str
    settings: str
    factory: str
    labels: bool = False
    """Whether a store keeps each reading's zone, device and kind beside it."""

    def load(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Import the module; returns settings model and factory."""
        module = import_module(self.module)
        return getattr(module, self.settings), getattr(module, self.factory)


STORES = (
    Kind("duckdb", "adapters.duck", "DuckSettings", "DuckStore"),
    Kind("influxdb", "adapters.influx", "InfluxSettings", "InfluxStore", labels=True),
)
"""Factories take (settings, data_dir, epoch of the spool, names)."""

CODECS: Mapping[str, tuple[str, str]] = {
    "json": ("adapters.codecs.readings_json", "Native"),
    "mapped": ("adapters.codecs.mapped", "Mapped"),
    "senml": ("adapters.codecs.senml", "SenML"),
}
"""Kind of codec → module and factory, which takes (codec of the site file, ids of the device's sensors).

Sparkplug B is a session and no codec: gateway/sparkplug.py.
"""


def make_codec(codec: Codec, sensors: Sequence[str]) -> Decode:
    """What reads this device's messages. Raises ValueError with a sentence for settings that mean nothing."""
    module, factory = CODECS[codec.kind]
    return cast("Decode", getattr(import_module(module), factory)(codec, sensors))


def find(kinds: tuple[Kind, ...], kind: object) -> Kind:
    """The entry of that name. Raises Permanent, naming those there are."""
    for entry in kinds:
        if entry.kind == kind:
            return entry
    raise Permanent(f"there is no kind {kind!r}; there is {', '.join(entry.kind for entry in kinds)}")


def open_store(settings: Mapping[str, object], data_dir: Path, epoch: str, names: Names) -> Store:
    """The store that the settings (as in the gateway's file, `kind` among them) ask for. Raises Permanent or Transient."""
    model, factory = find(STORES, settings.get("kind")).load()
    return cast("Store", factory(model(**settings), data_dir, epoch, names))


def plain(settings: Any) -> dict[str, object]:
    """A store's settings as `open_store` takes them in another process: plain values, and of a secret its place."""
    if is_dataclass(settings) and not isinstance(settings, type):
        return asdict(settings)
    return cast("dict[str, object]", settings.model_dump(mode="json"))
