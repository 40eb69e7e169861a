"""Puts what happened into the forms that leave the gateway: journal rows, records, topics, messages to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.codecs import alarm_json
from adapters.journal import Entry, Outgoing, Row
from alerts.alarm import Alarm, Event, State
from alerts.book import Book
from alerts.command import Numbers
from alerts.escalate import Orders
from alerts.ports import Notice
from alerts.site import Site

PUBLISH = "publish"


class Scribe:
    """Knows topics and forms; decides nothing."""

    def __init__(self, prefix: str, gateway: str, books: Mapping[str, Book], sites: Mapping[str, Site], numbers: Numbers) -> None:
        self._prefix = prefix
        self._gateway = gateway
        self._books = books
        self._sites = sites
        self.numbers = numbers

    def compose(self, events: Sequence[Event], orders: Sequence[tuple[str, Orders]], now: int) -> tuple[Entry, list[tuple[Outgoing, Notice]]]:
        """The transaction that makes a turn durable, and its notices ready to be sent after it."""
        entry = Entry()
        for event in events:
            site = self._sites[event.alarm.site]
            body = alarm_json.event_bytes(event, site)
            entry.rows.append(Row(event.sequence, site.site, event.alarm.id, event.kind, event.at, event.recorded_at, event.key, body))
            topic = f"{self._prefix}/{site.site}/alarm-events"
            entry.outgoing.append(
                Outgoing(f"event/{event.sequence}", event.sequence, site.site, event.alarm.occurrence, PUBLISH, "", topic, body, tier=event.alarm.tier)
            )
        for name, book in self._books.items():
            for alarm in book.touched().values():
                gone = alarm.state is State.NORMAL
                entry.alarms[name, alarm.id] = None if gone else alarm_json.alarm_record(alarm)
                entry.outgoing.append(self.retained(alarm))
        newest = {(event.alarm.site, event.alarm.occurrence): event for event in events}
        notices: list[tuple[Outgoing, Notice]] = []
        for name, order in orders:
            entry.withdrawn.extend(order.withdrawn)
            for alarm_id, chain in order.chains.items():
                entry.chains[name, alarm_id] = None if chain is None else alarm_json.encode_record(chain)
            notices.extend(self._notice(notice, newest.get((notice.site, notice.occurrence)), now) for notice in order.notices)
        entry.outgoing.extend(outgoing for outgoing, _ in notices)
        return entry, notices

    def retained(self, alarm: Alarm) -> Outgoing:
        """The alarm's retained topic as it should be now: empty when its state is normal."""
        owner = f"gateways/{self._gateway}" if alarm.source == self._gateway else alarm.site
        topic = f"{self._prefix}/{owner}/alarms/{alarm.id}"
        body = b"" if alarm.state is State.NORMAL else alarm_json.alarm_bytes(alarm, self._sites[alarm.site])
        return Outgoing(f"alarm/{alarm.site}/{alarm.id}", alarm.sequence, alarm.site, alarm.occurrence, PUBLISH, "", topic, body, retain=True, tier=alarm.tier)

    def _notice(self, notice: Notice, event: Event | None, now: int) -> tuple[Outgoing, Notice]:
        site = self._sites[notice.site]
        told: Event | Alarm = event or self._books[notice.site].alarms()[notice.alarm]
        body = alarm_json.notice_body(told, notice, site, now)
        outgoing = Outgoing(
            notice.key, notice.sequence, notice.site, notice.occurrence, notice.kind, notice.channel, notice.to or "", body,
            tier=notice.tier, due=notice.due, notice=alarm_json.encode_record(notice),
        )  # fmt: skip
        return outgoing, notice

    def unjournaled(self, outgoing: Outgoing) -> Outgoing:
        """The same message for the case that it goes out before the journal holds it: it says so."""
        return replace(outgoing, body=alarm_json.unjournaled(outgoing.body))
