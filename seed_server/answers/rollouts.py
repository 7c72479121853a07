"""What `rollout` and `exception` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Share, UnixSeconds, WholeUnixSeconds
from seed_server.answers.offers import WayBackDocument


class RolloutGateDocument(Struct, frozen=True):
    """What a ring's rule asks before the next one opens, and how far it is; failures that are acknowledged left out."""

    soaks_until: WholeUnixSeconds
    """When it has soaked. Since 0.3."""
    decided: int
    """PCs on which it came to an end, good or bad. Since 0.3."""
    least_decided: int
    """So many are wanted; where the ring is smaller, all of it. Since 0.3."""
    installed_share: Share | None
    """Of the decided PCs, so many have installed it: as much as is proven while others have still to decide; null: none
    has decided. Since 0.3."""
    least_installed_share: Share
    """So much is wanted. Since 0.3."""
    failed: int
    """Failures that count. Since 0.3."""
    failed_share: Share | None
    """Their share, as far as it is proven; null: none has decided. Since 0.3."""
    most_failed_share: Share
    """More halts the rollout. Since 0.3."""
    least_failed: int
    """Fewer failures never halt it. Since 0.3."""
    exact: bool
    """Whether no PC has still to decide, so that the shares are what they are. Since 0.3."""


class RolloutRingDocument(Struct, frozen=True):
    """A ring, and how its PCs stand."""

    name: str
    """What people call it. Since 0.3."""
    who: str
    """The expression that chooses its PCs; empty: every PC. Since 0.3."""
    share_percent: float
    """Of those PCs, with the rings before. Since 0.3."""
    opened_at: WholeUnixSeconds | None
    """When it was opened; null: it is not open. Since 0.3."""
    installed: int
    """PCs that have installed it. Since 0.3."""
    failed: int
    """PCs on which it failed. Since 0.3."""
    rolled_back: int
    """PCs on which it was rolled back. Since 0.3."""
    not_applicable: int
    """PCs that it is not for. Since 0.3."""
    excepted: int
    """PCs that an exception holds back. Since 0.3."""
    silent: int
    """PCs that were not seen for too long while the ring was open. Since 0.3."""
    waiting: int
    """PCs that have still to decide. Since 0.3."""
    acknowledged: int
    """Failures that do not count any more, as a person has resumed the rollout. Since 0.3."""
    gate: RolloutGateDocument | None = None
    """How far it is; null: it is not open. Since 0.3."""


class RolloutApprovalDocument(Struct, frozen=True):
    """One person's word for a rollout."""

    who: str
    """Who has approved it. Since 0.3."""
    rings: int
    """For how many rings, from the first on. Since 0.3."""
    at: WholeUnixSeconds
    """When. Since 0.3."""
    signed: bool
    """Whether PCs can verify it. Since 0.3."""


class RolloutRowDocument(Struct, frozen=True):
    """A rollout among others."""

    number: int
    """What it is called. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    template: str
    """The template that it was started with. Since 0.3."""
    state: str
    """running, waiting for approval, waiting for a word, paused, halted, complete or aborted. Since 0.3."""
    author: str
    """Who has started it. Since 0.3."""
    started_at: WholeUnixSeconds
    """When. Since 0.3."""
    open_rings: int
    """How many rings are open. Since 0.3."""
    rings: int
    """How many rings it has. Since 0.3."""
    title: str
    """What the patch is, as its publisher wrote it; may be empty. Since 0.3."""


class WantedApprovalDocument(Struct, frozen=True):
    """A rollout of which a ring lacks approvals."""

    rollout: int
    """Its number. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    title: str
    """What the patch is, as its publisher wrote it; may be empty. Since 0.3."""
    state: str
    """As in `rollout list`. Since 0.3."""
    ring: str
    """The first ring that lacks them. Since 0.3."""
    rings: int
    """How many rings that are, from the first on. Since 0.3."""
    approvals: int
    """So many people have approved that many rings, and count now. Since 0.3."""
    required: int
    """So many are required. Since 0.3."""
    waits: bool
    """Whether the rollout waits for that now; else the rings before have still to come. Since 0.3."""
    since: WholeUnixSeconds
    """Since when it stands where it does. Since 0.3."""
    by_signature: bool
    """Whether PCs want approvals that are signed with a key of one's own. Since 0.3."""
    author: str
    """Who has started it. Since 0.3."""
    approved_by: tuple[str, ...]
    """Whose approval counts now. Since 0.3."""
    could: tuple[str, ...]
    """The accounts that could give what is lacking; local users of the server's machine could, too. Since 0.3."""
    mine: bool
    """Whether who asks could. Since 0.3."""
    refusal: str
    """Why who asks cannot, in English; empty: they can, or have done so. Since 0.3."""


class RingPcDocument(Struct, frozen=True):
    """A PC of a rollout: one of those behind a number of `rollout show`."""

    id: str
    """The endpoint's id. Since 0.3."""
    hostname: str
    """The PC's host name. Since 0.3."""
    site: str | None
    """The site where it was seen last; null: it has never connected. Since 0.3."""
    connected: bool
    """Whether it is connected now. Since 0.3."""
    last_seen_at: UnixSeconds | None
    """When it was connected last; null: never. Since 0.3."""
    ring: str | None
    """The ring that it is in; null: in none, or it has not said yet what it is. Since 0.3."""
    outcome: Literal["installed", "failed", "rolled_back", "not_applicable", "excepted", "silent", "waiting"]
    """What has become of the patch there, named as the columns of `rollout show`. Since 0.3."""
    state: str | None
    """State of the file, as in `status`; null: it has never said a word of the patch. Since 0.3."""
    install: str | None
    """State of the installation; null: nothing is installed from this patch. Since 0.3."""
    reasons: tuple[str, ...]
    """What it gives as reasons, for people. Since 0.3."""
    reported_at: UnixSeconds | None
    """When it reported this; null: never. Since 0.3."""


class RingPcsDocument(Struct, frozen=True):
    """PCs of a rollout, page by page."""

    rollout: int
    """Its number. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    serving: bool
    """Whether the server runs; else nobody is connected. Since 0.3."""
    total: int
    """How many PCs all pages have. Since 0.3."""
    rows: tuple[RingPcDocument, ...]
    """Those of this page. Since 0.3."""
    next: str | None
    """What `--after` takes for the next page; null: this is the last one. Since 0.3."""


class RolloutDocument(Struct, frozen=True):
    """A rollout as it stands."""

    number: int
    """What it is called. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    template: str
    """The template that it was started with. Since 0.3."""
    state: str
    """As in `rollout list`. Since 0.3."""
    reason: str
    """Why it stands there: one of a closed list. Since 0.3."""
    why: str
    """The same in a sentence of English, with the rule's numbers. Since 0.3."""
    since: WholeUnixSeconds
    """Since when it waits for that. Since 0.3."""
    author: str
    """Who has started it. Since 0.3."""
    note: str
    """Why it was started, where somebody had to say. Since 0.3."""
    started_at: WholeUnixSeconds
    """When. Since 0.3."""
    required_approvals: int
    """So many people open a ring that wants approval. Since 0.3."""
    approvals: tuple[RolloutApprovalDocument, ...]
    """Who has approved it. Since 0.3."""
    rings: tuple[RolloutRingDocument, ...]
    """Its rings, the first one first. Since 0.3."""
    in_no_ring: int
    """PCs for which no ring's rule holds. Since 0.3."""
    not_known: int
    """PCs whose facts the server does not know: they are in no ring. Since 0.3."""
    replaced: int
    """Of those that installed it, so many have installed a newer version of the patch since. Since 0.3."""
    back: WayBackDocument | None
    """How far PCs are that go back from the patch; null: none does. Since 0.3."""
    serving: bool
    """Whether the server runs: while it does not, no ring opens and nothing halts. Since 0.3."""
    fault: str
    """What is broken, so that the server does not carry it on; empty: nothing. Since 0.3."""
    title: str
    """What the patch is, as its publisher wrote it; may be empty. Since 0.3."""


class ExceptionDocument(Struct, frozen=True):
    """An exception."""

    number: int
    """What it is called. Since 0.3."""
    patch: str
    """ID or ID@VERSION; empty: every patch. Since 0.3."""
    who: str
    """The expression that chooses PCs; empty: every PC. Since 0.3."""
    reason: str
    """Why. Since 0.3."""
    owner: str
    """Whom to ask about it. Since 0.3."""
    made_by: str
    """Who has made it. Since 0.3."""
    begins_at: WholeUnixSeconds
    """From when on it holds PCs back. Since 0.3."""
    ends_at: WholeUnixSeconds
    """When it ends by itself. Since 0.3."""
    ended_at: WholeUnixSeconds | None
    """When somebody ended it before that; null: nobody has. Since 0.3."""
