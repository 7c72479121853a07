"""What the API alone answers with; all else is of `seed_server.answers`, as ``--json`` prints it. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Bytes, Count, Seconds, UnixSeconds
from seed_server.answers.fleet import EndpointDocument, ProblemDocument, ReachedDocument


class FleetDocument(Struct, frozen=True):
    """The fleet in a few numbers."""

    server: str
    """The server's name."""
    serving: bool
    """Whether it serves PCs now."""
    repository_problem: str | None
    """Why the signed repository cannot be read; null: it can."""
    endpoints: Count
    """Enrolled PCs, denied ones too."""
    allowed: Count
    """PCs that are not denied."""
    connected: Count
    """Of these, how many are connected."""
    patches: Count
    """Published patches that nothing newer replaces."""
    problems: tuple[ProblemDocument, ...]
    """What the operator should know, the worst first."""


class PatchProgressDocument(Struct, frozen=True):
    """How far a patch is in the fleet, in counts."""

    id: str
    """The patch's id."""
    version: str
    """Its version."""
    title: str
    """One line for people; may be empty."""
    severity: str
    """low, medium, high or critical."""
    length_bytes: Bytes
    """Length of its first file."""
    published_at: UnixSeconds
    """When it was published."""
    verified: Count
    """PCs that have the whole file, checked."""
    reached: ReachedDocument
    """All PCs that are allowed, each in one class."""
    rest_seconds: Seconds | None
    """How long those that are connected and under way still take; null: not known, or nobody is."""


class DenialDocument(Struct, frozen=True):
    """A PC that is denied now."""

    endpoint: EndpointDocument
    """The PC, as it was just before."""
    tokens_known: bool
    """Whether it is known which tokens have enrolled it."""
    revoked_tokens: tuple[str, ...]
    """Ids of the tokens that were revoked with it."""
    open_tokens: tuple[str, ...]
    """Ids of the tokens that were left open: it can enrol again with them."""


class RingTemplateDocument(Struct, frozen=True):
    """A shipped template of rings."""

    name: str
    """What `template` of a rollout names."""
    title: str
    """One line for people."""
    rings: tuple[str, ...]
    """The names of its rings, the first one first; empty: every PC at once."""


class SelfDocument(Struct, frozen=True):
    """For whom the token of the request speaks."""

    person: str
    """The account."""
    token: str
    """The token's id."""
    rights: tuple[str, ...]
    """What it may."""
    sites: tuple[str, ...]
    """For PCs at these sites,"""
    tags: tuple[str, ...]
    """and for those with one of these tags; without sites and tags: for the whole fleet."""


class BatchItemDocument(Struct, frozen=True):
    """What became of one item of a batch: a line of the answer."""

    number: Count
    """Its place in the batch, from 0 on."""
    kind: str
    """What was asked for."""
    status: int
    """As if it had been a request of its own: 200, or the status of `type`."""
    type: str | None = None
    """Which problem it is; null: it was done, or with `dry_run` would be."""
    detail: str | None = None
    """What happened, and what to do; null: it was done."""


class BatchEndDocument(Struct, frozen=True):
    """The last line of the answer to a batch; where it is missing, the batch was cut off behind the line before."""

    done: Count
    """Items that were done, or with `dry_run` would be."""
    refused: Count
    """Items that were not."""
    dry_run: bool
    """Whether nothing was changed."""


class EventDocument(Struct, frozen=True):
    """An event for whoever may look, but not read the audit log."""

    number: Count
    """Its number in the audit log, which is the event's id too."""
    at: UnixSeconds
    """When it was."""
    operation: str
    """What was done."""
    subject: str
    """To what: a patch, a PC's id, a site …"""


class BundleFileDocument(Struct, frozen=True):
    """A bundle that was finished, and the rollout that began with it."""

    bundle_id: str
    """The bundle's id."""
    purpose: str
    """What is in force now."""
    rollout: int | None
    """The number of the rollout by which it is offered; null: none has begun."""


class PingedDocument(Struct, frozen=True):
    """What a webhook is sent to try it."""

    webhook: str
    """The webhook's name."""
    delivery: Count
    """The number of the delivery, which says what became of it."""
