"""Throttle profiles of sites: read from a file, and from what the repository has signed. Blocking."""

from collections.abc import Mapping
from pathlib import Path

from bandwidth.profiles.model import Profile
from bandwidth.profiles.parse import ProfileError, parse_profile
from bandwidth.profiles.values import nearest
from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName, given_name, parse_site_name
from p2pdist.shared.manifest.site_profile import (
    MAX_PROFILE_BYTES,
    SiteProfile,
    decode_site_profile,
    encode_site_profile,
    profile_target,
)
from seed_server.signing.documents import DocumentKind
from seed_server.signing.repository import Repository

PROFILES = DocumentKind[SiteProfile](
    role="profiles",
    encode=encode_site_profile,
    decode=decode_site_profile,
    name_of=lambda document: document.site,
    target_of=lambda name: profile_target(SiteName(name)),
)


def profile_in_file(file: Path, site: str) -> SiteProfile:
    """Return ``file`` as the profile of ``site``. Raises `UserError` (BAD_INPUT) that names what is wrong."""
    checked_site(site)
    text = read_given_text("profile", file, MAX_PROFILE_BYTES, "split the profile by sites.")
    return profile_in_text(text, site, source=str(file))


def profile_in_text(text: str, site: str, *, source: str) -> SiteProfile:
    """Return ``text`` as the profile of ``site``; ``source`` is its file. Raises as `profile_in_file`."""
    name = checked_site(site)
    try:
        profile = parse_profile(text, source=source)
    except ProfileError as error:
        raise UserError(f"{error} Check it with: bandwidth check {source}", FaultKind.BAD_INPUT) from error
    names = [known.name for known in profile.sites]
    if names and name not in names:
        raise UserError(
            f"{source} has no [[site]] {name!r}; the nearest is {nearest(name, names)!r}. Add one, or remove them all: "
            "a profile without sites holds for whichever site it is set for.",
            FaultKind.BAD_INPUT,
        )
    return SiteProfile(format=1, site=name, text=text)


def read_profiles(repository: Repository) -> dict[str, SiteProfile]:
    """Return every site's profile by the site's name, sorted. Raises `UserError`."""
    return PROFILES.read(repository.profiles())


def parsed_profiles(targets: Mapping[str, bytes]) -> dict[SiteName, Profile]:
    """Return the rules of every site's profile; ``targets`` as of `Repository.profiles`."""
    return {SiteName(site): document.profile() for site, document in PROFILES.read(targets).items()}


def checked_site(text: str) -> SiteName:
    """Return a site's name. Raises `UserError` (BAD_INPUT)."""
    return given_name(parse_site_name, text)
