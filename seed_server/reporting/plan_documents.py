"""What `plan` prints with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Share, UnixSeconds


class PlanSiteDocument(Struct, frozen=True):
    """What is planned at one site, and what became of it."""

    site: str
    """The site. Since 0.3."""
    pcs: int
    """Usual PCs, seen within a week, that do not have the patch yet. Since 0.3."""
    pcs_needed: int
    """So many of them make the site's finish. Since 0.3."""
    pcs_away: int
    """PCs that were not seen within a week; nobody waits for them. Since 0.3."""
    pcs_done: int
    """PCs that have it, or will not get it. Since 0.3."""
    pcs_in_windows: int | None
    """Of the usual PCs, how many are usually on in a maintenance window; null: there is none. Since 0.3."""
    wan_bytes: Bytes
    """What crosses its line. Since 0.3."""
    line_share: Share | None
    """Of the line, while it runs; null: nothing crosses it, or what it carries is not known. Since 0.3."""
    finish_p50: UnixSeconds | None
    """When it is done, as likely earlier as later; null: never, as far as it can be seen. Since 0.3."""
    finish_p90: UnixSeconds | None
    """When it is done with nine chances in ten; null as before. Since 0.3."""
    line_known: bool
    """Whether the line's own past says so; else it is assumed to be like the other lines. Since 0.3."""
    presence_known: bool
    """Whether it is learned when its PCs are on; else they are assumed to be as the others are. Since 0.3."""
    actual_finish: UnixSeconds | None
    """When it was done; null: not yet, or nothing has begun. Since 0.3."""
    actual_bytes: Bytes | None
    """What has crossed its line; null: nothing has begun. Since 0.3."""
    error: float | None
    """Planned time ÷ actual time − 1; null: there is nothing to compare. Since 0.3."""
    built_from: tuple[str, ...]
    """Former versions, ID@VERSION, that PCs there have and it is built from; none in a kept plan. Since 0.3."""


class PlanRingDocument(Struct, frozen=True):
    """What is planned of one ring."""

    name: str
    """What people call it; empty: every PC that no ring takes. Since 0.3."""
    pcs: int
    """Its usual PCs that do not have the patch yet. Since 0.3."""
    opens_p50: UnixSeconds | None
    """When it opens, as likely earlier as later; null: never, as far as it can be seen. Since 0.3."""
    opens_p90: UnixSeconds | None
    """When it opens with nine chances in ten; null as before. Since 0.3."""


class PlanDocument(Struct, frozen=True):
    """A plan."""

    patch: str
    """ID@VERSION. Since 0.3."""
    template: str
    """By whose rings; empty: every PC at once. Since 0.3."""
    rollout: int | None
    """The rollout that it was kept for; null: it is a plan of now. Since 0.3."""
    made_at: UnixSeconds
    """When it was made. Since 0.3."""
    start: UnixSeconds
    """From when on it is. Since 0.3."""
    pcs: int
    """Usual PCs that do not have the patch yet. Since 0.3."""
    wan_bytes: Bytes
    """What crosses all lines together. Since 0.3."""
    finish_p50: UnixSeconds | None
    """When sites with nine tenths of the PCs are done, as likely earlier as later; null: never. Since 0.3."""
    finish_p90: UnixSeconds | None
    """The same with nine chances in ten. Since 0.3."""
    last_p50: UnixSeconds | None
    """When the last site is done; null: never, or it is a kept plan. Since 0.3."""
    last_p90: UnixSeconds | None
    """The same with nine chances in ten. Since 0.3."""
    actual_finish: UnixSeconds | None
    """When sites with nine tenths of the PCs were done; null: not yet. Since 0.3."""
    median_error: float | None
    """Of the sites that are done, the median of ``error`` without its sign; null: none is. Since 0.3."""
    covered: Share | None
    """Of the sites that are done, the share that was by ``finish_p90``; null: none is. Since 0.3."""
    rings: tuple[PlanRingDocument, ...]
    """Its rings, the first one first; none in a kept plan. Since 0.3."""
    sites: tuple[PlanSiteDocument, ...]
    """Every site with a PC that the patch is for, by name. Since 0.3."""
    assumptions: tuple[str, ...]
    """What is taken for granted, as nobody knows it: sentences in English. Since 0.3."""
