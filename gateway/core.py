"""The domain of one gateway, put together: detection, alarms and chains of all its sites, as the journal left them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from adapters.codecs import alarm_json
from adapters.journal import Recovered
from alerts.admit import Admission
from alerts.alarm import Alarm, Condition, Tier
from alerts.book import Book
from alerts.command import Numbers
from alerts.detect.engine import Engine
from alerts.escalate import Chaser
from alerts.register import Register
from alerts.rota import Roster
from gateway.canary_site import canary_site
from gateway.config import Config
from gateway.own_alarm import OwnAlarm


@dataclass(frozen=True, slots=True)
class Core:
    """What judges and decides; no part of it knows a socket or a file."""

    home: str
    gateway: str
    register: Register
    engine: Engine
    admission: Admission
    numbers: Numbers
    books: dict[str, Book]
    rosters: dict[str, Roster]
    chasers: dict[str, Chaser]

    def standing(self) -> Iterator[Alarm]:
        """Every alarm of every site that is not normal."""
        for book in self.books.values():
            yield from book.alarms().values()

    def spent(self) -> list[tuple[Tier, str]]:
        """Tier and alarm of every chain, on whichever site, that has called everybody in vain."""
        return [(chain.tier, chain.alarm) for chaser in self.chasers.values() for chain in chaser.spent()]

    def own_alarm(self, condition: Condition, found: Callable[[], Iterable[tuple[Tier, str]]]) -> OwnAlarm:
        """The alarm of the gateway itself that stands for what is found."""
        return OwnAlarm(self.books[self.home], self.home, self.gateway, condition, found)

    def own(self) -> list[Condition]:
        """The gateway's own conditions that stand."""
        return [alarm.condition for alarm in self.books[self.home].alarms().values() if alarm.source == self.gateway and alarm.state.active]


def build(config: Config, recovered: Recovered, now: int) -> Core:
    """All parts, with the alarms and chains that the journal held. Silence is counted from `now` (ns)."""
    wanted = config.gateway.canary
    trials = () if wanted is None else (canary_site(wanted, next(site for site in config.sites if site.site == wanted.site)),)
    register = Register([*config.sites, *trials])
    engine = Engine(register, now)
    numbers = Numbers(recovered.last)
    gateway, home = config.gateway.gateway, config.home_site.site
    books: dict[str, Book] = {}
    rosters: dict[str, Roster] = {}
    chasers: dict[str, Chaser] = {}
    for name, site in register.sites.items():
        alarms = [alarm_json.alarm_from_record(record) for (where, _), record in recovered.alarms.items() if where == name]
        chains = {alarm: alarm_json.chain_from_record(record) for (where, alarm), record in recovered.chains.items() if where == name}
        books[name] = Book(site, engine, numbers, alarms=alarms, gateway=gateway if name == home else None)
        rosters[name] = Roster(site)
        chasers[name] = Chaser(site, rosters[name], chains)
    return Core(home, gateway, register, engine, Admission(register), numbers, books, rosters, chasers)
