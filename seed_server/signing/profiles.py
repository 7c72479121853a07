"""Throttle profiles of sites: set, shown and cleared by the network admin, as signed documents. Blocking."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from bandwidth.profiles.model import Profile
from bandwidth.profiles.parse import ProfileError, parse_profile
from bandwidth.profiles.values import nearest
from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, SiteName, parse_site_name
from p2pdist.shared.manifest.documents import DecodeError
from p2pdist.shared.manifest.site_profile import (
    MAX_PROFILE_BYTES,
    SiteProfile,
    decode_site_profile,
    encode_site_profile,
    profile_target,
)
from seed_server.settings import ServerHome, load_settings
from seed_server.signing.key_files import load_offline_key
from seed_server.signing.repository import Repository

log = structlog.get_logger()


@dataclass(frozen=True)
class ProfileSigner:
    """Whose key signs, and where it is."""

    home: ServerHome
    offline_keys: Path | None
    passphrase: bytes | None

    def change(self, site: SiteName, document: bytes | None) -> None:
        """Sign a site's profile, or that it has none any more."""
        repository = Repository.open(self.home, load_settings(self.home))
        key = load_offline_key(self.offline_keys or self.home.offline_keys, "profiles", self.passphrase)
        repository.change_profile(profile_target(site), document, profiles_key=key, now=time.time())


def set_profile(signer: ProfileSigner, site: str, file: Path) -> SiteProfile:
    """Sign ``file`` as the profile of ``site``. Raises `UserError`: BAD_INPUT, REFUSED (key), STORAGE, BUSY."""
    name = checked_site(site)
    text = read_given_text("profile", file, MAX_PROFILE_BYTES, "split the profile by sites.")
    try:
        profile = parse_profile(text, source=str(file))
    except ProfileError as error:
        raise UserError(f"{error} Check it with: bandwidth check {file}", FaultKind.BAD_INPUT) from error
    names = [known.name for known in profile.sites]
    if names and name not in names:
        raise UserError(
            f"{file} has no [[site]] {name!r}; the nearest is {nearest(name, names)!r}. Add one, or remove them all: "
            "a profile without sites holds for whichever site it is set for.",
            FaultKind.BAD_INPUT,
        )
    document = SiteProfile(format=1, site=name, text=text)
    signer.change(name, encode_site_profile(document))
    return document


def clear_profile(signer: ProfileSigner, site: str) -> None:
    """Take away the profile of ``site``. Raises `UserError`, also when it has none."""
    name = checked_site(site)
    if name not in read_profiles(Repository.open(signer.home, load_settings(signer.home))):
        raise UserError(f"Site {name} has no profile. 'seed-server profile show' lists them.", FaultKind.BAD_INPUT)
    signer.change(name, None)


def read_profiles(repository: Repository) -> dict[SiteName, SiteProfile]:
    """Return every site's profile. Raises `UserError`."""
    return _documents(repository.profiles())


def parsed_profiles(targets: Mapping[str, bytes]) -> dict[SiteName, Profile]:
    """Return the rules of every site's profile; ``targets`` as of `Repository.profiles`."""
    return {site: document.profile() for site, document in _documents(targets).items()}


def _documents(targets: Mapping[str, bytes]) -> dict[SiteName, SiteProfile]:
    """Decode them; one that cannot be used is left out, and told."""
    found: dict[SiteName, SiteProfile] = {}
    for target, data in targets.items():
        try:
            document = decode_site_profile(data)
        except DecodeError as error:  # signed by another version of this program
            log.error("a signed profile is not usable", target=target, reason=str(error))  # noqa: TRY400
            continue
        name = SiteName(document.site)
        if profile_target(name) == target:
            found[name] = document
    return found


def checked_site(text: str) -> SiteName:
    """Return a site's name. Raises `UserError` (BAD_INPUT)."""
    try:
        return parse_site_name(text)
    except InvalidIdentifierError as error:
        raise UserError(str(error), FaultKind.BAD_INPUT) from error
