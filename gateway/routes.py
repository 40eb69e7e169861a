"""Which codec reads which topic: devices of the site files that publish in their own way, or to a topic of their own."""

from __future__ import annotations

from copy import copy

from adapters.codecs.inbound import Decode
from adapters.codecs.topics import Pattern, Tree, pattern, sparkplug
from adapters.registry import make_codec
from alerts.register import Register
from alerts.site import Device
from gateway.sparkplug import Member, Origin, Sessions


class Routes:
    """Finds codec and device of a message. Devices without an entry in `devices`, and those of kind json, need none."""

    def __init__(self, register: Register) -> None:
        """Raises ValueError for a codec that the loader should have refused."""
        self.sessions = Sessions()
        self.own: dict[Origin, Decode] = {}
        """What reads a device's messages on the gateway's own topic; the native format where it has no entry."""
        self._patterns: list[Pattern] = []
        self._tree: Tree[tuple[Pattern, Origin, Decode]] = Tree()
        for site in register.sites.values():
            for device in site.devices:
                self._add((site.site, device.id), device, [point.sensor.id for point in register.device(site.site, device.id)])

    def _add(self, origin: Origin, device: Device, sensors: list[str]) -> None:
        codec = device.codec
        if codec.kind == "sparkplug":
            edge, name = sparkplug(codec.topic or "")
            self.sessions.add(edge, name, Member(origin, {sensor: sensor for sensor in sensors} | codec.names))
        elif codec.topic is not None:
            own = pattern(codec.topic)
            self._patterns.append(own)
            self._tree.add(own, (own, origin, make_codec(codec, sensors)))
        elif codec.kind != "json":
            self.own[origin] = make_codec(codec, sensors)

    def fork(self) -> Routes:
        """The same for a second connection, which hears the same edges on its own: what either learns from here on the other does not know."""
        other = copy(self)
        other.sessions = self.sessions.fork()
        return other

    def filters(self) -> dict[str, int]:
        """Topic filters to subscribe to, with their QoS."""
        return dict.fromkeys((*(each.filter for each in self._patterns), *self.sessions.filters()), 1)

    def find(self, levels: list[str]) -> tuple[Origin, Decode, str | None] | None:
        """Device, codec, and what the topic says at `{sensor}`; None for a topic that is no device's."""
        for own, origin, decode in self._tree.find(levels):
            return origin, decode, own.name(levels)
        return None
