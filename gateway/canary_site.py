"""The canary's own site: one made-up sensor, and the people whose channels are tried."""

from __future__ import annotations

import datetime as dt

from alerts.alarm import Condition, Role, Tier
from alerts.site import Chain, Escalation, LastResort, Limits, Person, Rota, Sensor, Shift, Site, Telling, Zone
from alerts.suppress import CANARY
from alerts.units import duration
from gateway import settings


def canary_site(wanted: settings.Canary, of: Site) -> Site:
    """The canary's own site; `of` is the one whose people are told."""
    told = tuple(person for person in of.people if person.id in wanted.tell)
    step = (Chain(steps=(Telling(tell=wanted.tell),)),)
    return Site(
        site=CANARY,
        name="tries the path to people",
        timezone=of.timezone,
        zones=(Zone(id="path"),),
        sensors=(_sensor(wanted.every),),
        people=(*told, Person(id=CANARY, role=(Role.OFFICER,))),
        rota=(Rota(role=Role.OFFICER, shifts=(Shift.model_validate({"people": [CANARY], "from": "00:00", "to": "24:00"}),)),),
        escalation=Escalation(red=step, orange=step, yellow=step, blue=step),
        last_resort=LastResort(tell=wanted.tell),
    )


def _sensor(every: int) -> Sensor:
    # it never counts as silent: `canary_failed` says more
    return Sensor(
        id=CANARY,
        kind=CANARY,
        zone="path",
        device=CANARY,
        range=(0.0, 1.0),
        interval=every,
        stale=duration("100y"),
        limits=Limits(high=1.0),
        deadband=0.5,
        tiers={Condition.HIGH: Tier.YELLOW},
        place="none: this is a trial of the path that alarms take",
        action="none: it ends by itself",
        commissioned=dt.date(2000, 1, 1),
    )
