"""A device's messages through the route that its site file gives them, as far as the codec's last word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.sites import T0, sensor, site

from adapters.codecs.inbound import Unreadable
from adapters.codecs.readings_json import decode
from alerts.reading import RawReading
from alerts.register import Register
from gateway.routes import Routes

OWN = "hazgate/v1/north/rtu-1/readings"
SENSORS = ("GT-101", "GT-102", "XS-1")


@dataclass
class Understood:
    """What came of one message. refused: why nothing did."""

    readings: list[RawReading] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    ignored: int = 0
    offline: list[tuple[str, str]] = field(default_factory=list)
    refused: str = ""


class Receiver:
    """The codec of device rtu-1 with sensors GT-101, GT-102 and XS-1. asked: topics to which a rebirth request went."""

    def __init__(self, codec: Mapping[str, Any], sensors: tuple[str, ...] = SENSORS) -> None:
        made = site(*(sensor(identity) for identity in sensors), devices=[{"id": "rtu-1", "codec": codec}])
        self.routes = Routes(Register([made]))
        self.asked: list[tuple[str, bytes]] = []
        self.routes.sessions.publish = lambda topic, body: self.asked.append((topic, body))

    def hear(self, payload: bytes, topic: str = OWN, arrival: int = T0) -> Understood:
        """One message; fails for anything raised but Unreadable."""
        levels = topic.split("/")
        try:
            session = self.routes.sessions.find(levels)
            if session is not None:
                heard = session[0].take(session[1], session[2], payload, arrival)
                return Understood([r for _, readings in heard.readings for r in readings], heard.unreadable, heard.ignored, heard.offline)
            route, own = self.routes.find(topic, levels), self.routes.own(("north", "rtu-1"))
            if route is not None:
                decoded = route[1](payload, route[2], arrival)
            else:
                assert topic == OWN, f"{topic} is no device's"
                decoded = decode(payload) if own is None else own(payload, None, arrival)
        except Unreadable as error:
            return Understood(refused=str(error))
        return Understood(decoded.readings, decoded.unreadable, decoded.ignored)
