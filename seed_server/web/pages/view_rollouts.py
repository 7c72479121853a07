"""The page of all rollouts, and that of approvals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from seed_server.fleet import rollout_queries
from seed_server.fleet.approval_queries import GivenApproval, WantedApproval, read_approvals
from seed_server.fleet.rollout import OVER
from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.web.api.paging import Paged, page_of
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import LIST_ROWS, Asked, Shown
from seed_server.web.pages.offer_words import STATE_TONES, patch_path
from seed_server.web.pages.view_patch import RolloutLine, rollout_line


class RolloutFilters(Paged, frozen=True):
    """Which rollouts."""

    show: Literal["live", "over", "all"] = "live"
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_ROWS)] = LIST_ROWS


@dataclass(frozen=True)
class ListedLine:
    """One rollout of the list."""

    rollout: RolloutLine
    ref: str
    path: str
    title: str
    open_rings: int
    rings: int


def view_rollouts(asked: Asked[RolloutFilters]) -> Shown:
    """Return the list of rollouts."""
    given = asked.given
    found, broken = rollout_queries.list_rollouts(asked.context, live=given.show == "live")
    if given.show == "over":
        found = [one for one in found if one.kept.progress.state in OVER]
        broken = [one for one in broken if one.over]
    titles = rollout_queries.titles(asked.context)
    page = page_of(
        found,
        given,
        lambda one: one.kept.row.number,
        lambda one: ListedLine(
            rollout=rollout_line(one),
            ref=str(one.kept.plan.ref),
            path=patch_path(one.kept.plan.ref),
            title=titles.get(one.kept.plan.ref, ""),
            open_rings=len(one.kept.progress.opened_at),
            rings=len(one.kept.plan.rings),
        ),
    )
    damaged = [(one.row.number, str(one.row.ref), in_words(one.row.state), one.words) for one in broken]
    return Shown(
        tr("Rollouts"),
        {
            "rows": page.rows,
            "next": page.next,
            "broken": damaged,
            "given": given,
            "serving": rollout_queries.serves(asked.context),
            "tabs": [
                (name, f"/rollouts?show={show}", show == given.show)
                for show, name in (("live", tr("Not over")), ("over", tr("Over")), ("all", tr("All")))
            ],
            "total": len(found),
        },
    )


@dataclass(frozen=True)
class ApprovalLine:
    """A rollout that lacks approvals."""

    number: int
    ref: str
    path: str
    title: str
    tone: str
    state: str
    ring: str
    rings: int
    of: int
    has: int
    wanted: int
    since: float
    waits: bool
    author: str
    note: str
    approved_by: Sequence[str]
    could: Sequence[str]
    refusal: str
    mine: bool
    given: bool
    by_signature: bool
    command: str


def approval_line(one: WantedApproval) -> ApprovalLine:
    """Return what is shown of a rollout that lacks approvals."""
    kept = one.kept
    number = kept.row.number
    return ApprovalLine(
        number=number,
        ref=str(kept.plan.ref),
        path=patch_path(kept.plan.ref),
        title=one.title,
        tone=STATE_TONES[kept.progress.state],
        state=in_words(kept.progress.state.value),
        ring=one.ring,
        rings=one.rings,
        of=len(kept.plan.rings),
        has=one.has,
        wanted=one.wanted,
        since=one.since,
        waits=one.waits,
        author=kept.row.author,
        note=kept.row.note,
        approved_by=one.approved_by,
        could=one.could,
        refusal=in_words(printable(one.refusal)),
        mine=one.is_mine,
        given=one.given,
        by_signature=one.by_signature,
        command=f"seed-server rollout approve {number} --key FILE" if one.by_signature else "",
    )


def view_approvals(asked: Asked[Nothing]) -> Shown:
    """Return what waits for whose approval, that of the reader first."""
    look = read_approvals(asked.context, actor=asked.actor)
    lines = [approval_line(one) for one in look.wanted]
    return Shown(
        tr("Approvals"),
        {
            "mine": [one for one in lines if one.mine and one.waits],
            "others": [one for one in lines if not one.mine and one.waits],
            "later": [one for one in lines if not one.waits],
            "given": [_given_line(one) for one in look.given],
            "may_approve": "approve" in asked.actor.rights.permissions,
        },
    )


def _given_line(one: GivenApproval) -> tuple[int, str, str, str, int, float]:
    return one.rollout, str(one.patch), patch_path(one.patch), in_words(one.state), one.rings, one.at
