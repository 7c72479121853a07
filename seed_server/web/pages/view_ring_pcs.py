"""The page of a rollout's PCs one by one: those behind each number of the rollout's page."""

from typing import Literal

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from seed_server.fleet.ring_counts import PcOutcome
from seed_server.fleet.ring_pcs import RingClass, RingPc, RingPcsPage, RingPcsQuestion, read_ring_pcs
from seed_server.fleet.rollout_queries import rollout_ref
from seed_server.web.api.given import MaybeName, OfNumber
from seed_server.web.api.paging import After
from seed_server.web.frame.page import LIST_ROWS, Asked, Shown
from seed_server.web.pages.offer_words import patch_path
from seed_server.web.pages.standing_lines import OUTCOME_TONES, StandingLine, standing_line
from seed_server.web.pages.view_patch import from_path
from seed_server.web.pages.view_pcs import ListRows


class RingPcsAsked(OfNumber, frozen=True):
    """Which PCs of a rollout."""

    ring: MaybeName = ""
    which: RingClass | Literal[""] = ""
    limit: ListRows = LIST_ROWS
    after: After = ""


def view_ring_pcs(asked: Asked[RingPcsAsked]) -> Shown:
    """Return the page; what cannot be asked is said above the filters."""
    given, wrong = asked.given, ""
    ref = from_path(lambda: rollout_ref(asked.context, given.number))
    page: RingPcsPage | None = None
    question = RingPcsQuestion(given.number, given.ring, given.which, given.limit, given.after)
    try:
        page = read_ring_pcs(asked.context, question)
    except UserError as error:
        if error.kind is not FaultKind.BAD_INPUT:
            raise
        wrong = in_words(error.message)
    rings = [] if page is None else [ring.name for ring in page.kept.plan.rings]
    return Shown(
        tr("PCs of rollout {number}", number=given.number),
        {
            "number": given.number,
            "ref": str(ref),
            "path": patch_path(ref),
            "given": given,
            "wrong": wrong,
            "rows": [] if page is None else [_line(one) for one in page.rows],
            "total": 0 if page is None else page.total,
            "next": None if page is None else page.after,
            "serving": page is None or page.serving,
            "rings": [("", tr("any")), *((name, name) for name in rings)],
            "classes": class_choices(),
        },
    )


def _line(one: RingPc) -> StandingLine:
    held = {
        PcOutcome.EXCEPTED: tr("an exception holds it back"),
        PcOutcome.SILENT: tr("it was not seen for too long"),
    }.get(one.outcome, "")
    return standing_line(one.pc, OUTCOME_TONES.get(one.outcome, "open"), ring=one.ring, held=held)


def class_choices() -> list[tuple[str, str]]:
    """Return the classes of PCs, each with its words."""
    words: dict[RingClass, str] = {
        "done": tr("have it"), "failed": tr("failed"), "waiting": tr("waiting"), "silent": tr("silent"),
        "excepted": tr("excepted"), "not_applicable": tr("not for them"), "no_ring": tr("in no ring"),
        "not_known": tr("have not said yet what they are"),
    }  # fmt: skip
    return [("", tr("any")), *words.items()]
