"""What `status` is asked, and what it answers: patches by counts, or PCs one by one. Blocking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.coverage import Reached
from seed_server.fleet.overview import (
    FleetHead,
    PatchProgress,
    behind,
    progress_of,
    read_head,
    said_as,
)
from seed_server.fleet.paging import site_asked
from seed_server.fleet.smaller_updates import SmallerUpdate, smaller_updates
from seed_server.fleet.standing import StandingPage, StatusQuestion, parse_cursor, standing_page
from seed_server.fleet.way_back import GoneBack, known_ways_back
from seed_server.store.count_rows import MAX_PAGE_ROWS, PatchHead, ReasonCount
from seed_server.store.rows import PatchBytes

if TYPE_CHECKING:
    from seed_server.store.database import Database

PATCHES_OF_A_PAGE = 10  # in a table of patches: with what stands around it, a screen
ROWS_OF_A_PAGE = 20  # of PCs, likewise
FEW_PATCHES = 3  # up to so many, each is shown PC by PC, where that is no more than a page
REASONS_OF_A_PAGE = 5  # of all patches of a page
REASONS_OF_A_PATCH = 4
SITES_OF_A_PATCH = 5  # of a patch, those that took most of the line
NEEDS_NOBODY = frozenset({"not_applicable"})
"""Installations whose reasons are told of a single patch alone."""


@dataclass(frozen=True)
class SentToSite:
    """What was sent of a patch to a site."""

    site: str
    wan_bytes: int
    file_bytes: int
    """Length of the payloads of which anything was sent there."""


@dataclass(frozen=True)
class StatusScreen:
    """One look at the fleet."""

    head: FleetHead
    question: StatusQuestion
    patches: Sequence[PatchProgress]
    """What is counted: the patches of this page, or those that were named."""
    reasons: Sequence[ReasonCount] = ()
    """What most PCs give as a reason for how they stand to these, failures first: one more than is to be shown."""
    page: StandingPage | None = None
    """PCs one by one; None: patches alone are shown."""
    sites: Mapping[int, Sequence[SentToSite]] = field(default_factory=dict)
    """Where what was sent, by the patch's number; those that took most come first."""
    bytes: Mapping[int, PatchBytes] = field(default_factory=dict)
    """Where PCs have it from, by the patch's number."""
    smaller: Mapping[int, Sequence[SmallerUpdate]] = field(default_factory=dict)
    """How far its pieces are coded ahead, by the patch's number."""
    failed_elsewhere: Sequence[tuple[PatchHead, int]] = ()
    """Patches of other pages on which PCs have failed, with how many have; most first."""
    after: str = ""
    """What the next page of patches begins behind; empty: this is the last one."""
    back: Mapping[PatchRef, GoneBack] = field(default_factory=dict)
    """How far PCs are that go back from the patches that are shown PC by PC."""


def read_screen(context: Context, question: StatusQuestion) -> StatusScreen:
    """Return what a screen shows. Raises `UserError`; BAD_INPUT where the question names what is not known."""
    context.settings()
    with context.database() as database:
        screen = screen_of(context, database, read_head(context, database), question)
    if screen.page is None:
        return screen
    return replace(screen, back=known_ways_back(context, [one.patch.ref for one in screen.patches]))


def screen_of(context: Context, database: "Database", head: FleetHead, question: StatusQuestion) -> StatusScreen:
    """Return what a screen shows that begins with ``head``; raises as `read_screen`."""
    if question.of_pcs:
        return _of_pcs(context, database, head, question, question.size or ROWS_OF_A_PAGE)
    few = len(head.patches) <= FEW_PATCHES and len(head.patches) * head.endpoints.allowed <= ROWS_OF_A_PAGE
    if few and not question.after and not question.site:
        return _of_pcs(context, database, head, question, MAX_PAGE_ROWS)  # all there are
    return _of_patches(context, database, head, question)


def _of_patches(context: Context, database: "Database", head: FleetHead, question: StatusQuestion) -> StatusScreen:
    site = site_asked(context, database, question.site)
    rest = behind(head.patches, parse_cursor(question.after).patch if question.after else None)
    page = rest[: question.size or PATCHES_OF_A_PAGE]
    progress = progress_of(database, head, page, context.clock.now(), site=site)
    reasons = database.reason_counts(
        _numbers(page), most=REASONS_OF_A_PAGE + 1, without=NEEDS_NOBODY, site=site, of_many=True
    )  # fmt: skip
    after = str(page[-1].number) if len(rest) > len(page) else ""
    failed = _failed_elsewhere(database, head, page) if not question.after and site is None else ()
    return StatusScreen(head, question, progress, reasons, failed_elsewhere=failed, after=after)


def _failed_elsewhere(
    database: "Database", head: FleetHead, page: Sequence[PatchHead]
) -> Sequence[tuple[PatchHead, int]]:
    others = {patch.number: patch for patch in head.patches if patch not in page}
    if not others:
        return ()
    failed = database.said_of(others, said_as(Reached.FAILED))
    return [(others[number], failed[number]) for number in sorted(failed, key=lambda one: (-failed[one], -one))]


def _of_pcs(
    context: Context, database: "Database", head: FleetHead, question: StatusQuestion, size: int
) -> StatusScreen:
    page = standing_page(context, database, head, question, size=size, at_work_only=not question.narrowed)
    counted = page.patches if question.patch or not question.of_pcs else []
    if not counted or question.endpoint:  # of all patches, or of one PC, counts say nothing
        return StatusScreen(head, question, [], page=page)
    progress = progress_of(database, head, counted, context.clock.now(), site=page.wanted.site)
    if question.after:  # the first page has said it
        return StatusScreen(head, question, progress, page=page)
    reasons = [
        reason
        for patch in counted
        for reason in database.reason_counts([patch.number], most=REASONS_OF_A_PATCH + 1, site=page.wanted.site)
        if not question.narrowed or page.wanted.gives(reason)
    ]
    sites = {} if question.paged else {patch.number: sent_of(database, patch) for patch in counted}
    screen = StatusScreen(head, question, progress, reasons, page, sites)
    return screen if question.paged else _with_bytes(context, database, screen, counted)


def _with_bytes(
    context: Context, database: "Database", screen: StatusScreen, patches: Sequence[PatchHead]
) -> StatusScreen:
    payloads = database.payloads()
    return replace(
        screen,
        bytes={patch.number: database.bytes_of(patch.number) for patch in patches},
        smaller={
            patch.number: smaller_updates(context.home, [row for row in payloads if row.ref == patch.ref], payloads)
            for patch in patches
        },
    )


def sent_of(database: "Database", patch: PatchHead) -> list[SentToSite]:
    """Return where a patch was sent, those sites first that took most."""
    lengths = database.payload_lengths(patch.number)
    sent: dict[str, tuple[int, int]] = {}
    for (site, torrent), count in database.wan_bytes_of(lengths).items():
        before = sent.get(site, (0, 0))
        sent[site] = (before[0] + count, before[1] + lengths[torrent])
    found = [SentToSite(site, count, length) for site, (count, length) in sent.items()]
    return sorted(found, key=lambda one: (-one.wan_bytes, one.site))


def _numbers(patches: Sequence[PatchHead]) -> list[int]:
    return [patch.number for patch in patches]
