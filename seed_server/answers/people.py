"""What `login`, `people`, `api-token` and `approver` print with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds, WholeUnixSeconds


class ApiTokenDocument(Struct, frozen=True):
    """An API token, without its secret."""

    id: str
    """What `api-token revoke` calls it; it opens nothing."""
    state: str
    """open, expired or revoked."""
    owner: str
    """The account that it speaks for."""
    label: str
    """What it is for."""
    rights: tuple[str, ...]
    """What it was given; it has those of them that its owner still has."""
    sites: tuple[str, ...]
    """Sites that it was given."""
    tags: tuple[str, ...]
    """Tags of PCs that it was given; without sites and tags: the whole fleet."""
    made_at: UnixSeconds
    """When it was made."""
    made_by: str
    """Who made it."""
    expires_at: UnixSeconds
    """When it expires."""
    revoked_at: UnixSeconds | None
    """When it was revoked; null: it is not."""
    used_at: UnixSeconds | None
    """When it was last used, to a minute; null: never."""


class ApiTokenMadeDocument(Struct, frozen=True):
    """The API token that was made."""

    token: str
    """The token, for SEED_SERVER_API_TOKEN or a token file; it is shown this once."""
    id: str
    """What `api-token list` and `api-token revoke` call it."""
    owner: str
    """The account that it speaks for."""
    rights: tuple[str, ...]
    """What it was given."""
    sites: tuple[str, ...]
    """Sites that it was given."""
    tags: tuple[str, ...]
    """Tags of PCs that it was given; without sites and tags: the whole fleet."""
    expires_at: UnixSeconds
    """When it expires."""


class PersonDocument(Struct, frozen=True):
    """An account."""

    name: str
    """Its name."""
    roles: tuple[str, ...]
    """Its roles."""
    sites: tuple[str, ...]
    """Sites that its rights are for."""
    tags: tuple[str, ...]
    """Tags of PCs that its rights are for; without sites and tags: the whole fleet."""
    disabled: bool
    """Whether it may nothing at all."""
    password: bool
    """Whether a password opens it."""
    second_factor: bool
    """Whether a code is asked for."""
    made_at: UnixSeconds
    """When it was made."""
    made_by: str
    """Who made it."""
    logged_in_at: UnixSeconds | None
    """When somebody last logged in; null: never."""
    subject: str | None
    """Issuer and subject of whom the identity provider lets in; null: it is of this server alone."""


class EffectiveRightDocument(Struct, frozen=True):
    """One right, and what it comes to."""

    right: str
    """Its name."""
    allows: str
    """What whoever has it may do."""
    has: bool
    """Whether the account has it."""
    roles: tuple[str, ...] | None
    """The account's roles that give it; null: it has it not."""
    whole_fleet: bool
    """Whether it is for the whole fleet."""


class PersonViewDocument(Struct, frozen=True):
    """An account, all that it may, and its API tokens."""

    account: PersonDocument
    """The account."""
    rights: tuple[EffectiveRightDocument, ...]
    """Every right there is."""
    api_tokens: tuple[ApiTokenDocument, ...]
    """Its API tokens, the newest first."""


class ApproverDocument(Struct, frozen=True):
    """One whose word counts."""

    name: str
    """Their account."""
    key: str
    """Their public key (Ed25519), hexadecimal."""


class ApproversDocument(Struct, frozen=True):
    """Whose word PCs want before they take a rollout."""

    required: Count
    """So many different ones; 0: nobody's."""
    required_in_emergency: Count
    """The same for a patch that its recipe calls an emergency."""
    since: WholeUnixSeconds | None
    """What was published before needs no approval; null: there is no list."""
    approvers: tuple[ApproverDocument, ...]
    """Who they are, by name."""


class LoginDocument(Struct, frozen=True):
    """A login by the identity provider."""

    name: str
    """The account; later commands act as it with --as."""
    roles: tuple[str, ...]
    """What its groups give it."""
    sites: tuple[str, ...]
    """Sites that its rights are for."""
    tags: tuple[str, ...]
    """Tags of PCs that its rights are for; without sites and tags: the whole fleet."""
    ends_at: UnixSeconds
    """When it ends."""
