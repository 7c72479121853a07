"""The sections of ``server.toml``, each of which one part of the server reads. Pure."""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.wire.codec import Record

MAX_CLAIM_CHARS = 1_000
MAX_CLAIM_SCOPES = 20
MAX_OIDC_GROUPS = 200
MAX_SLA_RULES = 20  # each severity of a strict company has two
MAX_SLA_NAME_CHARS = 60  # a cell of a table
MAX_SLA_DAYS = 365.0


class OidcGroup(Record, frozen=True):
    """What a group at the identity provider may here."""

    group: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLAIM_CHARS)]
    roles: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MAX_CLAIM_SCOPES)]
    sites: tuple[str, ...] = ()
    """Of the scope, as ``tags``; none of both: the whole fleet."""
    tags: tuple[str, ...] = ()


class OidcSettings(Record, frozen=True):
    """``[oidc]``: who may log in by an identity provider."""

    issuer: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLAIM_CHARS)]
    """Its address, to the letter as it names itself."""
    client_id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLAIM_CHARS)]
    groups: Annotated[tuple[OidcGroup, ...], msgspec.Meta(min_length=1, max_length=MAX_OIDC_GROUPS)]
    client_secret_file: str = ""
    """From the home on; empty: a public client, which has none."""
    ca_file: str = ""
    """Certificates of the authority that vouches for it; empty: those of this machine."""
    scopes: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CLAIM_SCOPES)] = ("openid", "profile")
    name_claim: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLAIM_CHARS)] = "preferred_username"
    groups_claim: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLAIM_CHARS)] = "groups"
    login_hours: Annotated[float, msgspec.Meta(gt=0.0, le=8.0)] = 8.0
    """For how long a login lasts."""


Kept = Annotated[int, msgspec.Meta(ge=0, le=36_500)]


class RetentionSettings(Record, frozen=True):
    """``[retention]``: how long things are kept; 0: for ever. While a legal hold holds, nothing goes."""

    hot_months: Annotated[int, msgspec.Meta(ge=1, le=120)] = 2
    """Whole months of events in the database, besides the one that is going on; older ones are in ``archive``."""
    archive_months: Annotated[int, msgspec.Meta(ge=0, le=1_200)] = 0
    """Whole months whose archives are kept."""
    diagnoses_days: Kept = 400
    """Answers of PCs to templates."""
    findings_days: Kept = 400
    """What PCs say is wrong with them, of those that are not seen for so long."""
    harm_days: Kept = 400
    """When a site's business suffered last."""
    forgotten_pcs_days: Kept = 0
    """Names of PCs that were forgotten, beside what they did; never shorter than these months are in the database."""
    content_days: Kept = 30
    """Files of patches that nobody can need any more: superseded, or withdrawn for good."""
    content_gb: Annotated[float, msgspec.Meta(ge=0.0, le=1e6)] = 0.0
    """What files of patches may take; above that, those go before their time that nobody needs. 0: no bound."""


MAX_ALLOWED_NETWORKS = 100
Network = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class WebhookSettings(Record, frozen=True):
    """``[webhooks]``: where webhooks may lead, besides the Internet, and whom their receivers are vouched for by."""

    allow: Annotated[tuple[Network, ...], msgspec.Meta(max_length=MAX_ALLOWED_NETWORKS)] = ()
    """Networks of the company, or of this machine, that they may lead to: ``10.20.0.0/16``."""
    ca_file: Annotated[str, msgspec.Meta(max_length=MAX_CLAIM_CHARS)] = ""
    """Certificates of the authority that vouches for receivers, from the home on; empty: those of this machine."""


class SlaRule(Record, frozen=True):
    """``[[sla]]``: by when how many of the PCs that need a patch shall have it. A patch is under every rule it fits.

    With neither of the two bounds, a rule is about every patch; with both, about those that reach one of them.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SLA_NAME_CHARS)]
    share_percent: Annotated[float, msgspec.Meta(gt=0.0, le=100.0)]
    days: Annotated[float, msgspec.Meta(gt=0.0, le=MAX_SLA_DAYS)]
    least_severity: Literal["", "low", "medium", "high", "critical"] = ""
    least_cvss: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] | None = None
    clock: Literal["publish", "kev"] = "publish"
    """``kev``: only patches for a vulnerability that is known to be exploited, from when that was known on, but not
    from before the patch was published."""
