"""What an alarm's source is on its site: a sensor, device, zone, vote, rule, pair or the gateway."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.alarm import Alarm, Condition
from alerts.site import Sensor, Site


class Sources:
    """Finds what stands behind an id. `gateway` is the id under which the gateway's own alarms run in this site, if any do."""

    def __init__(self, site: Site, gateway: str | None) -> None:
        self.gateway = gateway
        self.zones = {zone.id: zone for zone in site.zones}
        self._sensors = {sensor.id: sensor for sensor in site.sensors}
        self._order = {sensor.id: place for place, sensor in enumerate(site.sensors)}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._peers: dict[tuple[str, str], list[Sensor]] = {}
        for sensor in site.sensors:
            self._groups[sensor.device] = (*self._groups.get(sensor.device, ()), sensor.id)
            self._peers.setdefault((sensor.zone, sensor.kind), []).append(sensor)
        self._groups |= {vote.id: vote.of for vote in site.votes} | {pair.id: pair.of for pair in site.pairs}
        self.rules = {rule.id: rule for rule in site.rules}
        self.votes = {vote.id: vote for vote in site.votes}
        self._known = {site.site, gateway, *self._sensors, *self._groups, *self.zones, *self.rules, *(device.id for device in site.devices)}

    def sensor(self, source: str) -> Sensor | None:
        """The sensor of this id, or None if the source is something else."""
        return self._sensors.get(source)

    def place(self, source: str) -> int:
        """The sensor's place in the file; everything else comes after them all."""
        return self._order.get(source, len(self._order))

    def peers(self, sensor: Sensor) -> list[Sensor]:
        """All sensors of the same kind in the same zone, itself included, in file order."""
        return self._peers[sensor.zone, sensor.kind]

    def concerned(self, source: str, members: Iterable[str] = ()) -> tuple[Sensor, ...]:
        """The sensors an alarm of `source` is about: `members` (ids of sensors or of their alarms) if it names any, else what it is made of.

        None for the gateway, whatever its alarm names.
        """
        if source == self.gateway:
            return ()
        ids = [member.split(".", 1)[0] for member in members] or self._groups.get(source, (source,))
        return tuple(self._sensors[each] for each in dict.fromkeys(ids) if each in self._sensors)

    def zone(self, source: str, members: Iterable[str] = ()) -> str | None:
        """The zone of a source; None where it has none, lies in several, or is unknown."""
        if source in self.zones:
            return source
        if source in self.rules:
            return self.rules[source].zone
        zones = {sensor.zone for sensor in self.concerned(source, members)}
        return zones.pop() if len(zones) == 1 else None

    def kind(self, alarm: Alarm) -> str | None:
        """The kind of an alarm's sensor; None for an alarm of something else."""
        sensor = self._sensors.get(alarm.source)
        return None if sensor is None else sensor.kind

    def knows(self, alarm: str) -> bool:
        """Whether `{source}.{condition}` could be an alarm of this site, standing or not."""
        source, _, condition = alarm.partition(".")
        return source in self._known and condition in Condition.__members__.values()
