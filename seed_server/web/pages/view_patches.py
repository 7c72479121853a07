"""The page of all patches: what each is, how far it is, what comes first."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.language import in_language, in_words, tr
from seed_server.fleet.coverage import Reached
from seed_server.reporting.patch_list import (
    OFFERED_STATES,
    PRIORITIES,
    ListedPatch,
    OfferedState,
    PatchesQuestion,
    read_patches,
)
from seed_server.reporting.rollout_sentences import why_shown
from seed_server.reporting.service_levels import SEVERITIES, LevelVerdict, ServiceLevel
from seed_server.reporting.words import TONES, priority_level
from seed_server.settings.priority_section import PriorityClass
from seed_server.store.count_rows import MAX_PAGE_ROWS
from seed_server.web.api.given import MAX_GIVEN_NAME_CHARS, Given
from seed_server.web.api.paging import After
from seed_server.web.frame.page import Asked, Shown
from seed_server.web.pages.offer_words import (
    OFFER_TONES,
    PRIORITY_TONES,
    STATE_TONES,
    offer_words,
    offered_since,
    patch_path,
)

LISTED_PATCHES = 30  # each has so much to say that more were no light page


class PatchFilters(Given, frozen=True):
    """Which patches."""

    text: Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS)] = ""
    state: OfferedState | Literal[""] = ""
    severity: Literal["", "low", "medium", "high", "critical"] = ""
    priority: PriorityClass | Literal[""] = ""
    sort: Literal["newest", "priority"] = "newest"
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_ROWS)] = LISTED_PATCHES
    after: After = ""


@dataclass(frozen=True)
class PatchLine:
    """One row; texts are in the reader's language."""

    ref: str
    path: str
    title: str
    severity: str
    emergency: bool
    published_at: float
    tone: str
    state: str
    reason: str
    """Why it stands there; may be empty."""
    since: float | None
    """Since when it stands there; None: since something newer is in its place."""
    rollout: int | None
    done: int | None
    """None, as the next three: the database knows nothing of it."""
    applicable: int | None
    """PCs that it may be for: those that have said nothing of it are in it."""
    failed: int | None
    unknown: int | None
    priority: str
    priority_tone: str
    due_at: float | None
    late: bool
    levels: tuple[tuple[str, str], ...]
    """Tone and words of each rule."""


def view_patches(asked: Asked[PatchFilters]) -> Shown:
    """Return the list of patches."""
    given = asked.given
    question = PatchesQuestion(
        text=given.text,
        state=given.state,
        severity=given.severity,
        priority=given.priority,
        by_priority=given.sort == "priority",
        size=given.limit,
        after=given.after,
    )
    found, words = read_patches(asked.context, question), offer_words()
    return Shown(
        tr("Patches"),
        {
            "rows": [_line(one, asked.now) for one in found.rows],
            "total": found.total,
            "next": found.after,
            "given": given,
            "counts": [(state, OFFER_TONES[state], words[state], found.counts[state]) for state in OFFERED_STATES],
            "states": [("", tr("any")), *((state, words[state]) for state in OFFERED_STATES)],
            "severities": [("", tr("any")), *((one, in_words(one)) for one in SEVERITIES[::-1])],
            "priorities": [("", tr("any")), *((one, priority_level(one)) for one in PRIORITIES)],
            "has_rules": found.has_rules,
            "published": sum(found.counts.values()),
        },
    )


def _line(one: ListedPatch, now: float) -> PatchLine:
    manifest, progress, ranked = one.offer.manifest, one.progress, one.priority
    counts = None if progress is None else progress.counts
    decision = None if ranked is None else ranked.decision
    return PatchLine(
        ref=str(one.ref),
        path=patch_path(one.ref),
        title=in_language(manifest.title, manifest.other_titles),
        severity=in_words(manifest.severity),
        emergency=manifest.schedule.emergency,
        published_at=float(manifest.published_at),
        tone="bad" if one.damage else _tone(one),
        state=_state(one),
        reason=_reason(one),
        since=_since(one),
        rollout=None if one.rollout is None else one.rollout.kept.row.number,
        done=None if counts is None else counts[Reached.INSTALLED] + counts[Reached.DELIVERED],
        applicable=None if progress is None else progress.total - progress.counts[Reached.NOT_APPLICABLE],
        failed=None if counts is None else counts[Reached.FAILED],
        unknown=None if counts is None else counts[Reached.SILENT],
        priority="" if decision is None else priority_level(decision.leaf.priority),
        priority_tone="" if decision is None else PRIORITY_TONES[decision.leaf.priority],
        due_at=None if decision is None else decision.due_at,
        late=bool(decision and decision.due_at and decision.due_at < now and decision.facts.missing),
        levels=tuple(map(level_words, one.levels)),
    )


def _tone(one: ListedPatch) -> str:
    return OFFER_TONES[one.state] if one.rollout is None else STATE_TONES[one.rollout.kept.progress.state]


def _state(one: ListedPatch) -> str:
    if one.rollout is None:
        return offer_words()[one.state]
    kept = one.rollout.kept
    return tr(
        "{state}, ring {open} of {rings}",
        state=in_words(kept.progress.state.value),
        open=len(kept.progress.opened_at),
        rings=len(kept.plan.rings),
    )


def _reason(one: ListedPatch) -> str:
    if one.damage:
        return tr("Its file cannot be served: {why}", why=in_words(one.damage))
    if one.rollout is not None:
        return why_shown(one.rollout.why, one.rollout.fault)
    if one.offer.withdrawal is not None:
        return one.offer.withdrawal.reason
    if one.offer.superseded_by is not None:
        return tr("{patch} is in its place.", patch=one.offer.superseded_by)
    return ""


def _since(one: ListedPatch) -> float | None:
    return one.rollout.why.since if one.rollout is not None else offered_since(one.offer)


def level_words(level: ServiceLevel) -> tuple[str, str]:
    """Return the tone of a service level, and what is said of it."""
    tone = TONES[level.verdict] or ("quiet" if level.verdict is LevelVerdict.RUNNING else "open")
    words = tr("{rule}: {verdict}", rule=level.rule.name, verdict=tr(level.verdict.value))
    return tone, words
