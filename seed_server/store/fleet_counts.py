"""How many PCs stand how to patches, from tallies and sums alone: the rows of a large fleet are not read. Blocking.

PCs that are denied are counted nowhere. Times are seconds since `tables.REPORTED_SINCE`.
"""

from collections.abc import Callable, Collection, Iterable

import msgspec
from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, distinct, func, literal_column, not_, select

from seed_server.store.count_rows import (
    EndpointCounts,
    FinishedLately,
    FleetCounts,
    PatchHead,
    ReasonCount,
    Said,
    SaidReasons,
)
from seed_server.store.event_months import hot_events
from seed_server.store.interned import parts
from seed_server.store.tables import (
    ENDPOINTS,
    INSTALL_CODES,
    PATCH_CODES,
    PATCHES,
    PAYLOADS,
    REPORTED_SINCE,
    SAID_PLACES,
    SITES,
    STANDING,
    STANDING_NOTES,
    TALLIES,
    TEXTS,
    said_code,
    states_of,
)
from seed_server.store.transactions import Transactions

MAX_EVENTS = 50_000  # that are looked at for the pace: the newest ones
MAX_EXAMPLES = 4  # of the PCs that give one reason

DONE_INSTALLS = ("", "installed")  # nothing is to be said of these

_PLACES = literal_column(str(SAID_PLACES), Integer)  # PostgreSQL groups by an expression only if no value is in it


def code_of(said: Iterable[Said]) -> list[int]:
    """Return numbers for what PCs say, as the column `said` has them."""
    return [said_code(*one) for one in said]


def codes_with(installs: Collection[str]) -> list[int]:
    """Return what a PC may say whose installation is in one of these states."""
    return code_of((state, install) for state in PATCH_CODES for install in sorted(installs))


class FleetCountTable(Transactions):
    """The part of `Database` that counts; raises as all of it."""

    def patch_heads(self) -> list[PatchHead]:
        """Return all published patches, in the order of their sequence."""
        columns = [PATCHES.c[name] for name in PatchHead.__struct_fields__[:-1]]
        query = select(*columns, PAYLOADS.c.length_bytes).join_from(PATCHES, PAYLOADS).where(PAYLOADS.c.place == 0)
        with self.reading() as connection:
            rows = connection.execute(query.order_by(PATCHES.c.sequence, PATCHES.c.patch_id, PATCHES.c.version))
            return [PatchHead(**row) for row in rows.mappings()]

    def damages(self) -> dict[int, str]:
        """Return why patches cannot be served, by their numbers: what is wrong with the first damaged payload."""
        query = select(PAYLOADS.c.patch, PAYLOADS.c.damaged).where(PAYLOADS.c.damaged != "").order_by(
            PAYLOADS.c.patch, PAYLOADS.c.place.desc()
        )  # fmt: skip
        with self.reading() as connection:
            return dict(connection.execute(query).all())  # the first of each comes last

    def site_number(self, name: str) -> int | None:
        """Return the number of the site with this name; None: no PC was ever seen there, and nothing sent."""
        with self.reading() as connection:
            return connection.scalar(select(SITES.c.number).where(SITES.c.name == name))

    def endpoints_at(self, site: str) -> int:
        """Return how many PCs that are not denied were seen last at the site with this name."""
        of_site = ENDPOINTS.c.site == select(SITES.c.number).where(SITES.c.name == site).scalar_subquery()
        with self.reading() as connection:
            return connection.scalar(select(func.count()).where(not_(ENDPOINTS.c.denied), of_site)) or 0

    def endpoint_counts(self, site: int | None = None) -> EndpointCounts:
        """Return how many PCs are how, everywhere or in one site."""
        with self.reading() as connection:
            return _endpoint_counts(connection, site)

    def fleet_counts(
        self, patches: Collection[int], unfinished: Collection[Said], *, site: int | None = None
    ) -> FleetCounts:
        """Return how PCs stand to ``patches``; ``unfinished``: what those say that are under way."""
        with self.reading() as connection:
            endpoints = _endpoint_counts(connection, site)
            states = _states(connection, patches, site)
            going_on = [
                patch for patch, said in states.items() if any(said.get(one) for one in unfinished)
            ]  # fmt: skip
            connected = {}
            if endpoints.allowed_connected == endpoints.allowed:
                connected = {patch: sum(states[patch].get(one, 0) for one in unfinished) for patch in going_on}
            elif endpoints.allowed_connected and going_on:
                connected = _connected(connection, going_on, unfinished, site)
            return FleetCounts(endpoints, states, connected)

    def said_of(self, patches: Collection[int], said: Collection[Said], *, site: int | None = None) -> dict[int, int]:
        """Return of each patch how many PCs say one of ``said``; a patch of which nobody does is left out."""
        query = select(TALLIES.c.patch, func.sum(TALLIES.c.endpoints)).where(
            TALLIES.c.patch.in_(sorted(patches)), TALLIES.c.said.in_(code_of(said)), *_in_site(TALLIES.c.site, site)
        )  # fmt: skip
        with self.reading() as connection:
            return {patch: int(count) for patch, count in connection.execute(query.group_by(TALLIES.c.patch))}

    def under_way_at(
        self, sites: Collection[str], patches: Collection[int], unfinished: Collection[Said]
    ) -> dict[str, int]:
        """Return of how many of ``patches`` PCs at these sites say one of ``unfinished``; without those with none."""
        codes = code_of(unfinished)
        found: dict[str, int] = {}
        with self.reading() as connection:
            for part in parts(sorted(sites)):
                numbers = connection.scalars(select(SITES.c.number).where(SITES.c.name.in_(part))).all()
                query = (
                    select(SITES.c.name, func.count(TALLIES.c.patch.distinct()))
                    .join_from(TALLIES, SITES)
                    .where(TALLIES.c.patch.in_(sorted(patches)), TALLIES.c.site.in_(numbers), TALLIES.c.said.in_(codes))
                )
                found |= dict(connection.execute(query.group_by(SITES.c.name)).all())
        return found

    def said_between(self, patch: int) -> dict[Said, tuple[float, float]]:
        """Return of each word about a patch when the first and the last of its PCs spoke that say it now, since 1970.

        A PC speaks when something changes; what it says stands until then.
        """
        at = STANDING.c.reported_at
        query = select(STANDING.c.said, func.min(at), func.max(at)).where(
            STANDING.c.patch == patch, STANDING.c.endpoint.in_(_allowed(None))
        )
        with self.reading() as connection:
            return {
                states_of(said): (float(first + REPORTED_SINCE), float(last + REPORTED_SINCE))
                for said, first, last in connection.execute(query.group_by(STANDING.c.said))
            }

    def reasons_with(self, meant: Callable[[str], bool]) -> SaidReasons:
        """Return the reasons that PCs give and that are meant; each is looked at once, however many give it."""
        installs = select(TEXTS.c.number, TEXTS.c.text).where(TEXTS.c.text != "")
        files = select(STANDING_NOTES.c.error).where(STANDING_NOTES.c.error != "").distinct()
        with self.reading() as connection:
            return SaidReasons(
                {number: text for number, text in connection.execute(installs) if meant(text)},
                frozenset(filter(meant, connection.scalars(files))),
            )

    def patches_with_reason(self, patches: Collection[int], reasons: SaidReasons) -> set[int]:
        """Return to which of ``patches`` somebody gives one of these reasons."""
        tallied = select(TALLIES.c.patch).where(TALLIES.c.reason.in_(sorted(reasons.of_install))).distinct()
        noted = select(STANDING_NOTES.c.patch).where(STANDING_NOTES.c.error.in_(sorted(reasons.of_file))).distinct()
        with self.reading() as connection:
            return set(patches) & {*connection.scalars(tallied), *connection.scalars(noted)}

    def reason_counts(
        self,
        patches: Collection[int],
        *,
        most: int,
        without: Collection[str] = (),
        site: int | None = None,
        of_many: bool = False,
    ) -> list[ReasonCount]:
        """Return the reasons that most PCs give for how they stand to ``patches``, with some of these PCs.

        Those of failures come first. ``without``: the states of an installation of which none are wanted. ``of_many``:
        of failures, the first one of each patch comes before the second one of any.
        """
        with self.reading() as connection:
            looked_at = most * len(patches) if of_many else most
            found = _install_reasons(connection, patches, looked_at, {*DONE_INSTALLS, *without}, site)
            found += _file_errors(connection, patches, looked_at, site)
            found.sort(key=lambda one: (one.state not in _FAILURES, -one.endpoints, one.patch, one.reason))
            if of_many:
                first = {one.patch: one for one in reversed(found)}
                found.sort(key=lambda one: (one.state not in _FAILURES, one is not first[one.patch]))
            return [_with_examples(connection, one, site) for one in found[:most]]

    def paces(
        self,
        since: float,
        installed: Collection[Said],
        delivered: Collection[Said],
        *,
        site: int | None = None,
        most: int = MAX_EVENTS,
    ) -> dict[int, FinishedLately]:
        """Return how many PCs have come to the end of each patch since a time, of the last ``most`` steps."""
        begin = int(since) - REPORTED_SINCE
        with self.reading() as connection:
            steps = hot_events(connection, begin)
            recent = select(steps).order_by(steps.c.at.desc()).limit(most).subquery()

            def pcs(said: Collection[Said]) -> ColumnElement[int]:
                ours = [] if site is None else [recent.c.endpoint.in_(_allowed(site))]
                return func.count(distinct(recent.c.endpoint)).filter(recent.c.said.in_(code_of(said)), *ours)

            query = select(recent.c.patch, pcs(installed), pcs(delivered), func.count(), func.min(recent.c.at))
            rows = connection.execute(query.group_by(recent.c.patch)).all()
        cut = sum(row[3] for row in rows) >= most
        first = min((row[4] for row in rows), default=begin) if cut else begin
        return {row[0]: FinishedLately(row[1], row[2], float(first + REPORTED_SINCE)) for row in rows}


_FAILURES = frozenset({"failed", "rolled_back"})


def _in_site(column: ColumnElement[int], site: int | None) -> list[ColumnElement[bool]]:
    return [] if site is None else [column == site]


def _endpoint_counts(connection: Connection, site: int | None) -> EndpointCounts:
    pc = ENDPOINTS.c
    allowed, connected = not_(pc.denied), pc.connected_to.is_not(None)
    refusing = and_(allowed, connected, pc.refuses != "")
    conditions = (
        connected, pc.claimed_site != "", pc.shared_with != "", allowed, and_(allowed, connected), refusing
    )  # fmt: skip
    query = select(func.count(), *(func.count().filter(one) for one in conditions)).select_from(ENDPOINTS)
    row = connection.execute(query.where(*_in_site(pc.site, site))).one()
    counts = EndpointCounts(row[0], row[1], row[2], row[3], row[4], row[5], row[6])
    if not counts.refusing:
        return counts
    first = select(pc.hostname, pc.refuses).where(refusing, *_in_site(pc.site, site)).order_by(pc.number).limit(1)
    host, said = connection.execute(first).one()
    return msgspec.structs.replace(counts, refusing_host=host, refuses=said)


def _states(connection: Connection, patches: Collection[int], site: int | None) -> dict[int, dict[Said, int]]:
    table = TALLIES.c
    query = select(table.patch, table.said, func.sum(table.endpoints)).where(
        table.patch.in_(sorted(patches)), *_in_site(table.site, site)
    )  # fmt: skip
    found: dict[int, dict[Said, int]] = {}
    for patch, said, count in connection.execute(query.group_by(table.patch, table.said)):
        found.setdefault(patch, {})[states_of(said)] = int(count)
    return found


def _connected(
    connection: Connection, patches: Collection[int], said: Collection[Said], site: int | None
) -> dict[int, int]:
    query = select(STANDING.c.patch, func.count()).where(
        STANDING.c.patch.in_(sorted(patches)),
        STANDING.c.said.in_(code_of(said)),
        STANDING.c.endpoint.in_(_allowed(site).where(ENDPOINTS.c.connected_to.is_not(None))),
    )
    return dict(connection.execute(query.group_by(STANDING.c.patch)).all())


def _allowed(site: int | None) -> Select[int]:
    return select(ENDPOINTS.c.number).where(not_(ENDPOINTS.c.denied), *_in_site(ENDPOINTS.c.site, site))


def _install_reasons(
    connection: Connection, patches: Collection[int], most: int, without: Collection[str], site: int | None
) -> list[ReasonCount]:
    table, count = TALLIES.c, func.sum(TALLIES.c.endpoints)
    install = table.said % _PLACES
    failed = install.in_([INSTALL_CODES.index(one) for one in sorted(_FAILURES)])
    query = (
        select(table.patch, install, TEXTS.c.text, count)
        .join_from(TALLIES, TEXTS, TEXTS.c.number == table.reason)
        .where(
            table.patch.in_(sorted(patches)),
            table.said.not_in(codes_with(without)),
            TEXTS.c.text != "",
            *_in_site(table.site, site),
        )
        .group_by(table.patch, install, TEXTS.c.number, TEXTS.c.text)
        .order_by(failed.desc(), count.desc())
        .limit(most)
    )
    return [
        ReasonCount(patch, True, INSTALL_CODES[place], reason, int(number))
        for patch, place, reason, number in connection.execute(query)
    ]


def _file_errors(connection: Connection, patches: Collection[int], most: int, site: int | None) -> list[ReasonCount]:
    note, count = STANDING_NOTES.c, func.count()
    state = STANDING.c.said // _PLACES
    failed = state == PATCH_CODES.index("failed")
    query = (
        select(note.patch, state, note.error, count)
        .join_from(
            STANDING_NOTES,
            STANDING,
            and_(STANDING.c.patch == note.patch, STANDING.c.endpoint == note.endpoint),
        )
        .where(
            note.patch.in_(sorted(patches)),
            note.error != "",
            note.endpoint.in_(_allowed(site)),
        )
        .group_by(note.patch, state, note.error)
        .order_by(failed.desc(), count.desc())
        .limit(most)
    )
    return [
        ReasonCount(patch, False, PATCH_CODES[place], error, number)
        for patch, place, error, number in connection.execute(query)
    ]


def _with_examples(connection: Connection, one: ReasonCount, site: int | None) -> ReasonCount:
    """Name some of the PCs that say so: the first ones that have enrolled."""
    table, note, pc = STANDING.c, STANDING_NOTES.c, ENDPOINTS.c
    noted = and_(note.patch == table.patch, note.endpoint == table.endpoint)
    query = (
        select(pc.endpoint_id, pc.hostname, func.coalesce(note.install_output, ""))
        .join_from(STANDING, ENDPOINTS, pc.number == table.endpoint)
        .outerjoin(STANDING_NOTES, noted)
        .where(table.patch == one.patch, not_(pc.denied), *_in_site(pc.site, site))
    )
    if one.of_install:
        text = connection.scalar(select(TEXTS.c.number).where(TEXTS.c.text == one.reason))
        query = query.where(table.said.in_(codes_with([one.state])), table.reason == text)
    else:
        says = code_of((one.state, install) for install in INSTALL_CODES)
        query = query.where(table.said.in_(says), note.error == one.reason)
    found = connection.execute(query.order_by(table.endpoint).limit(MAX_EXAMPLES)).all()
    output = found[0][2] if found else ""
    examples = [(endpoint, host) for endpoint, host, _ in found]
    return msgspec.structs.replace(one, examples=examples, output=output)
