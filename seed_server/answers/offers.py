"""What `withdraw`, `offer` and `list` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count, WholeUnixSeconds


class WithdrawDocument(Struct, frozen=True):
    """What is withdrawn."""

    patches: tuple[str, ...]
    """ID@VERSION of what was offered until now; empty: it was withdrawn before, and is now for good."""
    reason: str
    """Why, as PCs show it."""
    for_good: bool
    """Whether only a new publication can be installed from now on."""
    required_by: tuple[str, ...]
    """ID@VERSION of what is still offered and requires it: PCs without it wait."""
    rollout: int | None = None
    """The rollout whose rings are closed; null: it was withdrawn from none of its rings."""
    rings: tuple[str, ...] = ()
    """The rings that are closed now, or go back."""
    site: str | None = None
    """Where alone it is withdrawn; null: it is not a site."""
    rolls_back: bool = False
    """Whether PCs that have installed it go back."""


class WayBackDocument(Struct, frozen=True):
    """How far the PCs are that are to go back from a publication; those that never had it are in none of these."""

    went_back: Count
    """PCs on which it was installed and is no more. Since 0.3."""
    going_back: Count
    """PCs that have it still, are connected, and are at it or wait for something. Since 0.3."""
    away: Count
    """PCs that had it when they were last heard, and are not connected: they go back when they return. Since 0.3."""
    cannot: dict[str, int]
    """PCs that have no way back, or failed on it, by what they say. Since 0.3."""


class OfferDocument(Struct, frozen=True):
    """What is offered again."""

    patches: tuple[str, ...]
    """ID@VERSION of each."""


class ListedDocument(Struct, frozen=True):
    """A publication, and what PCs are told of it."""

    id: str
    """The patch's id; the same for all versions."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    emergency: bool
    """Whether it waits for no window."""
    number: int
    """Its number among the publications of this id: the higher is the newer."""
    published_at: WholeUnixSeconds
    """When it was signed."""
    state: Literal["offered", "withdrawn", "superseded"]
    """Whether PCs shall have it, must not get it, or have another one in its place."""
    reason: str | None
    """Why it was withdrawn; null: it was not, or nobody knows any more."""
    withdrawn_at: WholeUnixSeconds | None
    """When it was withdrawn; null as `reason`."""
    for_good: bool
    """Whether it is withdrawn, and only a new publication can be installed."""
    superseded_by: str | None
    """ID@VERSION of what has taken its place; null: nothing."""
    back: WayBackDocument | None = None
    """How far PCs are that go back from it; null: none does. Since 0.3."""
    withdrawn_sites: tuple[str, ...] = ()
    """The sites where alone it is withdrawn. Since 0.3."""
