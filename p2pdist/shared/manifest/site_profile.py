"""A site's throttle profile as a signed document: the TOML that the network admin wrote, and its site. Pure."""

import functools
import hashlib
from typing import Annotated, Literal

import msgspec

from bandwidth.profiles.model import Profile
from bandwidth.profiles.parse import ProfileError, parse_profile
from p2pdist.shared.identifiers import InvalidIdentifierError, SiteName, parse_site_name
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document

MAX_PROFILE_BYTES = 256 << 10  # some thousand rules; every PC of the site reads it
MAX_DOCUMENT_BYTES = MAX_PROFILE_BYTES + 1_024


class SiteProfile(Document, frozen=True):
    """One site's profile. Signed by the offline ``profiles`` role."""

    format: Literal[1]
    site: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    text: Annotated[str, msgspec.Meta(max_length=MAX_PROFILE_BYTES)]
    """As the admin wrote it."""

    def profile(self) -> Profile:
        """Return the rules; those of other sites are left out. Raises `ProfileError`."""
        return _parsed(self.site, self.text)


@functools.lru_cache(maxsize=2)  # a PC has one, and asks it at each decision; and the next one when that comes
def _parsed(site: str, text: str) -> Profile:
    return parse_profile(text, source=f"the profile of {site}").for_site(site)


def profile_target(site: SiteName) -> str:
    """Return the TUF target path of a site's profile: a hash, for a site's name may hold what a path may not."""
    return f"profiles/{hashlib.sha256(site.encode()).hexdigest()[:32]}.profile"


def encode_site_profile(profile: SiteProfile) -> bytes:
    """Return the profile as a TUF target's bytes."""
    return codec.encode(profile)


def decode_site_profile(data: bytes) -> SiteProfile:
    """Return a checked profile. Raises `DecodeError`, also for rules that cannot be used."""
    document: SiteProfile = codec.decode(data, SiteProfile, max_bytes=MAX_DOCUMENT_BYTES)
    try:
        parse_site_name(document.site)
        document.profile()
    except (InvalidIdentifierError, ProfileError) as error:
        raise DecodeError(str(error)) from error
    return document
