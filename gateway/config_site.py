"""Reads a site file into a draft: zones, sensors completed from their profiles, people, rota, escalation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel

from alerts.alarm import Tier
from alerts.site import Chain, Escalation, Model, Sensor, Site
from gateway.config_draft import Draft
from gateway.config_profiles import Standard, complete, profiles, standard
from gateway.config_words import nearest, shown
from gateway.config_yaml import Document, Keys

M = TypeVar("M", bound=BaseModel)


def _entry(annotation: Any) -> type[Model] | None:
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return inner if isinstance(inner, type) and issubclass(inner, Model) else None


SECTIONS: Final[Mapping[str, type[Model]]] = {name: model for name, info in Site.model_fields.items() if (model := _entry(info.annotation)) is not None}
"""Keys of a site file that hold a list → the model of its entries."""


class SiteDraft(Draft):
    """A site file as far as it is sound.

    standards: keys of a sensor → what its profile means for it. chains: the escalation entries of each tier.
    wrong: sections with an entry that is not sound. gateway: its id. channels: name → kind of its channels; both None
    when the gateway's file is not at hand.
    """

    def __init__(self, document: Document, gateway: str | None, channels: Mapping[str, str] | None) -> None:
        super().__init__(document)
        self.gateway, self.channels = gateway, channels
        self.standards: dict[Keys, Standard] = {}
        self.chains: dict[Tier, list[tuple[Keys, Chain]]] = {}
        self.single: dict[str, Any] = {}
        self.wrong: set[str] = set()
        self._ids: dict[str, frozenset[str]] = {}
        self._sections: dict[str, list[tuple[Keys, Model]]] = {}
        if self.data:
            self.check_keys(Site, "a site file")
            self._read()

    def entries(self, section: str, model: type[M]) -> Iterator[tuple[Keys, M]]:
        """The sound entries of a section with their keys."""
        for keys, entry in self._sections.get(section, ()):
            if isinstance(entry, model):
                yield keys, entry

    def ids(self, section: str) -> frozenset[str]:
        """Every id mentioned in a section, also of entries that are wrong otherwise: naming those elsewhere is no second mistake."""
        if section not in self._ids:
            found = self.data.get(section)
            listed = found if isinstance(found, list) else []
            self._ids[section] = frozenset(entry["id"] for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str))
        return self._ids[section]

    def site(self) -> Site:
        """The finished model. Only for a draft that is sound."""
        lists = {section: tuple(entry for _, entry in self._sections.get(section, ())) for section in SECTIONS}
        chains = {tier.value: tuple(chain for _, chain in self.chains[tier]) for tier in Tier}
        return Site(**lists, **self.single, escalation=Escalation(**chains))

    def _read(self) -> None:
        for key in Site.model_fields:
            if key not in self.data:
                continue
            if key in SECTIONS:
                self._read_section(key)
            elif key == "escalation":
                self._read_escalation()
            elif (value := self.read_key(Site, key, self.data[key])) is not None:
                self.single[key] = value

    def _read_section(self, section: str) -> None:
        listed = self.data[section]
        if not isinstance(listed, list):
            self.add((section,), f"expected a list, not {shown(listed)}")
            self.wrong.add(section)
            return
        if not listed and Site.model_fields[section].is_required():
            self.add((section,), "is empty; it needs at least one entry")
        kept = self._sections.setdefault(section, [])
        for position, raw in enumerate(listed):
            keys: Keys = (section, position)
            entry = self._read_sensor(keys, raw) if section == "sensors" and isinstance(raw, dict) else self.read(SECTIONS[section], keys, raw)
            if entry is not None:
                kept.append((keys, entry))
            else:
                self.wrong.add(section)

    def _read_sensor(self, keys: Keys, raw: dict[str, Any]) -> Sensor | None:
        known = standard(raw)
        if known is None:
            if isinstance(raw.get("kind"), str):
                kinds = profiles()
                hint = nearest(raw["kind"], kinds) or ""
                self.add((*keys, "kind"), f"{shown(raw['kind'])} is no kind of sensor that this version knows{hint}; it knows {', '.join(kinds)}")
            self.read(Sensor, keys, {"stale": "30s", **raw})
            return None
        self.check_reason(keys, raw)
        for held in ("limits", "tiers"):
            if isinstance(raw.get(held), dict):
                self.check_reason((*keys, held), raw[held])
        whole = complete(raw, known)
        sensor = self.read(Sensor, keys, whole) or self.remains(Sensor, whole)
        if sensor is not None:
            self.standards[keys] = known
        return sensor

    def _read_escalation(self) -> None:
        tiers = self.data["escalation"]
        if not isinstance(tiers, dict):
            self.add(("escalation",), f"expected the chains of {', '.join(Tier)}, not {shown(tiers)}")
            return
        for key in tiers:
            if key not in Escalation.model_fields:
                self.add(("escalation", key), f"is not a tier{nearest(key, Tier)}; the tiers are {', '.join(tuple(Tier))}")
        for tier in Tier:
            self.chains[tier] = []
            if tier.value not in tiers:
                self.add(("escalation", tier.value), "is missing; write whom to tell of these alarms ({} for blue: nobody)")
                continue
            value = tiers[tier.value]
            places = [("escalation", tier.value, n) for n in range(len(value))] if isinstance(value, list) else [("escalation", tier.value)]
            for keys in places:
                chain = self.read(Chain, keys, self.raw(keys))
                if chain is not None:
                    self.chains[tier].append((keys, chain))
