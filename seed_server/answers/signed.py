"""What `profile show`, `template list` and `template show` print with `--json`. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds


class ProfileNameDocument(Struct, frozen=True):
    """A site that has a throttle profile."""

    site: str
    """The site's name."""
    name: str
    """The profile's name."""


class ProfileDocument(Struct, frozen=True):
    """The profile, as it was signed."""

    site: str
    """The site's name."""
    name: str
    """The profile's name."""
    text: str
    """The whole profile, TOML."""


class TemplateNameDocument(Struct, frozen=True):
    """A template, which asks every PC."""

    name: str
    """The template's name."""
    title: str
    """One line for people."""
    items: Count
    """How many items it has."""


class TemplateItemDocument(Struct, frozen=True):
    """One item, and how many PCs gave which answer."""

    label: str
    """The item's label."""
    needed: Count
    """PCs that need it."""
    not_needed: Count
    """PCs that do not need it."""
    not_applicable: Count
    """PCs that it does not apply to."""
    unanswered: Count
    """PCs that have not answered yet."""


class AnswerDocument(Struct, frozen=True):
    """What a PC has said to one item."""

    label: str
    """The item's label."""
    applies: bool
    """Whether it applies to this PC."""
    needed: bool | None
    """Whether the PC needs it; null: it does not apply to this PC."""
    reason: str | None
    """What decided the answer, for people; null: none was given."""


class TemplateEndpointDocument(Struct, frozen=True):
    """A PC and its answers."""

    id: str
    """The endpoint's id."""
    hostname: str
    """The PC's host name."""
    site: str | None
    """The site where it was seen last; null: it has never connected."""
    tags: tuple[str, ...]
    """Tags from the token that it was enrolled with."""
    answered_at: UnixSeconds | None
    """When it last answered; null: never."""
    answers: tuple[AnswerDocument, ...]
    """Its answers, in the order of the items."""


class TemplateDocument(Struct, frozen=True):
    """What the fleet has answered."""

    name: str
    """The template's name."""
    title: str
    """One line for people."""
    items: tuple[TemplateItemDocument, ...]
    """Its items, in order."""
    endpoints: tuple[TemplateEndpointDocument, ...]
    """Every enrolled PC."""
