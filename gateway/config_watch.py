"""At start the gateway says what its configuration changed since its last run, and who changed it."""

from __future__ import annotations

import json
import logging
from typing import Final

from adapters.journal import Entry, Journal, Recovered, Row
from alerts.alarm import Condition, EventKind
from alerts.command import Numbers
from alerts.edge import Edge, EdgeKind
from alerts.site import Site
from gateway.config import Config, effective_hash
from gateway.config_changes import Difference, differences, picture

log = logging.getLogger("hazgate")

HASH: Final = "config"
"""The name under which the journal keeps the hash of what the last run ran on."""
PICTURE: Final = "config_picture"
"""Likewise, what of it is compared."""
NAMED: Final = 20
"""Changed keys that an alarm names; the journal has all of them."""


def announce(config: Config, recovered: Recovered, journal: Journal, numbers: Numbers, now: int) -> list[Edge]:
    """Journal the effective configuration and all changes since the last run, a row for each site; returns what to raise.

    The first run has nothing to compare with and raises nothing. The hash covers more than is compared: a change that
    decides nothing about alarms is journaled by its hash alone.
    """
    effective = effective_hash(config)
    if recovered.meta.get(HASH) == effective:
        return []
    new = picture(config.sites)
    old = json.loads(recovered.meta[PICTURE]) if PICTURE in recovered.meta else new
    found = differences(old, new)
    entry = Entry(meta={HASH: effective, PICTURE: json.dumps(new)})
    edges = []
    for site in config.sites:
        mine = [each for each in found if each.site == site.site]
        lost = [each for each in found if each.site not in new] if site is config.home_site else []
        source = config.gateway.gateway if site is config.home_site else site.site
        entry.rows.append(_row(site, source, effective, [*mine, *lost], numbers.take(), now))
        if mine or lost:
            edges.append(_edge(site, source, [*mine, *lost], now))
    journal.commit(entry)
    for each in found:
        log.warning("the configuration changed: %s", each)
    return edges


def _row(site: Site, source: str, effective: str, found: list[Difference], number: int, now: int) -> Row:
    change = None if site.change is None else site.change.model_dump(mode="json")
    changes = [{"key": each.key, "before": each.before, "after": each.after, "loosens_red": each.loosens_red} for each in found]
    body = json.dumps({"hash": effective, "change": change, "changes": changes}, ensure_ascii=False).encode()
    return Row(number, site.site, f"{source}.{Condition.CONFIG_CHANGED}", EventKind.CONFIGURATION, now, now, None, body)


def _edge(site: Site, source: str, found: list[Difference], now: int) -> Edge:
    loosened = float(sum(each.loosens_red for each in found))
    # a site that is not the home site answers for its own change; what it names would be taken for sensors there
    members = tuple(each.key for each in found[:NAMED]) if source != site.site else ()
    return Edge(site.site, source, Condition.CONFIG_CHANGED, EdgeKind.TRUE, now, loosened, members=members)
