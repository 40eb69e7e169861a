"""What a device's `codec` must satisfy: keys that its kind takes, paths and topics that are some, names of sensors of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.codecs.mapped import KEYS
from adapters.codecs.paths import compiled
from adapters.codecs.topics import SENSOR, Tree, pattern, sparkplug
from adapters.mqtt import BrokerSettings
from alerts.site import Codec, Device, Sensor
from gateway.config_draft import Finding
from gateway.config_site import SiteDraft
from gateway.config_words import nearest, shown
from gateway.config_yaml import Keys

PREFIX: Final = "hazgate/v1"
"""Where the gateway's topics are unless its file says otherwise."""
_TAKES: Final = {
    "json": {"topic"},
    "mapped": {"topic", "paths", "values", "names", "units", "qualities", "time"},
    "senml": {"topic", "names", "units"},
    "sparkplug": {"topic", "names"},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One device under examination, and the sensors that name it."""

    keys: Keys
    device: Device
    sensors: frozenset[str]

    @property
    def codec(self) -> Codec:
        """How it is read."""
        return self.device.codec

    def at(self, *keys: str | int) -> Keys:
        """The place of a key of its codec."""
        return (*self.keys, "codec", *keys)


def check_codecs(draft: SiteDraft) -> None:
    """Note everything that is wrong with a device's codec, as far as its site file alone can say."""
    for case in _cases(draft):
        for rule in RULES:
            draft.errors(rule(case))


def check_topics(broker: object, sites: Sequence[SiteDraft]) -> None:
    """Note devices' topics that are the gateway's own, or another device's: over all sites, for they share one broker."""
    prefix = broker.prefix if isinstance(broker, BrokerSettings) else PREFIX
    patterns: Tree[str] = Tree()
    at_edges: dict[tuple[object, str | None], str] = {}
    for site in sites:
        for case in _cases(site):
            topic = case.codec.topic
            if topic is None:
                continue
            try:
                if case.codec.kind == "sparkplug":
                    place = sparkplug(topic)
                    _taken(site, case, at_edges.get(place))
                    at_edges.setdefault(place, case.device.id)
                    continue
                own = pattern(topic)
            except ValueError:
                continue
            if own.reaches(prefix):
                site.add(case.at("topic"), f"{shown(topic)} reaches into {prefix}/…, which are the gateway's own topics; leave topic out or name another")
            _taken(site, case, next(patterns.find(own.filter.split("/")), None))
            patterns.add(own, case.device.id)


def _taken(site: SiteDraft, case: Case, other: str | None) -> None:
    if other is not None:
        site.add(case.at("topic"), f"a message to {shown(case.codec.topic)} could be of device {other} as well; a topic belongs to one device")


def _cases(draft: SiteDraft) -> Iterator[Case]:
    publishing: dict[str, set[str]] = {}
    for _, sensor in draft.entries("sensors", Sensor):
        publishing.setdefault(sensor.device, set()).add(sensor.id)
    for keys, device in draft.entries("devices", Device):
        yield Case(keys, device, frozenset(publishing.get(device.id, ())))


def _keys(case: Case) -> Iterator[Finding]:
    kind = case.codec.kind
    for key in sorted(case.codec.model_fields_set - {"kind"} - _TAKES[kind]):
        yield case.at(key), f"means nothing to the kind {kind}; it takes {', '.join(sorted(_TAKES[kind]))}"


def _topic(case: Case) -> Iterator[Finding]:
    codec = case.codec
    if codec.topic is None:
        if codec.kind == "sparkplug":
            yield case.at("topic"), "is missing; write spBv1.0/GROUP/+/EDGE or spBv1.0/GROUP/+/EDGE/DEVICE"
        return
    try:
        sparkplug(codec.topic) if codec.kind == "sparkplug" else pattern(codec.topic)
    except ValueError as error:
        yield case.at("topic"), str(error)
    if SENSOR in codec.topic and codec.kind != "mapped":
        yield case.at("topic"), f"{SENSOR} is for the kind mapped; the payload of {codec.kind} names its sensors itself"


def _paths(case: Case) -> Iterator[Finding]:
    codec = case.codec
    for key, text in codec.paths.items():
        if key not in KEYS:
            yield case.at("paths", key), f"is nothing that a path can lead to{nearest(key, KEYS)}; those are {', '.join(KEYS)}"
            continue
        yield from _path(case.at("paths", key), text, each=key == "each")
    for sensor, text in codec.values.items():
        yield from _path(case.at("values", sensor), text, each=False)


def _path(keys: Keys, text: str, *, each: bool) -> Iterator[Finding]:
    try:
        compiled(text, several=each)
    except ValueError as error:
        yield keys, str(error)


def _value(case: Case) -> Iterator[Finding]:
    """A mapping must say where the value is, and whose it is, in one way."""
    codec = case.codec
    if codec.kind != "mapped":
        return
    named = [way for way, there in ((f"{SENSOR} in topic", SENSOR in (codec.topic or "")), ("paths.sensor", "sensor" in codec.paths)) if there]
    if bool(codec.values) == ("value" in codec.paths):
        yield case.at("paths", "value"), "write either the path of the value, paths: {value: $.v}, or that of each sensor, values: {GT-101: $.gas1}"
    elif codec.values and named:
        yield case.at("values"), f"says whose each value is, and so does {named[0]}; leave one out"
    elif len(named) > 1:
        yield case.at("paths", "sensor"), f"names the sensor, and so does {named[0]}; leave one out"
    elif not codec.values and not named and len(case.sensors) > 1:
        yield case.at("paths", "sensor"), f"is missing: the device has {len(case.sensors)} sensors, and nothing says which one a value is of"


def _names(case: Case) -> Iterator[Finding]:
    named = [("values", sensor, sensor) for sensor in case.codec.values] + [("names", name, sensor) for name, sensor in case.codec.names.items()]
    for key, place, sensor in named:
        if case.sensors and sensor not in case.sensors:
            yield case.at(key, place), f"{shown(sensor)} is no sensor of the device {case.device.id}{nearest(sensor, case.sensors)}"


def _unit(case: Case) -> Iterator[Finding]:
    """A device cannot be asked for a unit that its codec never reads."""
    codec = case.codec
    if case.device.unit == "optional" or codec.kind in ("json", "senml"):
        return
    if codec.kind == "sparkplug":
        yield (*case.keys, "unit"), "cannot be required: a metric of Sparkplug carries none, so every reading would be in doubt; leave it out"
    elif "unit" not in codec.paths:
        yield (*case.keys, "unit"), 'is required, and no path leads to it; write paths: {unit: "$.…"}, or leave `unit: required` out'


RULES: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (_keys, _topic, _paths, _value, _names, _unit)
"""Every rule about one device's codec."""
