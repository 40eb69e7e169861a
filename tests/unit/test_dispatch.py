"""Dispatch: when a step passes on, what a failing channel does to the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest
from support.sites import T0
from support.wait import eventually

from adapters.journal import Journal, Outgoing
from alerts.alarm import NoticeKind, Tier
from alerts.ports import Delivery, Notice, Permanent, Receipt, Transient
from alerts.reading import MILLISECOND, SECOND
from gateway import dispatch
from gateway.dispatch import Channel, Dispatch
from gateway.turn import Fate, Settled

TIMEOUT = 80 * MILLISECOND
Answer = Callable[[Delivery], Receipt]


class Wall:
    """A clock that follows the loop."""

    def now(self) -> int:
        """See `alerts.ports.Clock`."""
        return T0 + round(asyncio.get_running_loop().time() * SECOND)


class Way:
    """A channel's far side: answers as told, after a while if told so."""

    def __init__(self, answer: Answer, after: float = 0.0) -> None:
        self.answer = answer
        self.after = after
        self.tries = 0

    async def send(self, delivery: Delivery) -> Receipt:
        """See `alerts.ports.Notifier`."""
        self.tries += 1
        await asyncio.sleep(self.after)
        return self.answer(delivery)

    async def close(self) -> None:
        """Nothing is held."""


def accepts(_delivery: Delivery) -> Receipt:
    return Receipt("ok")


def refuses_for_now(_delivery: Delivery) -> Receipt:
    raise Transient("connection refused")


def refuses_for_good(_delivery: Delivery) -> Receipt:
    raise Permanent("no such person")


def breaks(_delivery: Delivery) -> Receipt:
    raise ValueError("a notifier's own fault")


class Post:
    """A dispatch over the named ways; `passed` has (moment, person) of each step that passed on."""

    def __init__(self, ways: dict[str, Way]) -> None:
        journal = cast("Journal", None)  # it is told of publications only
        self.dispatch = Dispatch([Channel(name, way, TIMEOUT, 10 * SECOND) for name, way in ways.items()], _nowhere, journal, Wall())
        self.passed: list[tuple[float, str]] = []
        self.settled: list[tuple[str, str]] = []
        self.delivered: list[str] = []
        self.dispatch.on_undelivered = lambda notice: self.passed.append((asyncio.get_running_loop().time(), notice.person))
        self.dispatch.on_settled = self._on_settled

    def _on_settled(self, settled: Settled) -> None:
        self.settled.append((settled.fate, settled.words))
        if settled.fate is Fate.DELIVERED:
            self.delivered.append(f"{settled.notice.person} {settled.notice.channel}")

    def tell(self, *reaches: str, step: int = 0) -> None:
        """One step: a notice for each `person channel`."""
        for reach in reaches:
            person, channel = reach.split()
            notice = Notice("north", "GT-1.high", "GT-1.high@1", 1, NoticeKind.RAISE, step, 0, person, channel, tier=Tier.RED)
            self.dispatch.notify(Outgoing(notice.key, 1, "north", notice.occurrence, notice.kind, channel, "", b"{}"), notice)


def _nowhere(*_publication: object) -> None:
    pass


@asynccontextmanager
async def post(**ways: Way) -> AsyncIterator[Post]:
    made = Post(ways)
    await made.dispatch.start()
    try:
        yield made
    finally:
        await made.dispatch.stop()


async def test_of_too_many_messages_the_oldest_that_call_nobody_at_once_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "WAITING", 3)
    office = Post({"desk": Way(accepts)})
    for number, tier in enumerate([Tier.YELLOW, Tier.RED, Tier.BLUE, Tier.YELLOW, Tier.RED, Tier.ORANGE, Tier.RED]):
        notice = Notice("north", f"GT-{number}.high", f"GT-{number}.high@1", 1, NoticeKind.RAISE, 0, 0, f"p{number}", "desk", tier=tier)
        office.dispatch.notify(Outgoing(notice.key, 1, "north", notice.occurrence, notice.kind, "desk", "", b"{}"), notice)
    assert office.settled == [(Fate.FAILED, "given up: more than 3 messages wait for desk")] * 3
    await office.dispatch.start()
    await eventually(lambda: len(office.delivered) == 4)
    assert sorted(office.delivered) == ["p1 desk", "p4 desk", "p5 desk", "p6 desk"]
    await office.dispatch.stop()


async def test_a_step_that_is_refused_for_now_passes_on_at_the_channels_timeout_and_no_earlier() -> None:
    async with post(desk=Way(refuses_for_now), phone=Way(refuses_for_now)) as office:
        began = asyncio.get_running_loop().time()
        office.tell("li desk", "li phone")
        await eventually(lambda: office.passed)
        ((at, person),) = office.passed
        assert person == "li"
        assert at - began >= TIMEOUT / SECOND - 0.005


async def test_a_step_that_is_refused_for_good_passes_on_at_once() -> None:
    async with post(desk=Way(refuses_for_good)) as office:
        began = asyncio.get_running_loop().time()
        office.tell("li desk")
        await eventually(lambda: office.passed)
        assert office.passed[0][0] - began < TIMEOUT / SECOND
        assert office.settled == [("failed", "no such person")]


async def test_a_step_behind_a_long_queue_passes_on_at_the_timeout_though_it_was_never_tried() -> None:
    way = Way(accepts, after=TIMEOUT / SECOND * 0.9)
    async with post(desk=way) as office:
        for step in range(12):
            office.tell("li desk", step=step)
        await asyncio.sleep(TIMEOUT / SECOND * 1.5)
        assert len(office.passed) >= 4, "four are sent at a time; the last four had no try in time"


async def test_a_step_that_got_through_over_one_channel_does_not_pass_on() -> None:
    async with post(desk=Way(refuses_for_good), phone=Way(accepts)) as office:
        office.tell("li desk", "li phone")
        await eventually(lambda: len(office.settled) == 2)
        await asyncio.sleep(TIMEOUT / SECOND * 1.5)
        assert office.passed == []
        assert office.delivered == ["li phone"]


async def test_a_notifier_that_breaks_does_not_end_its_lane() -> None:
    way = Way(breaks)
    async with post(desk=way) as office:
        for step in range(6):
            office.tell("li desk", step=step)
        await eventually(lambda: way.tries >= 6)
        way.answer = accepts
        await eventually(lambda: len(office.delivered) == 6)
        assert office.settled == [("delivered", "ok")] * 6
