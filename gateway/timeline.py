"""What happened, row by row, in words and in the site's own time: the journal as people read it in an inquiry."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from adapters.codecs.alarm_json import notice_from_record, time_text
from adapters.codecs.chain import Note
from adapters.journal_files import Kept
from alerts.reading import SECOND
from alerts.site import Site
from gateway.inquiry import Stretch

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATE: Final = SECOND
"""An event that was recorded so much later than it happened says so."""
_HEADER: Final = """\
Journal of the gateway {gateway}, rows {first} to {last}
Each line: when it happened in the site's time, the same in UTC, the row's number, the site, what happened.
Under an event stand the messages to people that it caused, later steps too, with the time at which they were due.
"""


def timeline(wanted: Stretch, gateway: str, sites: Sequence[Site]) -> Iterator[str]:
    """Lines of text: a header, then a line for each row and each message to a person.

    Rows of a site that is no longer configured, and the journal's own, are in UTC alone. The chain covers the rows; messages are not part of it.
    """
    zones = {site.site: zoneinfo.ZoneInfo(site.timezone) for site in sites}
    yield _HEADER.format(gateway=gateway, first=wanted.first, last=wanted.last)
    messages = wanted.messages()
    for row in wanted.rows():
        zone = zones.get(row.site)
        yield _row(row, zone)
        yield from (f"    {_message(record, zone)}" for record in messages.get(row.sequence, ()))


def _row(row: Kept, zone: zoneinfo.ZoneInfo | None) -> str:
    if not row.typed:
        return f"row {row.sequence} cannot be read"
    try:
        said: dict[str, Any] = dict(json.loads(row.body))
    except (ValueError, TypeError, RecursionError):
        said = {}
    words = _note(row.event, said) if row.site == "" else chain(_event(row, said), _changes(said))
    late = [f"recorded {(row.recorded_at - row.at) / SECOND:.1f} s later"] if row.recorded_at - row.at > LATE else []
    return "  ".join((_time(row.at, zone), f"#{row.sequence}", row.site or "journal", " | ".join([*words, *late])))


def _event(row: Kept, said: Mapping[str, Any]) -> Iterator[str]:
    yield f"{str(said.get('tier', '')).upper()} {row.alarm} {row.event}".strip()
    if said.get("from") != said.get("to"):
        yield f"{said.get('from')} -> {said.get('to')}"
    if said.get("value") is not None:
        shown = {name: said[name] for name in ("limit", "peak") if said.get(name) is not None}
        beside = f" ({', '.join(f'{name} {value:g}' for name, value in shown.items())})" if shown else ""
        yield f"{said['value']:g} {said.get('unit') or ''}".strip() + beside
    yield from (words for key, words in _FLAGS.items() if said.get(key))
    if said.get("journaled") is False:
        yield "told before the journal held it"
    yield from (_suppressed(each) for each in said.get("suppression") or ())
    if said.get("by"):
        yield f"by {said['by']}"
    yield from (f"{name}: {said[name]}" for name in ("comment", "place") if said.get(name))


_FLAGS: Final = {"value_lost": "its value is lost", "over_range": "over range", "late": "in the past, not live", "first_out": "the first of its zone"}


def _suppressed(each: Mapping[str, Any]) -> str:
    reason, until = each.get("reason"), each.get("until")
    return f"{each.get('kind')} by {each.get('by')}" + (f" until {until}" if until else "") + (f": {reason}" if reason else "")


def _changes(said: Mapping[str, Any]) -> Iterator[str]:
    """What a changed configuration says."""
    if "changes" not in said:
        return
    change = said.get("change") or {}
    who = f" by {change.get('by')}" + (f", approved {change['approved']}" if change.get("approved") else ", not approved")
    yield f"configuration {str(said.get('hash'))[:12]}{who if change else ''}, changes: {len(said['changes'])}"
    yield from (f"{each.get('key')}: {each.get('before')} -> {each.get('after')}" for each in said["changes"])


def _note(event: str, said: Mapping[str, Any]) -> Iterator[str]:
    """What the journal notes about itself."""
    if event == Note.CLOSED:
        yield f"rows {said.get('first')} to {said.get('last')} were closed into {said.get('file')}"
    elif event == Note.FORGOTTEN:
        yield f"{said.get('file')}, rows {said.get('first')} to {said.get('last')}, was kept long enough and given up"
    elif event == Note.SALVAGED:
        yield f"damage was cut out after row {said.get('last')}; the old file, with {said.get('cut')} rows more, is in {said.get('kept')}"
    else:
        yield event


def _message(record: tuple[bytes, str, str], zone: zoneinfo.ZoneInfo | None) -> str:
    body, state, words = record
    try:
        notice = notice_from_record(body)
    except ValueError:
        return "a message that cannot be read"
    said = f": {words[:200]}" if words else ""
    return f"{_time(notice.due, zone)}  {notice.kind} to {notice.person} over {notice.channel} (step {notice.step}, round {notice.round})  {state}{said}"


def _time(at: int, zone: zoneinfo.ZoneInfo | None) -> str:
    """A time in ns in the site's zone with its offset, and in UTC."""
    if zone is None:
        return time_text(at)
    here = (_EPOCH + dt.timedelta(milliseconds=at // 1_000_000)).astimezone(zone)
    return f"{here.isoformat(sep=' ', timespec='milliseconds')} ({time_text(at)})"
