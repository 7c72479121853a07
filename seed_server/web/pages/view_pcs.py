"""The page *PCs*: who is enrolled, how each is, and what is odd about whom. Blocking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.state_words import state_word
from p2pdist.shared.wire.pc_findings import FINDING_CODES
from seed_server.fleet.coverage import Reached
from seed_server.fleet.endpoint_pages import PC_STATES, EndpointsPage, EndpointsQuestion, Namesakes, read_endpoints
from seed_server.fleet.standing import STATES
from seed_server.reporting.pc_words import CLAIM_HINT, SHARED_HINT, PcCondition, finding_words, pc_doubts, pc_state
from seed_server.store.rows import ANY_FINDING, EndpointRow, PcState
from seed_server.web.api.given import MAX_DAYS, AtSite, Given, MaybeName, OfPatch
from seed_server.web.api.paging import After
from seed_server.web.api.routes_fleet import State
from seed_server.web.frame.page import LIST_ROWS, Asked, Shown

"""Of a page of a list."""
MAX_LIST_ROWS = 200
ListRows = Annotated[int, Meta(ge=1, le=MAX_LIST_ROWS)]


class Pcs(Given, frozen=True):
    """Which PCs."""

    site: AtSite = ""
    tag: MaybeName = ""
    begins: MaybeName = ""
    state: PcState | Literal[""] = ""
    not_seen_days: Annotated[int, Meta(ge=0, le=MAX_DAYS)] = 0
    finding: Annotated[str, Meta(pattern=r"^[a-z_]{0,24}$")] = ""
    patch: OfPatch = ""
    patch_state: State = ""
    lacking: bool = False
    sort: Literal["name", "seen"] = "name"
    limit: ListRows = LIST_ROWS
    after: After = ""

    @property
    def narrow(self) -> bool:
        """Whether any of the filters is used that few look for."""
        return bool(
            self.not_seen_days or self.finding or self.patch or self.patch_state or self.lacking or self.sort != "name"
        )

    def question(self) -> EndpointsQuestion:
        """Return what they ask for."""
        return EndpointsQuestion(
            self.site,
            self.state or None,
            self.limit,
            self.after,
            not_seen_days=self.not_seen_days or None,
            by_seen=self.sort == "seen",
            tag=self.tag,
            begins=self.begins.strip(),
            finding=self.finding,
            patch=self.patch,
            patch_state=self.patch_state,
            lacking=self.lacking,
        )


@dataclass(frozen=True)
class PcLine:
    """A row."""

    pc: EndpointRow
    state: PcCondition
    doubts: str
    """In words; empty: nothing is odd about it."""


def show_pcs(asked: Asked[Pcs]) -> Shown:
    """Show a page of PCs; what cannot be asked is said above the filters."""
    given, wrong = asked.given, ""
    page = EndpointsPage(serving=True, rows=(), namesakes=Namesakes(), total=0)
    try:
        page = read_endpoints(asked.context, given.question())
    except UserError as error:
        if error.kind is not FaultKind.BAD_INPUT:
            raise
        wrong = in_words(error.message)
    return Shown(
        tr("PCs"),
        {
            "given": given,
            "wrong": wrong,
            "serving": page.serving,
            "total": page.total,
            "rows": _lines(page, asked.now),
            "next": page.after,
            "states": state_choices(),
            "patch_states": patch_state_choices(),
            "findings": finding_choices(),
            "shared_hint": in_words(SHARED_HINT) if any(row.shared_with for row in page.rows) else "",
            "claim_hint": in_words(CLAIM_HINT) if any(row.claimed_site for row in page.rows) else "",
        },
    )


def _lines(page: EndpointsPage, now: float) -> Sequence[PcLine]:
    return [PcLine(row, _state(page, row, now), pc_doubts(row, page.namesakes.of(row))) for row in page.rows]


def _state(page: EndpointsPage, row: EndpointRow, now: float) -> PcCondition:
    state = pc_state(row, now, connected=row.connected and page.serving)
    away = state.tone == "quiet" and row.last_seen_at
    return PcCondition(state.tone, tr("not connected")) if away else state  # since when, another column says


def state_choices() -> list[tuple[str, str]]:
    """Return the states of PCs, each with its words."""
    words = {
        "connected": tr("connected"), "away": tr("not connected"), "never_seen": tr("never seen"),
        "denied": tr("denied"), "pending": tr("waits to be allowed"),
    }  # fmt: skip
    return [("", tr("any")), *((state, words[state]) for state in PC_STATES)]


def patch_state_choices() -> list[tuple[str, str]]:
    """Return how a patch may be on a PC, each with its words: the classes that are counted, and then the states."""
    classes = {one.name.lower() for one in Reached}
    words = {
        "under_way": tr("under way"), "away": tr("not done, and not connected"), "silent": tr("has said nothing of it"),
    }  # fmt: skip
    named = [(state, words.get(state) or state_word(state)) for state in STATES]
    return [("", tr("any")), *(one for one in named if one[0] in classes), *(
        one for one in named if one[0] not in classes
    )]  # fmt: skip


def finding_choices() -> list[tuple[str, str]]:
    """Return what PCs may say is wrong with them."""
    found = [(code, finding_words(code).said) for code in FINDING_CODES]
    return [("", tr("all PCs")), (ANY_FINDING, tr("any problem")), *found]
