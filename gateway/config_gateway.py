"""Reads a gateway's file into a draft and judges what concerns the gateway alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from adapters.influx import InfluxSettings
from alerts import units
from alerts.suppress import CANARY
from alerts.written import ID
from gateway.config_draft import Draft, Finding
from gateway.config_names import reserved
from gateway.config_words import AN_ID, choice, nearest, shown
from gateway.config_yaml import Document, Keys
from gateway.settings import CHANNELS, NOT_IN_THIS_VERSION, STORES, Gateway, JournalSettings

LEAST: Final = {"readings": "30d", "alarms": "1y"}
"""How long readings and alarms are kept at least, unless somebody says why not."""
INFLUX_KEYS: Final = ("org", "bucket", "database", "token", "username", "password")
INFLUX_NEEDS: Final = {1: ("database",), 2: ("org", "bucket", "token"), 3: ("database",)}
INFLUX_TAKES: Final = {1: ("database", "username", "password"), 2: ("org", "bucket", "token"), 3: ("database", "token")}
"""By version of InfluxDB: the keys of its own that `store` must have, and may have."""


class GatewayDraft(Draft):
    """A gateway's file as far as it is sound. channels: name → kind, of every channel that is mentioned."""

    def __init__(self, document: Document, folder: Path) -> None:
        super().__init__(document)
        self.values: dict[str, Any] = {}
        self.channels: dict[str, str] = {}
        if self.data:
            self.check_keys(Gateway, "a gateway's file")
            self._read(_anchored(self.data, folder.absolute()))
            for held, keys in ((self.data, ()), (self.data.get("keep"), ("keep",))):
                if isinstance(held, dict):
                    self.check_reason(keys, held)
            for rule in (_ids, _store, _keep, _journal, _heartbeat):
                self.errors(rule(self))

    @property
    def name(self) -> str | None:
        """The gateway's id, if it has a sound one."""
        return self.values.get("gateway")

    def gateway(self) -> Gateway:
        """The finished model. Only for a draft that is sound."""
        return Gateway(**self.values)

    def _read(self, whole: Mapping[str, Any]) -> None:
        for key in Gateway.model_fields:
            if key not in whole or (key == "store" and not self._kind(("store",), whole[key], STORES)):
                continue
            if key == "notify" and isinstance(whole[key], dict) and whole[key]:
                self.values[key] = dict(self._channels(whole[key]))
            elif (value := self.read_key(Gateway, key, whole[key])) is not None:
                self.values[key] = value

    def _kind(self, keys: Keys, raw: object, known: tuple[str, ...]) -> bool:
        """Whether the kind of a store or channel is one that this version has; notes it if not."""
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if kind is None:
            return True
        if isinstance(kind, str) and kind in known:
            return True
        if isinstance(kind, str) and kind in NOT_IN_THIS_VERSION:
            self.add((*keys, "kind"), NOT_IN_THIS_VERSION[kind])
        else:
            self.add((*keys, "kind"), f"{shown(kind)} is no kind that is known here{nearest(kind, known)}; known: {', '.join(known)}")
        return False

    def _channels(self, raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        known = tuple(CHANNELS)
        for name, settings in raw.items():
            keys: Keys = ("notify", name)
            kind = settings.get("kind") if isinstance(settings, dict) else None
            self.channels[name] = str(kind)
            if not self._kind(keys, settings, known):
                continue
            channel = self.read(CHANNELS.get(str(kind), CHANNELS[known[0]]), keys, settings)
            if channel is not None:
                yield name, channel


def _ids(draft: GatewayDraft) -> Iterator[Finding]:
    yield from reserved(("gateway",), draft.data.get("gateway"))
    for name in draft.channels:
        yield from reserved(("notify", name), name)
        if not re.fullmatch(ID, str(name)):
            yield ("notify", name), f"expected {AN_ID}, not {shown(name)}"


def _store(draft: GatewayDraft) -> Iterator[Finding]:
    store = draft.values.get("store")
    if not isinstance(store, InfluxSettings):
        return
    for key in INFLUX_NEEDS[store.version]:
        if getattr(store, key) is None:
            yield ("store", key), f"is missing; version {store.version} of InfluxDB needs it"
    for key in INFLUX_KEYS:
        if getattr(store, key) is not None and key not in INFLUX_TAKES[store.version]:
            yield ("store", key), f"is not for version {store.version} of InfluxDB, which takes {', '.join(INFLUX_TAKES[store.version])}"
    if store.password is not None and store.username is None:
        yield ("store", "password"), "needs username"


def _keep(draft: GatewayDraft) -> Iterator[Finding]:
    keep = draft.values.get("keep")
    for key, least in LEAST.items():
        if keep is not None and getattr(keep, key) < units.duration(least) and not draft.excused(("keep", key)):
            kept = units.span_text(getattr(keep, key))
            yield ("keep", key), f"{kept} is less than the {least} for which {key} must be kept; lengthen it or say why in keep.override_reason"


def _journal(draft: GatewayDraft) -> Iterator[Finding]:
    key, data_dir = getattr(draft.values.get("journal"), "key", None), draft.values.get("data_dir")
    if key is not None and data_dir is not None and Path(os.path.normpath(key)).is_relative_to(os.path.normpath(data_dir)):
        yield ("journal", "key"), "lies inside data_dir: whoever can change the journal could sign it anew; name a place outside"


def _heartbeat(draft: GatewayDraft) -> Iterator[Finding]:
    if draft.values.get("heartbeat") == "none" and not draft.excused(("heartbeat",)):
        yield ("heartbeat",), "none means that nobody notices when this gateway dies; give it a url or say why in override_reason"


def check_together(draft: GatewayDraft, sites: Mapping[str, Any]) -> None:
    """Note where the gateway's file names a site that is not among its `sites` (id → people's ids)."""
    home, canary = draft.values.get("home_site"), draft.values.get("canary")
    if home is not None and home not in sites:
        draft.add(("home_site",), choice(home, sites, "site", "the files in `sites`"))
    if canary is None:
        return
    if CANARY in sites:
        draft.add(("canary",), f"needs the site's name {CANARY} for itself; give the site another one")
    if canary.site not in sites:
        draft.add(("canary", "site"), choice(canary.site, sites, "site", "the files in `sites`"))
        return
    for position, name in enumerate(canary.tell):
        if name not in sites[canary.site]:
            draft.add(("canary", "tell", position), choice(name, sites[canary.site], "person", f"the site {canary.site}"))


def _anchored(data: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The file's data with every path counted from the file's folder: data_dir, certificates, keys and secrets."""
    whole = {key: _secrets(value, folder) for key, value in data.items()}
    if isinstance(whole.get("data_dir", "./data"), str):
        whole["data_dir"] = str(folder / whole.get("data_dir", "./data"))
    journal = whole.get("journal", {})
    if isinstance(journal, dict) and isinstance(journal.get("key", ""), str):
        whole["journal"] = journal | {"key": str(folder / journal.get("key", JournalSettings().key))}
    broker = whole.get("broker")
    if isinstance(broker, dict):
        whole["broker"] = {key: str(folder / value) if key in ("ca", "cert", "key") and isinstance(value, str) else value for key, value in broker.items()}
    return whole


def _secrets(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        if set(value) == {"file"} and isinstance(value["file"], str):
            return {"file": str(folder / value["file"])}
        return {key: _secrets(inner, folder) for key, inner in value.items()}
    return [_secrets(inner, folder) for inner in value] if isinstance(value, list) else value
