"""PCs one by one: those that a question is about, a page at a time, also those that are off or never said a word.

A page goes on behind the last row of the one before, so that no page costs more than another. Blocking.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached, settled, shown
from seed_server.fleet.names import named_endpoint
from seed_server.fleet.overview import (
    EVERYTHING,
    UNFINISHED,
    FleetHead,
    behind,
    patches_head,
    patches_named,
    read_head,
    said_as,
)
from seed_server.fleet.paging import end_of_page, site_asked
from seed_server.fleet.reason_codes import named_by
from seed_server.store.count_rows import MAX_PAGE_ROWS, PatchHead, PcStanding, Said, SaidReasons, StandingFilter

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_REASONS = 5_000  # that a question names: PCs may make up new ones without end, and a query takes 32,766 values
MAX_PATCHES_OF_A_PAGE = 20  # that are searched for one page: then it ends, though it may have few rows
REACHED_STATES = {one.name.lower(): one for one in Reached}
STATES = tuple(dict.fromkeys((*REACHED_STATES, *sorted({shown(*said) for said in EVERYTHING}))))
"""What ``--state`` takes: the classes that are counted, and what a patch is shown as on a PC."""
DONE = said_as(Reached.INSTALLED) | said_as(Reached.DELIVERED) | said_as(Reached.NOT_APPLICABLE)
RANKS = (
    said_as(Reached.FAILED), UNFINISHED, said_as(Reached.INSTALLED) | said_as(Reached.DELIVERED),
)  # fmt: skip  # what needs a person comes first
_CURSOR = re.compile(r"([0-9]{1,10})(?:-([0-9])-([0-9]{1,10}))?")


@dataclass(frozen=True)
class StatusQuestion:
    """Which patches and PCs a question is about; what is empty tells none apart."""

    patch: str = ""
    """An id, or ID@VERSION."""
    endpoint: str = ""
    """An id, the beginning of one, or a host name."""
    site: str = ""
    reason: str = ""
    """One of `reason_codes.REASON_CODES`, or part of what PCs give as a reason, in English or as the screens say it."""
    state: str = ""
    """One of `STATES`."""
    lacking: bool = False
    """Only PCs that lack the patch: for whatever reason, off and never seen ones too."""
    size: int = 0
    """Rows of a page; 0: as many as a screen has room for."""
    after: str = ""
    """Where the page before has ended, as it said."""

    @property
    def of_pcs(self) -> bool:
        """Whether it asks for PCs, and not for counts alone."""
        return bool(self.patch or self.endpoint or self.reason or self.state or self.lacking)

    @property
    def narrowed(self) -> bool:
        """Whether it leaves out PCs, and not only patches."""
        return bool(self.endpoint or self.site or self.reason or self.state or self.lacking)

    @property
    def paged(self) -> bool:
        """Whether it asks for rows, and not for all that is known of patches."""
        return self.narrowed or bool(self.size or self.after)


class Cursor(NamedTuple):
    """The last row of a page; without a PC: all of that patch."""

    patch: int
    rank: int = -1
    endpoint: int = 0

    def __str__(self) -> str:
        return f"{self.patch}-{self.rank}-{self.endpoint}" if self.endpoint else str(self.patch)


def parse_cursor(text: str) -> Cursor:
    """Return what ``--after`` names. Raises `UserError` (BAD_INPUT)."""
    patch, rank, endpoint = end_of_page(_CURSOR, text).groups()
    return Cursor(int(patch)) if rank is None else Cursor(int(patch), int(rank), int(endpoint))


class PatchOnPc(NamedTuple):
    """One row: a patch, a PC, and the class that it is in."""

    patch: PatchHead
    pc: PcStanding
    reached: Reached


@dataclass(frozen=True)
class StandingPage:
    """One page of PCs."""

    patches: Sequence[PatchHead]
    """Of which patches it may have rows."""
    wanted: StandingFilter
    rows: Sequence[PatchOnPc]
    total: int | None
    """How many rows all pages have; None: that is not counted."""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""
    unfinished_search: bool = False
    """It ended as many patches were searched, and not as it is full."""


def wanted_of(
    question: StatusQuestion, site: int | None, reasons: SaidReasons | None = None, *, serving: bool
) -> StandingFilter:
    """Return whom the question is about; ``reasons``: those that it names."""
    said, silent, connected = frozenset(EVERYTHING), True, None
    one = REACHED_STATES.get(question.state)
    if one in (Reached.UNDER_WAY, Reached.AWAY):
        # while the server does not serve, nobody is under way
        said, silent = UNFINISHED if serving or one is Reached.AWAY else frozenset[Said](), False
        connected = (one is Reached.UNDER_WAY) if serving else None
    elif one is not None:
        said, silent = said_as(one), one is Reached.SILENT
    elif question.state:
        said, silent = frozenset(each for each in EVERYTHING if shown(*each) == question.state), False
    if question.lacking:
        said -= DONE
    if one is Reached.SILENT:
        said = frozenset()
    return StandingFilter(said, silent and reasons is None, connected, site, reasons)


def standing_page(
    context: Context,
    database: "Database",
    head: FleetHead,
    question: StatusQuestion,
    *,
    size: int,
    at_work_only: bool = False,
    most_patches: int = MAX_PATCHES_OF_A_PAGE,
) -> StandingPage:
    """Return a page of ``size`` rows. Raises `UserError`; BAD_INPUT where the question names what is not known.

    ``at_work_only``: only PCs that have said something of a patch that is for them. ``most_patches``: how many are
    searched for it at most.
    """
    patches, site, cursor = _asked(context, database, head, question)
    reasons = reasons_asked(database, question.reason) if question.reason else None
    wanted = wanted_of(question, site, reasons, serving=head.serving)
    if at_work_only:
        said = (wanted.said or frozenset()) - said_as(Reached.NOT_APPLICABLE)
        wanted = msgspec.structs.replace(wanted, said=said, silent=False)
    if question.endpoint:
        found = _of_endpoint(context, database, patches, question, wanted, serving=head.serving)
        rest = [row for row in found if row.patch in behind(patches, cursor.patch if cursor else None)]
        page, cut = rest[:size], False
        total: int | None = len(found)
        after = str(Cursor(page[-1].patch.number)) if len(rest) > size else ""
    else:
        total = _total(database, patches, wanted)
        page, after, cut = _page(database, patches, wanted, cursor, size, most_patches, serving=head.serving)
    return StandingPage(patches, wanted, page, total, after, cut)


def read_page(context: Context, question: StatusQuestion) -> tuple[FleetHead, StandingPage]:
    """Return a page for a program, with what every screen begins with; raises as `standing_page`."""
    context.settings()
    with context.database() as database:
        head = read_head(context, database)
        return head, standing_page(context, database, head, question, size=question.size or MAX_PAGE_ROWS)


def read_standing(context: Context, question: StatusQuestion) -> tuple[FleetHead, StandingPage]:
    """Return a page and which patches there are, without what is wrong; raises as `standing_page`."""
    context.settings()
    with context.database() as database, database.one_state():
        head = patches_head(context, database)
        return head, standing_page(context, database, head, question, size=question.size or MAX_PAGE_ROWS)


def all_standing(context: Context, question: StatusQuestion, *, page_rows: int = MAX_PAGE_ROWS) -> Iterator[PatchOnPc]:
    """Yield all rows, from ``after`` on; no more than ``page_rows`` of them are held. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        head = read_head(context, database)
        patches, site, cursor = _asked(context, database, head, question)
        reasons = reasons_asked(database, question.reason) if question.reason else None
        wanted = wanted_of(question, site, reasons, serving=head.serving)
        if question.endpoint:
            found = _of_endpoint(context, database, patches, question, wanted, serving=head.serving)
            yield from (row for row in found if row.patch in behind(patches, cursor.patch if cursor else None))
            return
        for patch in _from(patches, cursor):
            # what goes on behind a page has its order; by number alone each page costs less
            ranks: Sequence[frozenset[Said]] = ()
            after = (-1, 0)
            if cursor and cursor.endpoint and cursor.patch == patch.number:
                ranks, after = RANKS, (cursor.rank, cursor.endpoint)
            while True:
                rows = database.standing_page(patch.number, wanted, ranks=ranks, after=after, limit=page_rows)
                yield from (_standing(patch, pc, serving=head.serving) for _, pc in rows)
                if len(rows) < page_rows:
                    break
                after = rows[-1][0], rows[-1][1].endpoint


def _asked(
    context: Context, database: "Database", head: FleetHead, question: StatusQuestion
) -> tuple[Sequence[PatchHead], int | None, Cursor | None]:
    patches = patches_named(head, question.patch) if question.patch else head.patches
    site = site_asked(context, database, question.site)
    cursor = parse_cursor(question.after) if question.after else None
    if cursor is not None:
        behind(patches, cursor.patch)  # it has to be there
    return patches, site, cursor


def reasons_asked(database: "Database", asked: str, *, most: int = MAX_REASONS) -> SaidReasons:
    """Return the reasons that a code or words name. Raises `UserError` (BAD_INPUT) for more than ``most``."""
    found = database.reasons_with(named_by(asked))
    if len(found.of_install) + len(found.of_file) > most:
        raise UserError(
            f"More than {most} different reasons have these words in them. Give more words.", FaultKind.BAD_INPUT
        )
    return found


def _from(patches: Sequence[PatchHead], cursor: Cursor | None) -> Sequence[PatchHead]:
    """Return the patches from that of the cursor on; it has rows left where it names a PC."""
    if cursor is None:
        return patches
    rest = behind(patches, cursor.patch)
    return rest if cursor.endpoint == 0 else patches[len(patches) - len(rest) - 1 :]


def _page(
    database: "Database",
    patches: Sequence[PatchHead],
    wanted: StandingFilter,
    cursor: Cursor | None,
    size: int,
    most_patches: int,
    *,
    serving: bool,
) -> tuple[list[PatchOnPc], str, bool]:
    rows: list[PatchOnPc] = []
    last = cursor
    following = _with_rows(database, _from(patches, cursor), wanted)
    for place, patch in enumerate(following):
        if place >= most_patches:
            return rows, str(last), True
        after = (cursor.rank, cursor.endpoint) if cursor and cursor.patch == patch.number else (-1, 0)
        some = database.standing_page(patch.number, wanted, ranks=RANKS, after=after, limit=size - len(rows) + 1)
        for rank, pc in some:
            if len(rows) == size:
                return rows, str(last), False
            rows.append(_standing(patch, pc, serving=serving))
            last = Cursor(patch.number, rank, pc.endpoint)
        if not some:
            last = Cursor(patch.number)
    return rows, "", False


def _with_rows(database: "Database", patches: Sequence[PatchHead], wanted: StandingFilter) -> Sequence[PatchHead]:
    """Return the patches of which there may be rows, so that none is searched in vain."""
    if len(patches) <= 1:
        return patches
    numbers = [patch.number for patch in patches]
    if wanted.reasons is not None:
        found = database.patches_with_reason(numbers, wanted.reasons)
    elif wanted.silent:
        return patches
    else:
        found = set(database.said_of(numbers, wanted.said or (), site=wanted.site))
    return [patch for patch in patches if patch.number in found]


def _total(database: "Database", patches: Sequence[PatchHead], wanted: StandingFilter) -> int | None:
    if len(patches) == 1:
        return database.standing_count(patches[0].number, wanted)
    if wanted.reasons is not None or wanted.connected is not None:
        return None  # it would take to look at each PC for each patch
    numbers = [patch.number for patch in patches]
    said = frozenset(EVERYTHING) if wanted.said is None else wanted.said
    if not wanted.silent:
        return sum(database.said_of(numbers, said, site=wanted.site).values())
    others = database.said_of(numbers, frozenset(EVERYTHING) - said, site=wanted.site)
    return database.endpoint_counts(wanted.site).allowed * len(patches) - sum(others.values())


def _of_endpoint(
    context: Context,
    database: "Database",
    patches: Sequence[PatchHead],
    question: StatusQuestion,
    wanted: StandingFilter,
    *,
    serving: bool,
) -> list[PatchOnPc]:
    pc, said = database.standing_of(named_endpoint(context, question.endpoint).endpoint_id)
    rows = [
        _standing(patch, said.get(patch.number) or msgspec.structs.replace(pc, patch=patch.number), serving=serving)
        for patch in patches
    ]
    return [
        row
        for row in rows
        if (wanted.silent if row.pc.said is None else row.pc.said in (wanted.said or ()))
        and wanted.connected in (None, row.pc.connected)
        and question.site in ("", row.pc.site)
        and (wanted.reasons is None or wanted.reasons.has(row.pc.reasons))
    ]


def _standing(patch: PatchHead, pc: PcStanding, *, serving: bool) -> PatchOnPc:
    if pc.connected and not serving:
        pc = msgspec.structs.replace(pc, connected=False)
    if pc.said is None:
        return PatchOnPc(patch, pc, Reached.SILENT)
    return PatchOnPc(patch, pc, settled(*pc.said) or (Reached.UNDER_WAY if pc.connected else Reached.AWAY))
