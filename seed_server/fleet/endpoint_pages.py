"""Enrolled PCs one by one, a page at a time: those first about which something is odd, then by name. Blocking."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.context import Context
from seed_server.fleet.look_memory import RECENTLY_SECONDS
from seed_server.fleet.overview import patches_head, patches_named
from seed_server.fleet.paging import end_of_page, shown_no_more, site_asked
from seed_server.fleet.standing import StatusQuestion, wanted_of
from seed_server.store.count_rows import MAX_PAGE_ROWS, StandingFilter
from seed_server.store.rows import EndpointFilter, EndpointRow, Namesake, PcState
from seed_server.store.serve_lock import is_serving

if TYPE_CHECKING:
    from seed_server.store.database import Database

PC_STATES: tuple[PcState, ...] = get_args(PcState)
PCS_OF_A_PAGE = 20  # with what stands around it, a screen
_CURSOR = re.compile(r"(?:([01])|seen([0-9]{1,12}(?:\.[0-9]{1,20})?))-([0-9]{1,10})")
MAX_UNSEEN_DAYS = 36_500


@dataclass(frozen=True)
class EndpointsQuestion:
    """Which PCs a question is about; what is empty or None tells none apart."""

    site: str = ""
    state: PcState | None = None
    size: int = 0
    """Rows of a page; 0: as many as a screen has room for."""
    after: str = ""
    """Where the page before has ended, as it said."""
    not_seen_days: int | None = None
    """Only PCs that were not seen for so many days."""
    by_seen: bool = False
    """Those first that were not seen for the longest time, and not those about which something is odd, nor by name."""
    tag: str = ""
    """Only PCs that have this tag."""
    begins: str = ""
    """Only PCs whose id or host name begins so."""
    finding: str = ""
    """Only PCs that say that this is wrong with them, a code; `ANY_FINDING`: that anything is."""
    patch: str = ""
    """A patch, ID or ID@VERSION, of which the next two are."""
    patch_state: str = ""
    """Only PCs on which it is so: one of `standing.STATES`."""
    lacking: bool = False
    """Only PCs that lack it."""

    @property
    def paged(self) -> bool:
        """Whether it asks for a page, and not for all."""
        return bool(self.size or self.after)

    @property
    def narrowed(self) -> bool:
        """Whether it leaves out PCs."""
        asked = (self.site, self.state, self.not_seen_days, self.tag, self.begins, self.finding, self.patch)
        return any(asked) or bool(self.patch_state or self.lacking)


@dataclass(frozen=True)
class Namesakes:
    """PCs that have the same name: names are told, and not proven."""

    by_name: Mapping[str, Sequence[Namesake]] = field(default_factory=dict)
    """By the casefolded name."""

    @classmethod
    def lately(cls, context: Context, database: "Database") -> "Namesakes":
        """Return those of all PCs, as they were lately where the process remembers them."""
        return cls(context.lately("namesakes", database.namesakes, RECENTLY_SECONDS))

    @classmethod
    def among(cls, rows: Iterable[EndpointRow]) -> "Namesakes":
        """Return those of these PCs."""
        found: dict[str, list[Namesake]] = {}
        for row in rows:
            found.setdefault(row.hostname.casefold(), []).append(Namesake(row.endpoint_id, row.denied, row.pending))
        return cls(found)

    def of(self, endpoint: EndpointRow) -> list[Namesake]:
        """Return the other PCs that call themselves as this one does."""
        alike = self.by_name.get(endpoint.hostname.casefold(), ())
        return [one for one in alike if one.endpoint_id != endpoint.endpoint_id]


@dataclass(frozen=True)
class EndpointsPage:
    """One page of enrolled PCs."""

    serving: bool
    rows: Sequence[EndpointRow]
    namesakes: Namesakes
    total: int
    """How many rows all pages have."""
    server_name: str = ""
    after: str = ""
    """What the next page begins behind; empty: this is the last one."""


def read_endpoints(context: Context, question: EndpointsQuestion) -> EndpointsPage:
    """Return a page. Raises `UserError`; BAD_INPUT where the question names what is not known."""
    settings = context.settings()
    size = question.size or PCS_OF_A_PAGE
    with context.database() as database:
        wanted = _wanted(context, database, question)
        after, by_seen = _cursor(database, question), question.by_seen
        found = database.endpoint_page(wanted, by_seen=by_seen, after=after, limit=size + 1)
        rows = [row for _, _, row in found[:size]]
        ends = [(f"seen{row.last_seen_at}" if by_seen else str(rank), number) for rank, number, row in found]
        return EndpointsPage(
            serving=wanted.serving,
            rows=rows,
            namesakes=Namesakes.lately(context, database),
            total=database.endpoints_meant(wanted),
            server_name=settings.name,
            after="{}-{}".format(*ends[size - 1]) if len(found) > size else "",
        )


def all_endpoints(
    context: Context, question: EndpointsQuestion, *, page_rows: int = MAX_PAGE_ROWS
) -> Iterator[tuple[EndpointRow, bool, list[Namesake]]]:
    """Yield all PCs by name, each with whether it is connected and its namesakes. Raises `UserError`.

    No more than ``page_rows`` rows are held, and everybody's name.
    """
    context.settings()
    with context.database() as database:
        wanted = _wanted(context, database, question)
        namesakes = Namesakes.lately(context, database)
        after: tuple[int, str | float, int] | None = None
        by_seen = question.by_seen
        while True:
            found = database.endpoint_page(wanted, odd_first=False, by_seen=by_seen, after=after, limit=page_rows)
            for _, _, row in found:
                yield row, row.connected and wanted.serving, namesakes.of(row)
            if len(found) < page_rows:
                return
            rank, number, last = found[-1]
            after = rank, last.last_seen_at if by_seen else last.hostname, number


def _wanted(context: Context, database: "Database", question: EndpointsQuestion) -> EndpointFilter:
    days, serving = question.not_seen_days, is_serving(context.home)
    patch, standing = _patch_asked(context, database, question, serving=serving)
    return EndpointFilter(
        site_asked(context, database, question.site),
        question.state,
        serving=serving,
        unseen_since=None if days is None else unseen_since(context, database, days),
        tag=question.tag,
        begins=question.begins,
        finding=question.finding,
        patch=patch,
        standing=standing,
    )


def _patch_asked(
    context: Context, database: "Database", question: EndpointsQuestion, *, serving: bool
) -> tuple[int, StandingFilter]:
    """Return the number of the patch that is meant, and how it is to be on PCs; 0: none is named."""
    if not question.patch:
        if question.patch_state or question.lacking:
            raise UserError("Name the patch that is to be so on the PCs.", FaultKind.BAD_INPUT)
        return 0, StandingFilter()
    head = patches_head(context, database)
    asked = StatusQuestion(state=question.patch_state, lacking=question.lacking)
    return patches_named(head, question.patch)[0].number, wanted_of(asked, None, serving=serving)


def unseen_since(context: Context, database: "Database", days: int) -> float:
    """Return since when a PC was not seen that was not seen for so many days.

    The days end when any PC was seen last: while the server was off, nobody could be.
    """
    now = context.clock.now()
    return min(now, database.last_seen_at() or now) - days * DAY_SECONDS


def _cursor(database: "Database", question: EndpointsQuestion) -> tuple[int, str | float, int] | None:
    if not question.after:
        return None
    rank, seen, number = end_of_page(_CURSOR, question.after).groups()
    if (seen is not None) != question.by_seen:
        raise UserError(
            f"--after {question.after[:40]!r} ends a page in another order. Give --sort as it was given there.",
            FaultKind.BAD_INPUT,
        )
    if seen is not None:  # the PC itself may be back meanwhile, and behind all others
        return 0, float(seen), int(number)
    if (name := database.endpoint_name(int(number))) is None:
        raise shown_no_more()
    return int(rank), name, int(number)
