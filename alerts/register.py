"""Every sensor of every site of this gateway, numbered: the index that the columns of a batch carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from alerts.site import Sensor, Site


@dataclass(frozen=True, slots=True)
class Point:
    """One sensor in its site. `index` is its number in every array of detection."""

    index: int
    site: Site
    sensor: Sensor


class Register:
    """Finds sensors by site and id, by device and by index. Sensor ids are unique within a site only."""

    def __init__(self, sites: Iterable[Site]) -> None:
        """Number the sensors of `sites` in file order, from 0."""
        self.sites: dict[str, Site] = {site.site: site for site in sites}
        everyone = ((site, sensor) for site in self.sites.values() for sensor in site.sensors)
        self.points: list[Point] = [Point(index, site, sensor) for index, (site, sensor) in enumerate(everyone)]
        self._by_id = {(p.site.site, p.sensor.id): p for p in self.points}
        self._by_device: dict[tuple[str, str], list[Point]] = {}
        for point in self.points:
            self._by_device.setdefault((point.site.site, point.sensor.device), []).append(point)

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __getitem__(self, index: int) -> Point:
        return self.points[index]

    def find(self, site: str, sensor: str) -> Point | None:
        """The sensor with this id, or None."""
        return self._by_id.get((site, sensor))

    def index(self, site: str, sensor: str) -> int | None:
        """Its number, or None."""
        point = self._by_id.get((site, sensor))
        return None if point is None else point.index

    def device(self, site: str, device: str) -> list[Point]:
        """The sensors of a device; empty for an unknown one."""
        return self._by_device.get((site, device), [])

    def devices(self) -> Iterable[tuple[str, str]]:
        """Every (site, device) that a sensor names."""
        return self._by_device.keys()
