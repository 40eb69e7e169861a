"""The summary of a demo, and every reason for which it is not as it should be."""

from __future__ import annotations

from typing import Any

import pytest
from support.demo import PLOT, at, health, heard

from alerts.alarm import EventKind, State
from gateway.api.models import BalanceBody
from gateway.demo.picture import Picture
from gateway.demo.reckoning import Outcome, Simulated, reckon

KEYS = ["published", "received", "stored", "spooled", "pending", "quarantined", "duplicate", "dropped"]
KEYS += ["alarms", "transitions", "notifications", "p50_ms", "p99_ms"]


def played(*, over: bool = True) -> Picture:
    """An incident with one alarm, told to two people."""
    picture = Picture(PLOT)
    picture.incident.phase("quiet", at(0))
    picture.heard(heard(EventKind.RAISE, "GT-1.high", 10, State.ACTIVE_UNACKNOWLEDGED))
    if over:
        picture.heard(heard(EventKind.RESET, "GT-1.high", 30, State.NORMAL, by="li"))
    picture.messages = 2
    return picture


def reckoned(picture: Picture, *, published: int = 100, stored: int = 97, unconfirmed: int = 0, differences: tuple[str, ...] = (), **changes: Any) -> Outcome:
    counts = {"received": 100, "stored": 97, "spooled": 0, "pending": 0, "quarantined": 1, "duplicate": 2, "dropped": 0, "closes": True}
    simulated = Simulated(seconds=50, published=published, unconfirmed=unconfirmed, ok=not differences, differences=list(differences))
    return reckon(simulated, BalanceBody.model_validate(counts | changes), stored, picture)


def test_the_summary_has_the_keys_of_the_contract_and_no_others() -> None:
    outcome = reckoned(played())
    assert list(outcome.summary) == KEYS
    assert outcome.summary == dict(zip(KEYS, [100, 100, 97, 0, 0, 1, 2, 0, 1, 2, 2, 5.0, 5.0], strict=True))
    assert outcome.reasons == []


def test_without_alarm_events_there_is_no_latency() -> None:
    summary = reckoned(Picture(PLOT)).summary
    assert (summary["p50_ms"], summary["p99_ms"]) == (None, None)


def test_stored_is_what_the_store_says_and_not_what_the_gateway_says() -> None:
    outcome = reckoned(played(), stored=96)
    assert outcome.summary["stored"] == 96
    assert outcome.reasons == ["the balance is open: 100 readings were received and 99 are accounted for, 96 of them in the store"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"published": 101}, "the devices published 101 readings and the gateway received 100"),
        ({"unconfirmed": 3}, "the broker did not confirm 3 readings before the devices left"),
        ({"differences": ("GT-1.high: raise never came",)}, "GT-1.high: raise never came"),
        ({"spooled": 2, "stored": 95}, "2 readings were still on their way to the store at the end"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(changes: dict[str, Any], reason: str) -> None:
    assert reckoned(played(), **changes).reasons == [reason]


def test_an_incident_that_is_not_over_is_a_failure() -> None:
    assert reckoned(played(over=False)).reasons == ["the incident was not over after 50 s; the last stage reached was detected"]


def test_a_gateway_with_a_fault_point_is_a_failure() -> None:
    picture = played()
    picture.health = health(ingesting=False, faults=["detect"])
    assert reckoned(picture).reasons == ["the gateway ran with the fault point detect: it did not do its work"]
