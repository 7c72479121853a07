"""The page *missing*: who lacks patches, why, and what is done about it. Blocking."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

from msgspec import Meta
from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr, trn
from seed_server.answers.csv_text import csv_line, csv_of
from seed_server.fleet.coverage import Reached
from seed_server.fleet.overview import PatchProgress, read_progress
from seed_server.fleet.permissions import RightMissingError
from seed_server.reporting.answering import missing_document
from seed_server.reporting.documents import MissingDocument
from seed_server.reporting.follow_up_operations import MAX_NOTE_CHARS, follow_up
from seed_server.reporting.missing_pcs import MISSING_CODES, SILENT_DAYS, FollowUp, MissingReason
from seed_server.reporting.missing_queries import MISSING_OF_A_PAGE, MissingPc, MissingQuestion, all_missing
from seed_server.reporting.missing_search import FoundMissing, find_missing
from seed_server.reporting.words import follow_up_words, said_words
from seed_server.store.count_rows import PatchHead
from seed_server.web.api.given import AtSite, Body, Given, MaybeName, OfEndpoint, OfPatch
from seed_server.web.api.paging import After
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.frame.page import LIST_ROWS, Asked, Done, FileAnswer, Sent, Shown
from seed_server.web.pages.missing_counts import CountedMissing, counted_missing, too_many
from seed_server.web.pages.view_pcs import ListRows

MAX_TICKED = 200  # each is an entry of the audit log
MAX_TICK_CHARS = 300  # the id of a PC, and ID@VERSION of a patch
MAX_CSV_ROWS = 50_000  # 10 MB
LACKS = (Reached.UNDER_WAY, Reached.FAILED, Reached.AWAY, Reached.SILENT)
DONE_STATE = "none"
MAX_SAID_IN_LIST = 200  # signs, so that thirty rows stay a light page
MOST_OVERVIEW = 10  # patches that most PCs lack


class MissingAsked(Given, frozen=True):
    """Which patches and PCs."""

    patch: OfPatch = ""
    site: AtSite = ""
    reason: Annotated[str, Meta(pattern=f"^(?:{'|'.join(MISSING_CODES)})?$")] = ""
    owner: MaybeName = ""
    silent_days: Annotated[int, Meta(ge=1, le=365)] = SILENT_DAYS
    limit: ListRows = MISSING_OF_A_PAGE
    after: After = ""

    def question(self) -> MissingQuestion:
        """Return what they ask for."""
        return MissingQuestion(
            self.patch, self.site, self.reason, self.silent_days, self.limit, self.after, self.owner
        )  # fmt: skip


@dataclass(frozen=True)
class MissingLine:
    """A row."""

    endpoint_id: str
    hostname: str
    site: str
    patch: str
    reason: str
    said: str
    since: float
    last_seen_at: float | None
    connected: bool
    owner: str
    proposal: str
    follow_up: str
    by: str

    @property
    def tick(self) -> str:
        """What its box sends."""
        return f"{self.endpoint_id} {self.patch}"


@dataclass(frozen=True)
class LackedPatch:
    """A patch, and how many PCs lack it."""

    ref: str
    title: str
    lacking: int
    of: int


def show_missing(asked: Asked[MissingAsked]) -> Shown:
    """Show a page of those that lack patches; what cannot be asked is said above the filters."""
    given, wrong = asked.given, ""
    page = FoundMissing(asked.now, serving=True, patches=(), rows=())
    counted: CountedMissing | None = None
    overview: Sequence[LackedPatch] = ()
    try:
        page = find_missing(asked.context, given.question())
        progress = read_progress(asked.context, patch=given.patch, site=given.site, size=LIST_ROWS).rows
        if not _too_many(progress, page.patches):
            counted = counted_missing(asked.context, given.question())
        overview = _overview(progress, page.patches)
    except UserError as error:
        if error.kind is not FaultKind.BAD_INPUT:
            raise
        wrong = in_words(error.message)
    return Shown(
        tr("Missing"),
        {
            "given": given,
            "wrong": wrong,
            "serving": page.serving,
            "rows": [_line(row) for row in page.rows],
            "owned": any(row.owner for row in page.rows),
            "next": page.after,
            "unfinished": page.unfinished_search,
            "several": len(page.patches) != 1,
            "counted": counted,
            "counts": []
            if counted is None
            else [(reason.name.lower(), tr(reason.value), count) for reason, count in counted.counts.items()],
            "overview": overview[:MOST_OVERVIEW],
            "newest": LIST_ROWS if len(page.patches) > LIST_ROWS else 0,
            "reasons": [("", tr("any")), *((one.name.lower(), tr(one.value)) for one in MissingReason)],
            "follow_ups": [*follow_up_choices(), (DONE_STATE, tr("nothing any more"))],
            "silent_default": SILENT_DAYS,
        },
    )


def _too_many(progress: Sequence[PatchProgress], patches: Sequence[PatchHead]) -> bool:
    return too_many(progress[0].total if progress else 0, len(patches))


def _overview(progress: Sequence[PatchProgress], patches: Sequence[PatchHead]) -> list[LackedPatch]:
    meant = {patch.number for patch in patches}
    found = [
        LackedPatch(str(one.patch.ref), one.patch.title, lacking, one.total - one.counts[Reached.NOT_APPLICABLE])
        for one in progress
        if one.patch.number in meant and (lacking := sum(one.counts[state] for state in LACKS))
    ]
    return sorted(found, key=lambda one: one.lacking, reverse=True)


def _line(row: MissingPc) -> MissingLine:
    pc = row.pc
    return MissingLine(
        pc.endpoint_id,
        pc.hostname,
        pc.site,
        str(row.patch.ref),
        tr(row.reason.value),
        shortened(said_words(row)),
        row.since,
        pc.last_seen_at or None,
        pc.connected,
        row.owner,
        tr(row.proposal.value),
        follow_up_words(row),
        pc.set_by,
    )


def follow_up_choices() -> list[tuple[str, str]]:
    """Return what may be done about a PC, each with its words."""
    return [(one.value, tr(one.value)) for one in FollowUp]


def shortened(text: str) -> str:
    """Return the beginning of what a PC says, which tells it from others: the PC's own page has all of it."""
    return text if len(text) <= MAX_SAID_IN_LIST else f"{text[: MAX_SAID_IN_LIST - 1]}…"


# --- the file ----------------------------------------------------------------------------


def missing_file(asked: Asked[MissingAsked]) -> FileAnswer:
    """Answer with all that are asked for, as CSV. Raises `UserError` (BAD_INPUT) where they are too many."""
    given = asked.given
    progress = read_progress(asked.context, patch=given.patch, site=given.site, size=LIST_ROWS).rows
    patches = find_missing(asked.context, replace_size(given)).patches
    if _too_many(progress, patches):
        raise UserError(
            "So many patches and PCs take too long for a page. Choose a patch, or ask the command line: seed-server "
            "report missing --csv",
            FaultKind.BAD_INPUT,
        )
    return FileAnswer("missing.csv", "text/csv; charset=utf-8", "".join(_csv(asked)).encode())


def replace_size(given: MissingAsked) -> MissingQuestion:
    """Return what is asked for, with one row."""
    return replace(given, limit=1, after="").question()


def _csv(asked: Asked[MissingAsked]) -> Iterator[str]:
    yield f"{csv_line(MissingDocument.__struct_fields__)}\r\n"
    question = replace(asked.given, after="").question()
    everything = MissingQuestion(
        question.patch, question.site, question.reason, question.silent_days, MAX_CSV_ROWS, "", question.owner
    )  # fmt: skip
    for row in all_missing(asked.context, everything):
        document = missing_document(row, asked.now)
        yield f"{csv_of(replace(document, age_seconds=round(document.age_seconds)))}\r\n"


# --- what is done about it ---------------------------------------------------------------

FollowUpNote = Annotated[str, Meta(max_length=MAX_NOTE_CHARS)]
FollowUpState = Literal["told", "ticket", "visit", "retired", "none"]


Ticks = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[^ ]+ [^ ]+$", max_length=MAX_TICK_CHARS)], ...], Meta(max_length=MAX_TICKED)
]


class FollowingUp(Body, frozen=True):
    """What is done about PCs that were ticked, or about all that were listed."""

    state: FollowUpState
    row: Ticks = ()
    everything: bool = False
    """All that were listed are meant."""
    listed: Ticks = ()
    note: FollowUpNote = ""
    back: Annotated[str, Meta(max_length=2_000)] = ""
    """The query of the page."""


class FollowingUpOne(Body, frozen=True):
    """What is done about one PC."""

    state: FollowUpState
    patch: OfPatch = ""
    note: FollowUpNote = ""


def follow_up_ticked(sent: Sent[Any, FollowingUp]) -> Done:
    """Note what is done about the PCs that were ticked; who has the patch meanwhile is passed over.

    Raises `UserError` where nothing was noted: the first reason. `ApiProblemError` where nothing was ticked.
    """
    body, done, passed_over = sent.body, 0, list[UserError]()
    ticked = body.listed if body.everything else body.row
    if not ticked:
        raise ApiProblemError("not-acceptable", "Tick those that are meant.")
    for row in dict.fromkeys(ticked):
        endpoint, _, patch = row.partition(" ")
        try:
            follow_up(sent.context, sent.actor, endpoint, _state(body.state), patch=patch, note=body.note)
        except UserError as error:
            if error.kind is not FaultKind.BAD_INPUT and not isinstance(error, RightMissingError):
                raise
            passed_over.append(error)
        else:
            done += 1
    if not done:
        raise passed_over[0]
    said = trn("Noted for {number} PC.", "Noted for {number} PCs.", done)
    if passed_over:
        others = trn("{number} was passed over: {why}", "{number} were passed over: {why}", len(passed_over),
                     why=in_words(passed_over[0].message))  # fmt: skip
        said = f"{said} {others}"
    query = urlencode(parse_qsl(body.back))
    return Done(f"/missing?{query}" if query else "/missing", said)


def follow_up_one(sent: Sent[OfEndpoint, FollowingUpOne]) -> Done:
    """Note what is done about one PC."""
    body = sent.body
    row, patches = follow_up(
        sent.context, sent.actor, sent.given.endpoint, _state(body.state), patch=body.patch, note=body.note
    )
    return Done(
        f"/pcs/{row.endpoint_id}", trn("Noted for {number} patch.", "Noted for {number} patches.", len(patches))
    )


def _state(state: FollowUpState) -> FollowUp | None:
    return None if state == DONE_STATE else FollowUp(state)
