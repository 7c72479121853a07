"""The page of one patch, and the rollouts of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.language import in_language, in_words, tr
from seed_server.fleet import rollout_queries
from seed_server.fleet.rollout_queries import ListedRollout
from seed_server.fleet.taking_back import read_site_withdrawals
from seed_server.reporting.patch_list import offered_state, read_offer
from seed_server.reporting.patch_states import PatchStates, read_patch_states
from seed_server.reporting.rollout_sentences import why_shown
from seed_server.signing.offers import Offer
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.frame.page import Asked, Shown
from seed_server.web.pages.offer_words import (
    OFFER_TONES,
    STATE_TONES,
    offer_words,
    offered_since,
    patch_path,
)
from seed_server.web.pages.patch_parts import PATCH_PARTS, PatchAsked, PatchPart

T = TypeVar("T")


@dataclass(frozen=True)
class RolloutLine:
    """One rollout of the patch."""

    number: int
    tone: str
    state: str
    why: str
    template: str
    author: str
    started_at: float
    since: float
    """Since when it stands where it does."""
    rings: Sequence[tuple[str, int | None]]
    """Name, and when it was opened; None: it is not open."""
    live: bool


def from_path(read: Callable[[], T]) -> T:
    """Return what is read of what a page's path names; raises `ApiProblemError` where that is not there."""
    try:
        return read()
    except UserError as error:
        if error.kind is not FaultKind.BAD_INPUT:
            raise
        raise ApiProblemError("no-such-thing", error.message) from error


def view_patch(asked: Asked[PatchAsked]) -> Shown:
    """Return the page of a patch."""
    context, given = asked.context, asked.given
    states = from_path(lambda: read_patch_states(context, given.patch))
    ref, offer = states.patch.ref, read_offer(context, states.patch.ref)
    rollouts, broken = rollout_queries.rollouts_of(context, ref)
    lines = [rollout_line(one) for one in rollouts]
    live = next((one for one in lines if one.live), None)
    title = states.patch.title if offer is None else _title(offer)
    values: dict[str, Any] = {
        "ref": str(ref),
        "path": patch_path(ref),
        "name": title,
        "part": given.part,
        "given": given,
        "tabs": _tabs(ref, given.part),
        "facts": _facts(states, offer),
        "cves": () if offer is None else offer.manifest.mended_cves,
        "offered": _offered(states, offer, live),
        "can_start": offer is not None and live is None and not offer.for_good and offer.state != "superseded",
        "can_withdraw": offer is not None and (offer.state == "offered" or live is not None),
        "can_offer": offer is not None and offer.withdrawal is not None and not offer.for_good,
        "live": live,
        "rollouts": lines,
        "broken": [one.row.number for one in broken],
        "sites": sorted(read_site_withdrawals(context).get(ref, {}).items()),
    }
    values |= PATCH_PARTS[given.part](context, asked.now, given, states, offer)
    return Shown(f"{ref} {title}".rstrip(), values)


def _title(offer: Offer) -> str:
    return in_language(offer.manifest.title, offer.manifest.other_titles)


def _tabs(ref: PatchRef, part: PatchPart) -> list[tuple[str, str, bool]]:
    path = patch_path(ref)
    names: dict[PatchPart, str] = {
        "": tr("Progress"), "pcs": tr("PC by PC"), "priority": tr("Priority"), "plan": tr("Plan"),
        "files": tr("Files and rules"),
    }  # fmt: skip
    tabs = [(name, f"{path}?part={one}" if one else path, one == part) for one, name in names.items()]
    return [*tabs, (tr("Report"), f"/reports/patch/{path.rpartition('/')[2]}", False)]


def _facts(states: PatchStates, offer: Offer | None) -> Mapping[str, Any]:
    patch = states.patch
    return {
        "severity": in_words(patch.severity),
        "emergency": patch.emergency,
        "cvss": None if offer is None else offer.manifest.cvss,
        "published_at": patch.published_at,
        "length": patch.length_bytes,
        "sent": states.sent_bytes,
        "damage": states.head.damages.get(patch.number, ""),
        "number": None if offer is None else offer.manifest.number,
    }


def _offered(states: PatchStates, offer: Offer | None, live: RolloutLine | None) -> Mapping[str, Any]:
    """Return how it is offered: tone, words, why, and since when."""
    if offer is None:
        version = states.head.replaced.get(states.patch.ref, "")
        words = tr("Version {version} has taken its place.", version=version) if version else ""
        return {"tone": "quiet", "state": offer_words()["superseded"], "why": words, "at": None, "for_good": False}
    state = offered_state(offer, by_rollout=live is not None)
    why, at = "", offered_since(offer)
    if live is not None:
        return {"tone": live.tone, "state": live.state, "why": live.why, "at": live.since, "for_good": False}
    if offer.withdrawal is not None:
        why = offer.withdrawal.reason
    elif offer.superseded_by is not None:
        why = tr("{patch} is in its place.", patch=offer.superseded_by)
    return {"tone": OFFER_TONES[state], "state": offer_words()[state], "why": why, "at": at, "for_good": offer.for_good}


def rollout_line(one: ListedRollout) -> RolloutLine:
    """Return what is shown of a rollout among others."""
    kept = one.kept
    opened = kept.progress.opened_at
    return RolloutLine(
        number=kept.row.number,
        tone=STATE_TONES[kept.progress.state],
        state=in_words(kept.progress.state.value),
        why=why_shown(one.why, one.fault),
        template=kept.row.template,
        author=kept.row.author,
        started_at=kept.row.created_at,
        since=one.why.since,
        rings=[(ring.name, opened[at] if at < len(opened) else None) for at, ring in enumerate(kept.plan.rings)],
        live=kept.row.state not in ("complete", "aborted"),
    )
