"""Alarms as they stand, and what people answer to them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from adapters.codecs import alarm_json
from alerts import family
from alerts.alarm import Alarm, State, Tier
from gateway.api.commands import COMMAND, Verbs, carry_out
from gateway.api.context import Alarms, AtSite, Gateway, Person
from gateway.api.models import AlarmBody, AlarmDone, AlarmPage
from gateway.api.pages import Limit, Offset, page, raw

AlarmId = Annotated[str, Path(description="an alarm's id, `{source}.{condition}`", max_length=100)]

router = APIRouter(tags=["alarms"], prefix="/sites/{site}/alarms")


class Wanted(BaseModel):
    """Which alarms, and which page of them. A filter may be given several times; left out it lets everything through."""

    model_config = {"extra": "forbid"}

    state: list[State] = Field(default_factory=list)
    tier: list[Tier] = Field(default_factory=list)
    zone: list[str] = Field(default_factory=list)
    limit: Limit = 50
    offset: Offset = 0

    def takes(self, alarm: Alarm) -> bool:
        """Whether an alarm passes all filters."""
        return (
            (not self.state or alarm.state in self.state)
            and (not self.tier or alarm.tier in self.tier)
            and (not self.zone or alarm.zone in self.zone)
        )  # fmt: skip


@router.get("", response_model=AlarmPage)
async def alarms(view: Gateway, site: AtSite, book: Alarms, wanted: Annotated[Wanted, Query()]) -> Response:
    """Every alarm that is not normal: by tier, unacknowledged first, toxic before combustible, elder first."""
    kinds = {sensor.id: sensor.kind for sensor in site.sensors}
    found = family.listing(filter(wanted.takes, book.alarms().values()), lambda alarm: kinds.get(alarm.sensor or ""))
    return page("alarms", found, lambda alarm: alarm_json.alarm_bytes(view.engine.as_stands(alarm), site), offset=wanted.offset, limit=wanted.limit)


@router.get("/{alarm}", response_model=AlarmBody)
async def one_alarm(view: Gateway, site: AtSite, book: Alarms, alarm: AlarmId) -> Response:
    """One alarm. 404 while it is normal: only what is not normal has a record."""
    found = book.alarms().get(alarm)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"{alarm} is normal, or no alarm of site {site.site}")
    return Response(alarm_json.alarm_bytes(view.engine.as_stands(found), site), media_type="application/json")


@router.post("/{alarm}/{verb}", response_model=AlarmDone, openapi_extra=COMMAND)
async def act_on_alarm(view: Gateway, site: AtSite, alarm: AlarmId, verb: Verbs, person: Person, request: Request) -> Response:
    """Carry out a person's command on an alarm. Answers when it is durable, with the alarm as it stands then."""
    await carry_out(view, site, (person, verb), await request.body(), alarm=alarm)
    stands = view.books[site.site].alarms().get(alarm)
    return raw({"ok": True, "alarm": None if stands is None else alarm_json.alarm_bytes(view.engine.as_stands(stands), site)})
