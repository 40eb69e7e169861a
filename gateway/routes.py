"""Which codec reads which topic: devices of the site files that publish in their own way, or to a topic of their own."""

from __future__ import annotations

from adapters.codecs.inbound import Decode
from adapters.codecs.topics import Pattern, pattern, sparkplug
from adapters.registry import make_codec
from alerts.register import Register
from alerts.site import Device
from gateway.sparkplug import Member, Origin, Sessions

MOST_KNOWN = 10_000
"""Topics whose device is remembered, so that a pattern is looked for once."""


class Routes:
    """Finds codec and device of a message. Devices without an entry in `devices`, and those of kind json, need none."""

    def __init__(self, register: Register) -> None:
        """Raises ValueError for a codec that the loader should have refused."""
        self.sessions = Sessions()
        self._own: dict[Origin, Decode] = {}
        self._patterns: list[tuple[Pattern, Origin, Decode]] = []
        self._known: dict[str, tuple[Origin, Decode, str | None] | None] = {}
        for site in register.sites.values():
            for device in site.devices:
                self._add((site.site, device.id), device, [point.sensor.id for point in register.device(site.site, device.id)])

    def _add(self, origin: Origin, device: Device, sensors: list[str]) -> None:
        codec = device.codec
        if codec.kind == "sparkplug":
            edge, name = sparkplug(codec.topic or "")
            self.sessions.add(edge, name, Member(origin, {sensor: sensor for sensor in sensors} | codec.names))
        elif codec.topic is not None:
            self._patterns.append((pattern(codec.topic), origin, make_codec(codec, sensors)))
        elif codec.kind != "json":
            self._own[origin] = make_codec(codec, sensors)

    def filters(self) -> dict[str, int]:
        """Topic filters to subscribe to, with their QoS."""
        return dict.fromkeys((*(each.filter for each, _, _ in self._patterns), *self.sessions.filters()), 1)

    def own(self, origin: Origin) -> Decode | None:
        """What reads a device's messages on the gateway's own topic; None for the native format."""
        return self._own.get(origin)

    def find(self, topic: str, levels: list[str]) -> tuple[Origin, Decode, str | None] | None:
        """Device, codec, and what the topic says at `{sensor}`; None for a topic that is no device's."""
        if topic not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = next((entry for entry in self._patterns if entry[0].match(levels)), None)
            self._known[topic] = None if found is None else (found[1], found[2], found[0].name(levels))
        return self._known[topic]
