"""Sensors as they stand, and work on them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from adapters.codecs.alarm_json import time_text
from alerts.alarm import Condition
from alerts.detect.batch import Sick
from alerts.detect.health import CONDITION
from alerts.edge import Latest
from alerts.reading import SECOND
from alerts.register import Point
from gateway.api.commands import COMMAND, Verbs, carry_out
from gateway.api.context import AtSensor, AtSite, Gateway, Person
from gateway.api.models import LimitsBody, SensorBody, SensorDone, SensorHealth, SensorPage
from gateway.api.pages import Limit, Offset, page, raw
from gateway.view import View

SICKNESS: Final = {**CONDITION, Sick.OFFLINE: Condition.OFFLINE}

router = APIRouter(tags=["sensors"], prefix="/sites/{site}/sensors")


@router.get("", response_model=SensorPage)
async def sensors(view: Gateway, site: AtSite, limit: Limit = 100, offset: Offset = 0) -> Response:
    """The sensors of a site, in the order of its file, each with its newest value."""
    points = [point for point in view.register if point.site is site]
    return page("sensors", points, lambda point: _body(view, point).model_dump_json().encode(), offset=offset, limit=limit)


@router.get("/{sensor}")
async def one_sensor(view: Gateway, sensor: AtSensor) -> SensorBody:
    """One sensor with its newest value."""
    return _body(view, sensor)


@router.post("/{sensor}/{verb}", response_model=SensorDone, openapi_extra=COMMAND)
async def act_on_sensor(view: Gateway, sensor: AtSensor, verb: Verbs, person: Person, request: Request) -> Response:
    """Carry out a person's command on a sensor. Answers when it is durable."""
    await carry_out(view, sensor.site, (person, verb), await request.body(), sensor=sensor.sensor.id)
    return raw({"ok": True, "sensor": _body(view, sensor).model_dump_json().encode()})


def _body(view: View, point: Point) -> SensorBody:
    sensor = point.sensor
    now = view.clock.now()
    latest = view.engine.latest(point.site.site, sensor.id, now)
    bits = int(view.engine.columns.sick[point.index])
    return SensorBody(
        sensor=sensor.id,
        kind=sensor.kind,
        gas=sensor.gas,
        zone=sensor.zone,
        device=sensor.device,
        place=sensor.place,
        unit=sensor.unit,
        value=latest.value,
        state=None if latest.value is None else sensor.state(latest.value),
        time=None if latest.time is None else time_text(latest.time),
        arrival=None if latest.arrival is None else time_text(latest.arrival),
        age=None if latest.arrival is None else (now - latest.arrival) / SECOND,
        rate_per_minute=latest.per_minute,
        health=_health(latest, bits),
        sick=[condition for reason, condition in SICKNESS.items() if bits & reason],
        good=latest.good,
        over_range=latest.over_range,
        range=sensor.range,
        limits=LimitsBody(**sensor.limits.model_dump(exclude={"override_reason"})),
        commissioned=sensor.commissioned,
    )


def _health(latest: Latest, bits: int) -> SensorHealth:
    if latest.healthy:
        return SensorHealth.HEALTHY
    return SensorHealth.SICK if latest.heard or bits else SensorHealth.UNHEARD
