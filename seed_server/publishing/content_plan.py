"""Which payloads go from the content store, in which order, and what is left then. Pure.

What somebody needs never goes: that is decided before anything is counted, so that no bound can change it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.publishing.content_needs import UseOfContent, Uses
from seed_server.settings.sections import RetentionSettings
from seed_server.store.rows import StoredPayload

UNLISTED_SECONDS = DAY_SECONDS  # of what no publication has: somebody may be putting a backup back
GIGABYTE = 10**9

Because: TypeAlias = Literal["unlisted", "retention", "quota", "asked"]
"""Unlisted: no publication has it. Retention: it has had its time. Quota: files may not take as much. Asked: somebody
wants all gone that nobody needs."""


@dataclass(frozen=True)
class ContentRules:
    """How much is kept of what nobody needs."""

    kept_seconds: float | None
    """Since nobody needs it; None: for ever."""
    most_bytes: int
    """What all payloads together may take; 0: there is no bound."""
    held: bool = False
    """Whether a legal hold keeps all that was ever published."""
    at_once: bool = False
    """Whether all goes now that nobody needs."""
    expired: tuple[str, ...] = ()
    """As `expired_offline`: while there are any, nothing goes by itself."""

    @classmethod
    def of(
        cls, settings: RetentionSettings, *, held: bool, at_once: bool = False, expired: tuple[str, ...] = ()
    ) -> "ContentRules":
        """Return the rules that settings make."""
        days, most = settings.content_days, int(settings.content_gb * GIGABYTE)
        return cls(days * DAY_SECONDS if days else None, most, held, at_once, () if at_once else expired)


@dataclass(frozen=True)
class Removal:
    """A payload that goes."""

    payload: StoredPayload
    because: Because
    uses: tuple[UseOfContent, ...] = ()
    """The publications that have it; none needs it."""


@dataclass(frozen=True)
class ContentPlan:
    """What goes now, and what is left."""

    removals: tuple[Removal, ...]
    left_bytes: int
    """What all payloads take then."""
    over_bytes: int
    """By how much that is more than they may take; 0: it is not."""
    idle_bytes: int
    """What is left that nobody needs: it goes in its time."""
    expired: tuple[str, ...] = ()
    """Why nothing goes by itself: as `ContentRules.expired`."""
    coded_bytes: int = 0
    """What coded pieces take that go, too: of payloads that have gone, or that the disk has no room for, or all."""

    @property
    def bytes(self) -> int:
        """What becomes free, but for coded pieces."""
        return sum(one.payload.bytes for one in self.removals)


def plan_content(
    stored: Iterable[StoredPayload], uses: Uses, since: Mapping[str, float], rules: ContentRules, now: float
) -> ContentPlan:
    """Return what goes; ``since``: from when on nobody needs a payload, by its SHA-256; one that is missing: from now.

    What no publication has goes first, then what has had its time. Where the rest takes more than it may, what nobody
    needs goes on, the longest idle first, until it does not.
    """
    payloads = list(stored)
    removals: list[Removal] = []
    waiting: list[tuple[float, StoredPayload]] = []
    left = sum(one.bytes for one in payloads)
    for one in sorted(payloads, key=lambda one: (since.get(one.sha256, now), one.sha256)):
        found = tuple(uses.get(one.sha256, ()))
        if any(use.needed for use in found):
            continue
        because = _because(one, found, since.get(one.sha256, now), rules, now)
        if because is not None:
            removals.append(Removal(one, because, found))
            left -= one.bytes
        elif found and not rules.held and not rules.expired:
            waiting.append((since.get(one.sha256, now), one))
    for _, one in waiting:
        if not rules.most_bytes or left <= rules.most_bytes:
            break
        removals.append(Removal(one, "quota", tuple(uses[one.sha256])))
        left -= one.bytes
    gone = {one.payload.sha256 for one in removals}
    idle = sum(one.bytes for one in payloads if one.sha256 not in gone and not _needed(uses, one.sha256))
    over = max(0, left - rules.most_bytes) if rules.most_bytes else 0
    return ContentPlan(tuple(removals), left, over, idle, rules.expired)


def _needed(uses: Uses, sha256: str) -> bool:
    return any(use.needed for use in uses.get(sha256, ()))


def _because(
    payload: StoredPayload, uses: tuple[UseOfContent, ...], since: float, rules: ContentRules, now: float
) -> Because | None:
    if rules.held or rules.expired:  # what no publication has any more was published, too
        return None
    if not uses:
        return "unlisted" if rules.at_once or now - payload.changed_at >= UNLISTED_SECONDS else None
    if rules.at_once:
        return "asked"
    if rules.kept_seconds is not None and now - since >= rules.kept_seconds:
        return "retention"
    return None
