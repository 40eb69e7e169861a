"""The gateway's figures as Prometheus text (exposition format 0.0.4). Every name begins with `hazgate_`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final

import numpy as np

from adapters.mqtt import LinkState
from alerts.reading import SECOND
from gateway.view import REACHABLE, View

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Type(StrEnum):
    """What a figure may do: only grow, or go both ways."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Family:
    """One figure with its samples: labels and value. A counter's name ends in `_total`."""

    name: str
    type: Type
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]

    def lines(self) -> Iterator[str]:
        """Help, type, and a line for each sample."""
        yield f"# HELP hazgate_{self.name} {self.help}"
        yield f"# TYPE hazgate_{self.name} {self.type}"
        for labels, value in self.samples:
            inner = ",".join(f'{key}="{text.translate(_ESCAPES)}"' for key, text in labels.items())
            yield f"hazgate_{self.name}{{{inner}}} {value:.15g}" if inner else f"hazgate_{self.name} {value:.15g}"


def render(view: View) -> bytes:
    """All figures of a running gateway. On the loop's thread; some tens of lines a site, whatever stands there."""
    families = chain(_gateway(view), _balance(view), _record(view), _alarms(view), _sensors(view))
    return ("\n".join(line for family in families for line in family.lines()) + "\n").encode()


def _counter(name: str, text: str, value: float) -> Family:
    return Family(f"{name}_total", Type.COUNTER, text, [({}, value)])


def _gauge(name: str, text: str, value: float) -> Family:
    return Family(name, Type.GAUGE, text, [({}, value)])


def _gateway(view: View) -> Iterator[Family]:
    yield Family("info", Type.GAUGE, "Always 1; the labels name the gateway.", [({"gateway": view.gateway, "version": view.version, "boot": view.boot}, 1)])
    yield _gauge("start_time_seconds", "When the process started, seconds since 1970.", view.since / SECOND)
    yield _gauge("ingesting", "1 while readings are taken in and judged.", not view.obstacles())
    yield _gauge("link_up", "1 while the broker is connected.", view.link_state() == LinkState.UP)
    yield from _broker(view)
    yield _gauge("store_reachable", "1 while the store takes what it is given.", view.store_state() == REACHABLE)
    yield _gauge("faults", "Fault points that are set; anything but 0 means that the gateway does not do its work.", len(view.faults))
    beats: list[tuple[Mapping[str, str], float]] = [({"fate": fate}, number) for fate, number in view.heartbeats.items()]
    yield Family("heartbeats_total", Type.COUNTER, "Heartbeats sent, by what became of them.", beats)
    flight = view.canary()
    flown: list[tuple[Mapping[str, str], float]] = [] if flight is None else [({}, flight)]
    yield Family("canary_seconds", Type.GAUGE, "From the canary's reading to its last message taken; no sample before the first.", flown)
    yield _counter("turns", "Turns of the pipeline.", view.pipeline.turns)


def _broker(view: View) -> Iterator[Family]:
    side, link = view.brokerside, view.brokerside.link
    yield _gauge("watching", "1 while the second connection feeds the alarm path, because the record is stuck.", side.watching.feeding)
    yield _counter("watched", "Messages judged ahead of the record; they are received when the first connection brings them.", side.watching.brought)
    yield _counter("sessions_lost", "Times that the broker had forgotten our session.", link.counters.sessions_lost)
    yield _counter("connections", "Connections to the broker.", link.counters.connections)
    yield _counter("flood_passed_over", "Messages at QoS 0 that nobody read, because their topics flooded the connection.", link.passed_over)
    yield _counter("broker_dropped", "Messages that the broker says it dropped, of whichever client, since start or shortly before.", side.drops.seen)


def _balance(view: View) -> Iterator[Family]:
    balance = view.spool.balance()
    yield _counter("received", "Readings received; an unreadable message counts as one.", balance.received)
    yield _counter("stored", "Readings that the store has confirmed.", balance.stored)
    yield _gauge("spooled", "Readings on this disk that the store has not confirmed.", balance.spooled)
    yield _gauge("pending", "Readings received that are not on this disk yet.", balance.pending)
    yield _counter("quarantined", "Readings and messages set aside with a reason.", balance.quarantined)
    yield _counter("duplicate", "Readings received again.", balance.duplicate)
    yield _counter("dropped", "Readings given up at the spool's limit.", balance.dropped)
    yield _gauge("balance_closes", "1 while everything received is accounted for.", balance.closes)


def _record(view: View) -> Iterator[Family]:
    spool, seen = view.spool, view.admission.counts
    yield _gauge("spool_bytes", "Bytes in use in the spool's file.", spool.file.size)
    yield _gauge("spool_limit_bytes", "Bytes that readings waiting for the store may take.", view.config.gateway.spool.limit)
    since = spool.committing_since
    yield _gauge(
        "uncommitted_seconds",
        "For how long the oldest reading that is not on this disk yet has waited.",
        0.0 if since is None else (view.clock.now() - since) / SECOND,
    )
    left = view.days_left()
    known: list[tuple[Mapping[str, str], float]] = [] if left is None else [({}, left)]
    yield Family("disk_days_left", Type.GAUGE, "Days until the disk is full at today's growth; no sample in the first hour.", known)
    yield _counter("frames_stored", "Frames that the store has confirmed.", spool.stored_through)
    yield _counter("commits", "Commits of the spool since start.", spool.writer.commits)
    yield _counter("quarantine_forgotten", "Quarantined payloads that fell to the quarantine's bounds or were kept long enough.", spool.file.totals.forgotten)
    yield _counter("conflict", "Readings with another value under a stamp already seen.", seen.conflict)
    yield _counter("unidentified", "Readings without time and seq.", seen.unidentified)
    gaps = [({"site": site, "device": device}, number) for (site, device), number in sorted(view.admission.missing().items())]
    yield Family("missing_seq_total", Type.COUNTER, "Readings that gaps in a device's seq say were lost before they reached us.", gaps)
    yield _counter("ignored", "Elements of devices' own messages that are no measurement, or no sensor's.", seen.ignored)


def _alarms(view: View) -> Iterator[Family]:
    counted = Counter((site, alarm.tier, alarm.state) for site, book in view.books.items() for alarm in book.alarms().values())
    samples = [({"site": site, "tier": tier, "state": state}, number) for (site, tier, state), number in sorted(counted.items())]
    yield Family("alarms", Type.GAUGE, "Alarms that are not normal.", samples)
    told = view.dispatch.counters
    fates = {"delivered": told.delivered, "failed": told.failed, "retried": told.retried, "withdrawn": told.withdrawn}
    yield Family("notices_total", Type.COUNTER, "Messages to people, by what became of them.", [({"fate": fate}, number) for fate, number in fates.items()])
    took = np.array(view.journal.took or [0.0])
    quantiles = [({"quantile": str(share)}, float(np.quantile(took, share))) for share in (0.5, 0.99)]
    yield Family("journal_commit_seconds", Type.GAUGE, "How long the journal's newest commits took.", quantiles)
    yield _gauge("journal_row", "The number of the journal's last row; a crash passes numbers over.", view.journal.last)
    sealed = view.journal.sealed
    yield _gauge("journal_sealed_row", "The row of the journal's newest signed head.", sealed.sequence if sealed else 0)
    publications = view.dispatch.publications
    yield _counter("published", "Alarm messages that the broker has confirmed.", publications.published)
    yield _counter(
        "events_given_up", "Alarm events of yellow and blue that were too many to wait for the broker; the journal has them.", publications.given_up.total()
    )


def _sensors(view: View) -> Iterator[Family]:
    columns = view.engine.columns
    names = {site: number for number, site in enumerate(view.register.sites)}
    where = np.array([names[point.site.site] for point in view.register], np.intp)

    def by_site(weights: np.ndarray[tuple[int], np.dtype[np.bool_]] | None) -> list[tuple[Mapping[str, str], float]]:
        counts = np.bincount(where, weights, len(names)).tolist()
        return [({"site": site}, counts[number]) for site, number in names.items()]

    yield Family("sensors", Type.GAUGE, "Sensors configured.", by_site(None))
    yield Family("sensors_heard", Type.GAUGE, "Sensors heard since start.", by_site(columns.heard))
    yield Family("sensors_sick", Type.GAUGE, "Sensors without a trustworthy value.", by_site(columns.sick != 0))
