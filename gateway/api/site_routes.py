"""Sites, their people on duty, and what was told to whom."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adapters.codecs.alarm_json import notice_from_record, time_text
from adapters.journal import Told
from alerts.alarm import Role
from alerts.color import SiteColor
from alerts.reading import SECOND
from alerts.site import Site
from gateway.api.context import AtSite, Gateway
from gateway.api.models import DutyBody, GapBody, NotificationBody, NotificationPage, PersonBody, RotaBody, SiteBody, SiteBrief, SourceBody, ZoneBody
from gateway.api.pages import array, fitting, raw

AHEAD: Final = 30 * 24 * 3600 * SECOND
"""How far gaps of the rota are looked for, ns."""
MOST_WORDS: Final = 200

router = APIRouter(tags=["sites"])


@router.get("/sites")
async def sites(view: Gateway) -> list[SiteBrief]:
    """The sites of this gateway, in the order of its file."""
    now = view.clock.now()
    return [_brief(site, view.books[site.site].color(now)) for site in view.sites().values()]


@router.get("/sites/{site}")
async def one_site(view: Gateway, site: AtSite) -> SiteBody:
    """A site and the colors of its zones."""
    now = view.clock.now()
    color = view.books[site.site].color(now)
    zones = [
        ZoneBody(zone=zone.id, name=zone.name, hazard=zone.hazard, color=shown.color, in_service=shown.in_service, of=shown.of, source=zone.source)
        for zone in site.zones
        if (shown := color.zones.get(zone.id)) is not None
    ]
    return SiteBody(**_brief(site, color).model_dump(), at=time_text(now), zones=zones, sources=_sources(site))


def _sources(site: Site) -> list[SourceBody]:
    people = {person.id: PersonBody(person=person.id, name=person.name) for person in site.people}
    return [
        SourceBody(
            source=source.id,
            name=source.name,
            level=source.level,
            filing=source.filing,
            responsible=people.get(source.responsible),
            zones=[zone.id for zone in site.zones if zone.source == source.id],
        )
        for source in site.sources
    ]


def _brief(site: Site, color: SiteColor) -> SiteBrief:
    return SiteBrief(
        site=site.site,
        name=site.name,
        timezone=site.timezone,
        color=color.color,
        active=color.active,
        unacknowledged=color.unacknowledged,
        sensors=len(site.sensors),
    )


@router.get("/sites/{site}/rota")
async def rota(view: Gateway, site: AtSite) -> RotaBody:
    """Who stands for each role now, and every gap of the next 30 days."""
    now = view.clock.now()
    roster = view.rosters[site.site]
    names = {person.id: person.name for person in site.people}
    held = {role for person in site.people for role in person.role} | {rota.role for rota in site.rota}
    duty = [
        DutyBody(role=role, on_duty=[PersonBody(person=person, name=names.get(person, "")) for person in roster.on_duty(role, now)])
        for role in Role
        if role in held
    ]
    gaps = [GapBody(role=gap.role, since=time_text(gap.since), until=time_text(gap.until)) for gap in roster.gaps(now, now + AHEAD)]
    return RotaBody(at=time_text(now), duty=duty, gaps=gaps)


@router.get("/sites/{site}/notifications", response_model=NotificationPage)
async def notifications(view: Gateway, site: AtSite, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Response:
    """The newest messages to people and what became of them. Addresses are not shown."""
    told = await view.journal.told(site.site, limit + 1)
    parts = fitting(told[:limit], _notification)
    return raw({"notifications": array(parts), "truncated": len(parts) < len(told)})


def _notification(told: Told) -> bytes:
    notice = notice_from_record(told.notice)
    shown = NotificationBody(
        alarm=notice.alarm,
        occurrence=notice.occurrence,
        annunciation=notice.annunciation,
        kind=notice.kind,
        step=notice.step,
        round=notice.round,
        person=notice.person,
        channel=notice.channel,
        tier=notice.tier,
        due=time_text(notice.due),
        state=told.state,
        words=told.words[:MOST_WORDS],
    )
    return shown.model_dump_json().encode()
