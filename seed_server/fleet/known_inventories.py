"""What the database knows of PCs, as an expression asks for it: read once, when it is asked for. Blocking."""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.manifest.expression import Fact
from p2pdist.shared.manifest.facts import FACTS, FactType, FactValue, Packages
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from seed_server.fleet.inventory_answer import Asked
from seed_server.store.pc_sets import numbers_of, pcs_of
from seed_server.store.tables_inventory import BLOCK_PCS

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.inventory_sets import InventoriedPc

TOLD_AHEAD_SECONDS = DAY_SECONDS  # that this server's clock may be set back: less is no wrong clock

_TYPES: Mapping[FactType, type] = {
    FactType.TRUTH: bool,
    FactType.NUMBER: int,
    FactType.TEXT: str,
    FactType.TEXTS: tuple,
}


class Lately(NamedTuple):
    """When a PC has to have told what it is and has, so that it counts, in seconds since 1970."""

    since: float
    until: float
    """What is later was told while this server's clock was ahead: nobody knows when."""

    @classmethod
    def within(cls, days: float, now: float) -> "Lately":
        """Return the last ``days``."""
        return cls(now - days * DAY_SECONDS, now + TOLD_AHEAD_SECONDS)

    def holds(self, told_at: float | None) -> bool:
        """Whether it was then."""
        return told_at is not None and self.since <= told_at <= self.until


class TimeLimit:
    """How long a question may take."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._begun = clock.monotonic()

    def check(self) -> None:
        """Raise `UserError` (FAILED) when it has taken too long."""
        if self._clock.monotonic() - self._begun > self._seconds:
            raise UserError(
                f"The question is given up: it has taken more than {self._seconds:g} s. Ask about one site with "
                "--site, make it simpler, or give it longer with --seconds."
            )


class KnownInventories:
    """What is known of some PCs, and is not too old. A `inventory_answer.PcKnowledge`.

    Every method raises `UserError`; FAILED when the time is over.
    """

    def __init__(
        self,
        database: "Database",
        pcs: Sequence["InventoriedPc"],
        lately: Lately,
        facts: AbstractSet[str],
        limit: TimeLimit,
    ) -> None:
        """``facts``: all that will be asked for, of `FACTS`."""
        self._database, self._limit = database, limit
        self._pcs = [pc for pc in pcs if lately.holds(pc.told_at)]
        self.everyone = pcs_of(pc.number for pc in self._pcs)
        self.complete = pcs_of(pc.number for pc in self._pcs if pc.all_packages)
        self._told = sorted(facts - {"site", "tags"})
        self._facts: dict[str, list[tuple[FactValue, list[int]]]] | None = None
        self._packages: dict[str, list[tuple[Ecosystem, str, int]]] = {}

    def fact(self, name: str) -> Sequence[tuple[FactValue, Sequence[int]]]:
        """Return every value that a PC has, which is of the fact's own type, with the numbers of PCs that have it."""
        self._limit.check()
        if self._facts is None:
            self._facts = self._read_facts()
        return self._facts[name]

    def package(self, name: str) -> Sequence[tuple[Ecosystem, str, int]]:
        """Return every version that a PC has: its ecosystem, its text, and the set of PCs that have it."""
        self._limit.check()
        if name not in self._packages:
            held = self._database.holders_of(name, {pc.number // BLOCK_PCS for pc in self._pcs})
            self._packages[name] = [
                (software.ecosystem, software.version, pcs & self.everyone)
                for software, pcs in held
                if pcs & self.everyone
            ]
            self._limit.check()
        return self._packages[name]

    def texts_of(self, asked: Asked, pcs: Collection[int]) -> dict[int, str]:
        """Return values of a fact, or versions of a package, by the numbers of those of ``pcs`` that have one."""
        name = asked.name
        if isinstance(asked, Fact):
            return {number: _text(value) for value, numbers in self.fact(name) for number in numbers if number in pcs}
        found: dict[int, str] = {}
        for ecosystem in Ecosystem:  # of a name in two of them, the first counts
            here = {
                number: version
                for of, version, has in self.package(name)
                if of is ecosystem and name in Packages({of: {name: version}})
                for number in numbers_of(has)
                if number in pcs
            }
            found = here | found
        return found

    def _read_facts(self) -> dict[str, list[tuple[FactValue, list[int]]]]:
        names = (*self._told, "site", "tags")
        values: dict[str, dict[tuple[type, Any], list[int]]] = {name: {} for name in names}  # 1 is not True
        for pc in self._pcs:
            for name, value in (("site", pc.site), ("tags", tuple(pc.tags.split()))):
                values[name].setdefault((type(value), value), []).append(pc.number)
        if self._told:
            known = {pc.number for pc in self._pcs}
            for number, told in self._database.told_facts_of_all(self._told):
                if number in known:
                    for name, value in zip(self._told, map(_hashable, told), strict=True):
                        values[name].setdefault((type(value), value), []).append(number)
            self._limit.check()
        read = {name: [(_fact_value(name, value), of) for (_, value), of in values[name].items()] for name in names}
        return {name: [(value, of) for value, of in pairs if value is not None] for name, pairs in read.items()}


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _fact_value(name: str, told: Any) -> FactValue | None:
    """Return what a PC has told, where it is of the fact's type; else it is as if it had not told it."""
    wanted = FACTS[name].type
    if wanted is FactType.VERSION and isinstance(told, str):
        try:
            return parse_version(told, Ecosystem.GENERIC)
        except InvalidVersionError:
            return None
    return cast("FactValue", told) if type(told) is _TYPES.get(wanted) else None


def _text(value: FactValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)
