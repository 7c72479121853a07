"""What `report sla`, `report missing`, `report follow-up` and `report patch` print with `--json`. Pure."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, Percent, Seconds, Share, UnixSeconds, WholeUnixSeconds


class ServiceLevelDocument(Struct, frozen=True):
    """One rule for one patch; with `--json-lines`, a line."""

    rule: str
    """The rule's name. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    title: str
    """What the patch is, as its publisher wrote it; may be empty. Since 0.3."""
    severity: str
    """low, medium, high or critical. Since 0.3."""
    cvss: float | None
    """Its CVSS score; null: it has none. Since 0.3."""
    begins_at: UnixSeconds
    """When the rule's clock began: when the patch was published, or its vulnerability known to be exploited.
    Since 0.3."""
    deadline: UnixSeconds
    """When it ends: with the end of an hour. Since 0.3."""
    wanted_percent: Percent
    """How many of the PCs to which the patch applies shall have it by then. Since 0.3."""
    applicable: Count
    """PCs to which it applies, as far as they have said so: `in_time`, `late` and `missing` together. Since 0.3."""
    in_time: Count
    """PCs that had it at the deadline, or have it now where that has not come. Since 0.3."""
    late: Count
    """PCs that have it, and had it not at the deadline. Since 0.3."""
    missing: Count
    """PCs that lack it. Since 0.3."""
    excepted: Count
    """Of `missing`: an exception holds them back. Since 0.3."""
    silent: Count
    """Of `missing`, those that are excepted left out: they were not seen for days. Since 0.3."""
    unknown: Count
    """PCs that have said nothing of the patch: it may apply to them or not. They are not in `applicable`. Since 0.3."""
    share: Share | None
    """`in_time` by `applicable`; null: it applies to no PC. Since 0.3."""
    least_share: Share | None
    """The same if it applies to each PC of `unknown`; null: there is none of either. Since 0.3."""
    verdict: Literal["kept", "broken", "running", "unclear"]
    """Kept: enough PCs, whatever the unknown ones need. Broken: too few, whatever they need. Running: the deadline has
    not come. Unclear: it hangs on the unknown ones. Since 0.3."""


class ServiceLevelsDocument(Struct, frozen=True):
    """What came of the rules in ``server.toml``."""

    at: UnixSeconds
    """When it was looked at. Since 0.3."""
    fleet: Count
    """PCs that are allowed here: each is in `applicable` or `unknown` of a patch, or the patch is not for it.
    Since 0.3."""
    denied: Count
    """PCs that are denied, or wait to be allowed: they are counted nowhere. Since 0.3."""
    withdrawn: Count
    """Patches that were withdrawn, and are not in this. Since 0.3."""
    silent_days: Count
    """Who was not seen for so many days is silent. Since 0.3."""
    kept: Count
    """How many of `levels` were kept. Since 0.3."""
    broken: Count
    """How many were broken. Since 0.3."""
    running: Count
    """How many still run. Since 0.3."""
    unclear: Count
    """How many hang on PCs that have said nothing. Since 0.3."""
    levels: tuple[ServiceLevelDocument, ...]
    """The broken ones first, then by deadline. Since 0.3."""


class MissingDocument(Struct, frozen=True):
    """A PC that lacks a patch; with `--json-lines`, a line."""

    patch: str
    """ID@VERSION. Since 0.3."""
    endpoint_id: str
    """The PC. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    site: str | None
    """The site where it was seen last; null: it never was. Since 0.3."""
    reason: str
    """Why it lacks it: one of a closed list, which docs/reports.md has. Since 0.3."""
    said: str
    """Why, in the PC's words, in English; empty: it gives none. Since 0.3."""
    since: UnixSeconds
    """Since when it lacks it: the patch is published, and the PC enrolled. Since 0.3."""
    age_seconds: Seconds
    """How long that is. Since 0.3."""
    last_seen_at: UnixSeconds | None
    """When it was seen last; null: never. Since 0.3."""
    owner: str
    """Whom to ask: the site's contact, or who looks after it; empty: nobody is named. Since 0.3."""
    proposal: str
    """What could be done: one of a closed list, which docs/reports.md has. Since 0.3."""
    follow_up: Literal["told", "ticket", "visit", "retired"] | None
    """What somebody does about it; null: nobody has said so. Since 0.3."""
    note: str
    """What was noted of that; may be empty. Since 0.3."""
    follow_up_by: str
    """Who has said so; empty: nobody. Since 0.3."""
    follow_up_at: WholeUnixSeconds | None
    """When; null: nobody has. Since 0.3."""


class MissingPageDocument(Struct, frozen=True):
    """Who lacks patches."""

    at: UnixSeconds
    """When it was looked at. Since 0.3."""
    total: Count
    """PCs and patches that they lack: the sum of `reasons`. Since 0.3."""
    reasons: dict[str, int]
    """How many of them there are for which reason; reasons with none are left out. Since 0.3."""
    followed_up: Count
    """About how many of them somebody does something. Since 0.3."""
    rows: tuple[MissingDocument, ...]
    """A page of them: by patch, then in the order of their enrolment. Since 0.3."""
    next: str | None
    """For `--after`: where the next page begins; null: these are the last. Since 0.3."""


class FollowUpDocument(Struct, frozen=True):
    """What is done about a PC that lacks patches."""

    endpoint_id: str
    """The PC. Since 0.3."""
    hostname: str
    """What it calls itself. Since 0.3."""
    follow_up: Literal["told", "ticket", "visit", "retired"] | None
    """What is done; null: nothing any more. Since 0.3."""
    patches: tuple[str, ...]
    """Of which patches, each ID@VERSION. It ends by itself when the PC has them. Since 0.3."""


class ReportedFailureDocument(Struct, frozen=True):
    """One thing that went wrong with a patch."""

    state: str
    """failed, rolled_back or retrying. Since 0.3."""
    reason: str
    """Why, in the PCs' words, in English. Since 0.3."""
    pcs: Count
    """How many PCs say so. Since 0.3."""
    examples: tuple[str, ...]
    """The host names of some of them. Since 0.3."""


class ReportedRingDocument(Struct, frozen=True):
    """A ring of a rollout, in a report."""

    name: str
    """What people call it. Since 0.3."""
    opened_at: WholeUnixSeconds | None
    """When it was opened; null: it is not open. Since 0.3."""
    pcs: Count
    """How many PCs it has. Since 0.3."""
    installed: Count
    """PCs that have the patch. Since 0.3."""
    failed: Count
    """PCs on which it failed, or was rolled back. Since 0.3."""


class ReportedRolloutDocument(Struct, frozen=True):
    """A rollout of a patch, in a report."""

    number: int
    """What it is called. Since 0.3."""
    template: str
    """The template that it was started with. Since 0.3."""
    state: str
    """As in `rollout list`. Since 0.3."""
    why: str
    """Why it stands there, in a sentence of English. Since 0.3."""
    author: str
    """Who has started it. Since 0.3."""
    started_at: WholeUnixSeconds
    """When. Since 0.3."""
    approved_by: tuple[str, ...]
    """Who has approved it. Since 0.3."""
    rings: tuple[ReportedRingDocument, ...]
    """Its rings, the first one first. Since 0.3."""


class ReportedExceptionDocument(Struct, frozen=True):
    """An exception that holds PCs back from a patch, or did."""

    number: int
    """What it is called. Since 0.3."""
    who: str
    """The expression that chooses PCs; empty: every PC. Since 0.3."""
    reason: str
    """Why. Since 0.3."""
    owner: str
    """Whom to ask about it. Since 0.3."""
    ends_at: WholeUnixSeconds
    """When it ends, or has ended. Since 0.3."""
    holds: bool
    """Whether it holds PCs back now. Since 0.3."""


class PatchReportDocument(Struct, frozen=True):
    """What is known of a patch."""

    at: UnixSeconds
    """When it was looked at. Since 0.3."""
    patch: str
    """ID@VERSION. Since 0.3."""
    title: str
    """What the patch is, as its publisher wrote it; may be empty. Since 0.3."""
    titles: dict[str, str]
    """The same in other languages, by their codes. Since 0.3."""
    severity: str
    """low, medium, high or critical. Since 0.3."""
    cvss: float | None
    """Its CVSS score; null: it has none. Since 0.3."""
    cves: tuple[str, ...]
    """Which vulnerabilities it mends, as its publisher says; empty: nothing is said of that. Since 0.3."""
    published_at: UnixSeconds
    """When it was published. Since 0.3."""
    length_bytes: Bytes
    """Length of its first file. Since 0.3."""
    sent_bytes: Bytes
    """What was sent of it over the lines of all sites. Since 0.3."""
    bytes_from_peers: Bytes
    """What all PCs together have got of it from their neighbours, by their own word. Since 0.3."""
    bytes_built: Bytes
    """What of its pieces did not cross the lines: built by PCs of what they had, and by compression. Since 0.3."""
    applies_to: str
    """The expression that chooses PCs; empty: every PC. Since 0.3."""
    requires: tuple[str, ...]
    """What has to be installed before it, each ID or ID@VERSION. Since 0.3."""
    supersedes: tuple[str, ...]
    """What it replaces, likewise. Since 0.3."""
    withdrawn: str | None
    """Why it was withdrawn; null: it was not. Since 0.3."""
    replaced_by: str | None
    """The version that has taken its place; empty: another patch has; null: nothing has. Since 0.3."""
    fleet: Count
    """PCs that are allowed here. Since 0.3."""
    applicable: Count
    """PCs to which it applies, as far as they have said so. Since 0.3."""
    not_for_it: Count
    """PCs that it is not for. Since 0.3."""
    unknown: Count
    """PCs that have said nothing of it. Since 0.3."""
    done: Count
    """PCs that have it: the installation is detected, or the file is there where nothing is installed. Since 0.3."""
    installed: Count
    """Of these: the installation is detected. Since 0.3."""
    failed: Count
    """PCs on which the installation failed. Since 0.3."""
    rolled_back: Count
    """PCs on which it was rolled back. Since 0.3."""
    missing: dict[str, int]
    """How many PCs lack it for which reason, as in `report missing`, denied PCs too. Since 0.3."""
    failures: tuple[ReportedFailureDocument, ...]
    """What went wrong, what most PCs say first. Since 0.3."""
    rollouts: tuple[ReportedRolloutDocument, ...]
    """Its rollouts, the newest first. Since 0.3."""
    exceptions: tuple[ReportedExceptionDocument, ...]
    """Exceptions that hold PCs back from it, or did; the newest first. Since 0.3."""
    levels: tuple[ServiceLevelDocument, ...]
    """What came of the rules that it is under. Since 0.3."""
