"""Asks who lacks patches, and why. Blocking; nothing here writes, and no more than a page of PCs is held."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby, islice
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet.context import Context
from seed_server.fleet.paging import end_of_page, shown_no_more, site_asked
from seed_server.reporting.held_pcs import FleetHolds, fleet_holds
from seed_server.reporting.judged_patches import PatchesAsked, patches_asked_for, report_head
from seed_server.reporting.missing_pcs import (
    SILENT_DAYS,
    Lack,
    MissingReason,
    Proposal,
    RingState,
    lacks_since,
    pcs_with,
    proposal_for,
    reason_of,
)
from seed_server.reporting.owners import Owners, read_owners
from seed_server.store.count_rows import MAX_PAGE_ROWS, PatchHead
from seed_server.store.pc_sets import numbers_of
from seed_server.store.report_rows import ALL_LACKING, LackingFilter, LackingPc

if TYPE_CHECKING:
    from seed_server.store.database import Database

MISSING_OF_A_PAGE = 30
SMALL_SITE_PCS = (
    1_000  # at a site: each is looked up for each patch, where that of a company would be read for each patch …
)
LOOKED_UP_AT_ONCE = 20_000  # … so many look-ups in a query, in some 60 ms …
MORE_EACH_TIME = 4  # … from a page's on, each time so many times as many
_CURSOR = re.compile(r"([0-9]{1,10})-([0-9]{1,10})")


@dataclass(frozen=True)
class MissingQuestion:
    """Which patches and PCs a question is about; what is empty tells none apart."""

    patch: str = ""
    site: str = ""
    reason: str = ""
    """The name of a `MissingReason` in small letters."""
    silent_days: int = SILENT_DAYS
    size: int = MISSING_OF_A_PAGE
    after: str = ""
    """Where the page before has ended, as it said."""
    owner: str = ""
    """Whom to ask, as `MissingPc.owner`."""


@dataclass(frozen=True)
class MissingPc:
    """A PC that lacks a patch."""

    patch: PatchHead
    pc: LackingPc
    reason: MissingReason
    since: float
    """Since when it lacks it, seconds since 1970."""
    owner: str
    """Whom to ask; empty: nobody is named."""
    proposal: Proposal

    @property
    def place(self) -> str:
        """Where it stands among all, for the next page."""
        return f"{self.patch.number}-{self.pc.endpoint}"


@dataclass(frozen=True)
class MissingReport:
    """Who lacks patches."""

    server_name: str
    now: float
    patches: Sequence[PatchHead]
    counts: Mapping[MissingReason, int]
    """PCs and patches under each reason, in the order of the table; those with none are left out."""
    rows: Sequence[MissingPc]
    """A page of them."""
    total: int
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""
    follow_ups: int = 0
    """About so many of them somebody does something."""
    serving: bool = field(default=True, kw_only=True)
    """Whether a server serves: while none does, nobody is connected."""


def read_missing(context: Context, question: MissingQuestion) -> MissingReport:
    """Return a page of those that lack patches, and how many there are for which reason.

    Raises `UserError`: BAD_INPUT for a patch, site or page that is not known; NOT_SET_UP, STORAGE, BUSY.
    """
    counts = dict.fromkeys(MissingReason, 0)
    rows: list[MissingPc] = []
    place = _parse(question.after)
    followed = behind = 0
    with context.database() as database, database.one_state():
        look = look_for(context, database, question)
        begun = place is None
        for row in look.rows(database):
            counts[row.reason] += 1
            followed += bool(row.pc.follow_up)
            if not begun:
                begun = (row.patch.number, row.pc.endpoint) == place
            elif len(rows) < question.size:
                rows.append(row)
            else:
                behind += 1
    if not begun:
        raise shown_no_more()
    return MissingReport(
        server_name=look.server_name,
        now=look.now,
        patches=look.patches,
        counts={reason: count for reason, count in counts.items() if count},
        rows=rows,
        total=sum(counts.values()),
        after=rows[-1].place if behind and rows else "",
        follow_ups=followed,
        serving=look.serving,
    )


def all_missing(context: Context, question: MissingQuestion) -> Iterator[MissingPc]:
    """Yield all that lack patches, behind ``after``. Raises as `read_missing`."""
    place = _parse(question.after)
    with context.database() as database:
        look = look_for(context, database, question)
        rows = look.rows(database)
        if place is not None and not any((row.patch.number, row.pc.endpoint) == place for row in rows):
            raise shown_no_more()
        yield from islice(rows, question.size or None)


def missing_counts(database: "Database", look: "MissingLook") -> dict[MissingReason, int]:
    """Return how many PCs lack the patches for which reason; those with none are left out."""
    counts = dict.fromkeys(MissingReason, 0)
    for row in look.rows(database):
        counts[row.reason] += 1
    return {reason: count for reason, count in counts.items() if count}


@dataclass(frozen=True)
class LackingStretch:
    """Some of those that lack a patch, in the order of their enrolment."""

    patch: PatchHead
    begin: int
    """Behind which PC they were looked for."""
    pcs: Sequence[LackingPc]
    asked: int
    """How many questions the database has been asked so far."""


@dataclass(frozen=True)
class MissingLook:
    """What a look at the missing PCs begins with."""

    server_name: str
    serving: bool
    now: float
    patches: Sequence[PatchHead]
    holds: FleetHolds
    owners: Owners
    silent_seconds: float
    site: int | None = None
    """The number of the site that is asked for; None: all are."""
    reason: str = ""
    owner: str = ""
    page_rows: int = MAX_PAGE_ROWS
    few_pcs: int = SMALL_SITE_PCS

    def rows(self, database: "Database") -> Iterator[MissingPc]:
        """Yield those that lack a patch, by patch, then in the order of their enrolment."""
        few = self.few(database)
        holds = self.holds if few is None else self.holds.of(few)
        stretches = self.stretches(database, self.patches, 0, self.page_rows, few)
        for patch, those in groupby(stretches, lambda stretch: stretch.patch):
            held, rings = self._held(patch, holds)
            for pc in (pc for stretch in those for pc in stretch.pcs):
                row = self._row(patch, pc, held=pc.endpoint in held, ring=rings.get(pc.endpoint))
                if self.wants(row):
                    yield row

    def few(self, database: "Database") -> frozenset[int] | None:
        """Return the PCs of the site that is asked for, where they are few; None: there are many, or all are meant."""
        pcs = None if self.site is None else database.pcs_at(self.site, most=self.few_pcs + 1)
        return None if pcs is None or len(pcs) > self.few_pcs else pcs

    def stretches(
        self, database: "Database", patches: Sequence[PatchHead], begin: int, size: int, few: Collection[int] | None
    ) -> Iterator[LackingStretch]:
        """Yield those that lack these patches, of the first one from behind ``begin`` on, some ``size`` at a time.

        All that it `wants` are among them, and maybe others; of a patch that nobody lacks, none. Of ``few`` PCs, which
        are all of the site, some may be more.
        """
        if few is not None and self.site is not None:
            yield from self._of_few(database, self.site, patches, begin, size, max(1, len(few)))
            return
        asked = 0
        for patch in patches:
            while True:
                page = database.lacking_page(patch.number, site=self.site, only=self._only, after=begin, limit=size)
                asked += 1
                yield LackingStretch(patch, begin, page, asked)
                if len(page) < size:
                    break
                begin = page[-1].endpoint
            begin = 0

    def _of_few(
        self, database: "Database", site: int, patches: Sequence[PatchHead], begin: int, size: int, pcs: int
    ) -> Iterator[LackingStretch]:
        """Look up each PC of a site for some patches at a time: at first for what fills a page, if all lack them."""
        at, asked, some = 0, 0, 1 if begin else max(1, size // pcs)
        while at < len(patches):
            these = patches[at : at + some]
            found = database.lacking_at(site, [patch.number for patch in these], only=self._only, after=begin)
            asked += 1
            for patch in these:
                yield LackingStretch(patch, begin, found[patch.number], asked)
                begin = 0
            at += some
            some = min(MORE_EACH_TIME * some, max(1, LOOKED_UP_AT_ONCE // pcs))

    @cached_property
    def _only(self) -> LackingFilter:
        """Which PCs may have the reason that is asked for."""
        reason = MissingReason.__members__.get(self.reason.upper())
        return ALL_LACKING if reason is None else pcs_with(reason, self.now, self.silent_seconds, serving=self.serving)

    @property
    def chooses(self) -> bool:
        """Whether it wants only some of those that lack a patch at the site."""
        return bool(self.reason or self.owner)

    def wants(self, row: MissingPc) -> bool:
        """Whether one at the site is for a reason that is asked for, and somebody's who is."""
        wanted = ((self.reason, row.reason.name.lower()), (self.owner, row.owner))
        return all(asked in ("", found) for asked, found in wanted)

    def judged(self, patch: PatchHead, pcs: Sequence[LackingPc], holds: FleetHolds) -> Iterator[MissingPc]:
        """Yield why these lack a patch; ``holds``: what holds them back."""
        if pcs:
            held, rings = self._held(patch, holds)
            for pc in pcs:
                yield self._row(patch, pc, held=pc.endpoint in held, ring=rings.get(pc.endpoint))

    @staticmethod
    def _held(patch: PatchHead, holds: FleetHolds) -> tuple[frozenset[int], Mapping[int, RingState]]:
        exceptions = holds.exceptions_of(patch.ref)
        held = frozenset(numbers_of(holds.held(exceptions))) if exceptions else frozenset[int]()
        return held, holds.rings(patch.ref)

    def _row(self, patch: PatchHead, pc: LackingPc, *, held: bool, ring: RingState | None) -> MissingPc:
        if pc.connected and not self.serving:
            pc = replace(pc, connected=False)
        lack = Lack(pc, self.now, self.silent_seconds, held, ring or RingState.NONE)
        reason = reason_of(lack)
        since = lacks_since(patch.published_at, pc.enrolled_at)
        return MissingPc(patch, pc, reason, since, self.owners.of(pc.site), proposal_for(reason, lack))


def missing_look(
    context: Context, database: "Database", patches: Sequence[PatchHead], *, silent_days: int = SILENT_DAYS
) -> MissingLook:
    """Return what a look at the PCs begins with that lack these patches. Raises `UserError`."""
    now, head = context.clock.now(), report_head(context, database)
    return MissingLook(
        server_name=head.server_name,
        serving=head.serving,
        now=now,
        patches=patches,
        holds=fleet_holds(context, database, now),
        owners=read_owners(context, database),
        silent_seconds=silent_days * DAY_SECONDS,
    )


def look_for(context: Context, database: "Database", question: MissingQuestion) -> MissingLook:
    """Return what a look for what is asked begins with. Raises `UserError` (BAD_INPUT) for what is not known."""
    now, head = context.clock.now(), report_head(context, database)
    site = site_asked(context, database, question.site)
    return MissingLook(
        server_name=head.server_name,
        serving=head.serving,
        now=now,
        patches=patches_asked_for(head, PatchesAsked(question.patch), now),
        holds=fleet_holds(context, database, now),
        owners=read_owners(context, database),
        silent_seconds=question.silent_days * DAY_SECONDS,
        site=site,
        reason=question.reason,
        owner=question.owner,
    )


def _parse(after: str) -> tuple[int, int] | None:
    if not after:
        return None
    patch, endpoint = end_of_page(_CURSOR, after).groups()
    return int(patch), int(endpoint)
