"""Types of parameters and of bodies: what a program may send, each with its cap. Pure."""

from typing import Annotated

from msgspec import Meta, Struct

from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS
from seed_server.web.api.paging import Paged

MAX_GIVEN_NAME_CHARS = 200  # of a patch, a PC, a site, an account: all have at most 64 or 255
MAX_REASON_TEXT_CHARS = 2_000  # of a reason; what an operation allows is less
MAX_GIVEN_NUMBER = (1 << 31) - 1  # of the database's integers
MAX_UNIX_SECONDS = 4e9  # the year 2096
MAX_LISTED_NAMES = 100
MAX_TEXT_FILE_CHARS = 256 << 10  # a profile or a template in TOML
MAX_DAYS = 36_500

Name = Annotated[str, Meta(min_length=1, max_length=MAX_GIVEN_NAME_CHARS)]
MaybeName = Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS)]
GivenNumber = Annotated[int, Meta(ge=0, le=MAX_GIVEN_NUMBER)]
ReasonText = Annotated[str, Meta(min_length=1, max_length=MAX_REASON_TEXT_CHARS, description="Why, in one line.")]
MaybeReason = Annotated[str, Meta(max_length=MAX_REASON_TEXT_CHARS, description="Why, in one line.")]
ExpressionText = Annotated[
    str, Meta(max_length=MAX_EXPRESSION_CHARS, description="Which PCs, as in a recipe's applies_to; empty: all.")
]
UnixMoment = Annotated[float, Meta(ge=0.0, le=MAX_UNIX_SECONDS, description="Seconds since 1970, UTC.")]
Names = Annotated[tuple[Name, ...], Meta(max_length=MAX_LISTED_NAMES)]
FileText = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_FILE_CHARS, description="The file's text.")]
Days = Annotated[int, Meta(ge=1, le=MAX_DAYS, description="Only PCs that were not seen for so many days.")]

AtSite = Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS, description="Only at this site.")]
OfPatch = Annotated[str, Meta(max_length=MAX_GIVEN_NAME_CHARS, description="Only of this patch: ID, or ID@VERSION.")]


class Given(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of parameters that are no page."""


class Body(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of bodies."""


class OfEndpoint(Given, frozen=True):
    """A PC."""

    endpoint: Annotated[str, Meta(min_length=1, max_length=255, description="Its id, or its host name.")]


class OfNumber(Given, frozen=True):
    """Something with a number."""

    number: Annotated[int, Meta(ge=0, le=MAX_GIVEN_NUMBER, description="Its number.")]


class NamedPatch(Given, frozen=True):
    """A patch."""

    patch: Annotated[str, Meta(min_length=1, max_length=MAX_GIVEN_NAME_CHARS, description="Its id, or ID@VERSION.")]


class NamedSite(Given, frozen=True):
    """A site."""

    site: Name


class Named(Given, frozen=True):
    """Something with a name."""

    name: Name


class WithId(Given, frozen=True):
    """Something with an id."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]


class PagedPatches(Paged, frozen=True):
    """Which patches."""

    patch: OfPatch = ""
    site: AtSite = ""


class OnlyReason(Body, frozen=True):
    """Why."""

    reason: ReasonText


class FromRing(OnlyReason, frozen=True):
    """From which ring on."""

    ring: Name


class FromSite(OnlyReason, frozen=True):
    """From which site."""

    site: Name


class PerhapsReason(Body, frozen=True):
    """Why."""

    reason: MaybeReason = ""
