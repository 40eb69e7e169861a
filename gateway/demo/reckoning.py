"""What came of a demo: the counts, each from where it happens, and every reason why it was not as it should be."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from gateway.api.models import BalanceBody
from gateway.demo.picture import Picture, percentile


class Simulated(BaseModel):
    """The last line of `hazgate simulate --json`: what its devices published, and what its oracle says of the alarms."""

    seconds: float
    published: int
    unconfirmed: int
    ok: bool
    differences: list[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`summary` has the keys of the public contract; `reasons` are sentences, none if all went as it should."""

    summary: dict[str, int | float | None]
    reasons: list[str]


def reckon(simulated: Simulated, balance: BalanceBody, stored: int, picture: Picture) -> Outcome:
    """Put the counts side by side.

    simulated: counted by the simulators. balance: counted by the gateway, after they had stopped. stored: counted by a
    query of the store. picture: alarms and transitions heard over MQTT, notifications counted by the receiver.
    """
    summary: dict[str, int | float | None] = {
        "published": simulated.published,
        "received": balance.received,
        "stored": stored,
        "spooled": balance.spooled,
        "pending": balance.pending,
        "quarantined": balance.quarantined,
        "duplicate": balance.duplicate,
        "dropped": balance.dropped,
        "alarms": len(picture.occurrences),
        "transitions": picture.transitions,
        "notifications": picture.messages,
        "p50_ms": _rounded(percentile(picture.latencies, 0.50)),
        "p99_ms": _rounded(percentile(picture.latencies, 0.99)),
    }
    return Outcome(summary, [*_of_alarms(simulated, picture), *_of_balance(simulated, balance, stored)])


def _of_alarms(simulated: Simulated, picture: Picture) -> list[str]:
    reasons = [f"the gateway ran with the fault point {fault}: it did not do its work" for fault in (picture.health.faults if picture.health else [])]
    if not picture.incident.over:
        stage = picture.incident.stage
        last = f"the last stage reached was {picture.incident.names[stage]}" if stage else "it never began"
        reasons.append(f"the incident was not over after {simulated.seconds:g} s; {last}")
    return reasons + simulated.differences


def _of_balance(simulated: Simulated, balance: BalanceBody, stored: int) -> list[str]:
    accounted = stored + balance.spooled + balance.pending + balance.quarantined + balance.duplicate + balance.dropped
    reasons = []
    if simulated.unconfirmed:
        reasons.append(f"the broker did not confirm {simulated.unconfirmed} readings before the devices left")
    if balance.received != simulated.published:
        reasons.append(f"the devices published {simulated.published} readings and the gateway received {balance.received}")
    if balance.received != accounted:
        reasons.append(f"the balance is open: {balance.received} readings were received and {accounted} are accounted for, {stored} of them in the store")
    if balance.spooled or balance.pending:
        reasons.append(f"{balance.spooled + balance.pending} readings were still on their way to the store at the end")
    return reasons


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
