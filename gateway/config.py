"""Configuration: a gateway's file and its site files become one frozen `Config`, or the list of everything that is wrong.

Reads those files and nothing else; every error of all files is found at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alerts.alarm import LIMITS
from alerts.site import Site
from gateway.config_codecs import check_codecs, check_topics
from gateway.config_figure import Figure
from gateway.config_gateway import GatewayDraft, check_together
from gateway.config_later import GATEWAY, SITE, check_later
from gateway.config_names import check_names
from gateway.config_people import check_people
from gateway.config_problem import Problem, Severity
from gateway.config_profiles import origins
from gateway.config_remarks import remark
from gateway.config_sensor import check_sensors
from gateway.config_site import SiteDraft
from gateway.config_yaml import read
from gateway.settings import Gateway

__all__ = ["Config", "Figure", "Problem", "Severity", "effective_hash", "load", "load_site"]


@dataclass(frozen=True, slots=True)
class Config:
    """What one gateway runs on.

    `origins`: (site, sensor) → key such as `limits.high` → the profile's figure, for every number that the site file
    left to a profile. `warnings` are sorted by place.
    """

    path: Path
    gateway: Gateway
    sites: tuple[Site, ...]
    origins: Mapping[tuple[str, str], Mapping[str, Figure]]
    warnings: tuple[Problem, ...] = ()

    @property
    def home_site(self) -> Site:
        """The site whose chains tell the gateway's own alarms."""
        return next((site for site in self.sites if site.site == self.gateway.home_site), self.sites[0])

    def unreviewed(self, site: str) -> int:
        """How many limits of a site are a profile's that nobody has reviewed."""
        limits = {f"limits.{condition.value}" for condition in LIMITS}
        mine = (figures for (where, _), figures in self.origins.items() if where == site)
        return sum(key in limits and figure.reviewed is None for figures in mine for key, figure in figures.items())


def load(path: Path) -> Config | list[Problem]:
    """Read a gateway's file and the site files it names. Answers either a configuration or every problem, sorted, warnings among them."""
    draft = GatewayDraft(read(path), path.parent)
    sites = _sites(draft, path.parent)
    _unique(draft, sites)
    check_together(draft, {site.single.get("site", ""): site.ids("people") for site in sites})
    check_topics(draft.values.get("broker"), sites)
    check_later(draft, GATEWAY)
    problems = _sorted(draft, *sites)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return problems
    return Config(path, draft.gateway(), tuple(site.site() for site in sites), _origins(sites), tuple(problems))


def load_site(path: Path, channels: Mapping[str, str] | None = None) -> Site | list[Problem]:
    """Read a site file by itself. Without `channels` (name → kind) a person's channels are not judged."""
    draft = _site(path, None, channels)
    return draft.site() if draft.sound else _sorted(draft)


def effective_hash(config: Config) -> str:
    """SHA-256, in hexadecimal, of everything the gateway runs on, profiles merged in: equal for files that mean the same.

    Where data_dir, the journal's key and the site files are does not count; secrets count by where they are kept, not by their value.
    """
    gateway = config.gateway.model_dump(mode="json", exclude={"data_dir": True, "sites": True, "journal": {"key"}})
    whole = {"gateway": gateway, "sites": [site.model_dump(mode="json") for site in config.sites]}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _sites(draft: GatewayDraft, folder: Path) -> list[SiteDraft]:
    paths = draft.values.get("sites", ())
    channels = draft.channels if "notify" in draft.data else None
    return [_site(folder / path, draft.name, channels) for path in dict.fromkeys(paths)]


def _site(path: Path, gateway: str | None, channels: Mapping[str, str] | None) -> SiteDraft:
    draft = SiteDraft(read(path), gateway, channels)
    if draft.data:
        check_names(draft)
        check_sensors(draft)
        check_codecs(draft)
        check_people(draft)
        remark(draft)
        check_later(draft, SITE)
    return draft


def _unique(draft: GatewayDraft, sites: list[SiteDraft]) -> None:
    paths = draft.values.get("sites", ())
    for position, path in enumerate(paths):
        if path in paths[:position]:
            draft.add(("sites", position), f"{path} is named twice; take one out")
    seen: dict[str, str] = {}
    for site in sites:
        name = site.single.get("site")
        if name in seen:
            site.add(("site",), f"{name} is already the site of {seen[name]}; every site needs an id of its own")
        elif name is not None:
            seen[name] = site.document.file


def _origins(sites: list[SiteDraft]) -> dict[tuple[str, str], dict[str, Figure]]:
    found = {}
    for site in sites:
        for keys, known in site.standards.items():
            raw = site.raw(keys)
            found[site.single["site"], raw["id"]] = origins(raw, known)
    return found


def _sorted(*drafts: GatewayDraft | SiteDraft) -> list[Problem]:
    return sorted({problem for draft in drafts for problem in draft.problems})
