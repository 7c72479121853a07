"""Which throttle profiles are in force, and what they let a site have at a moment. Nothing here writes. Blocking.

What is signed changes seldom and is asked for often: each profile is read and parsed once, as long as it is the same.
"""

import hashlib
import threading
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit
from p2pdist.shared.manifest.site_profile import SiteProfile
from seed_server.fleet.context import Context
from seed_server.line.site_map_file import load_sites
from seed_server.settings.home import ServerHome
from seed_server.signing.profiles import PROFILES


@dataclass(frozen=True)
class ProfileInForce:
    """The profile of one site."""

    document: SiteProfile
    rules: Profile
    """Of its text, without those of other sites."""

    def limit_at(self, seconds: float, line: BytesPerSecond | None) -> EffectiveLimit:
        """Return what it lets go over the site's line at a moment, in seconds since 1970; ``line``: what is known."""
        at = datetime.fromtimestamp(seconds, UTC)
        return effective_limit(self.rules, self.document.site, at, line=line)


class _Known:
    """The profiles of one home, as they were read last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_digest: dict[str, ProfileInForce] = {}

    def read(self, context: Context) -> dict[str, ProfileInForce]:
        """Return them by site, sorted. Raises `UserError`."""
        with self._lock:
            before, listed = self._by_digest, set[str]()

            def is_new(_path: str, sha256: str) -> bool:
                listed.add(sha256)
                return sha256 not in before

            files = context.repository().profiles(is_new)
            for path, data in files.items():
                for document in PROFILES.read({path: data}).values():
                    before[hashlib.sha256(data).hexdigest()] = ProfileInForce(document, document.profile())
            self._by_digest = {digest: one for digest, one in before.items() if digest in listed}
            found = {one.document.site: one for one in self._by_digest.values()}
            return dict(sorted(found.items()))


_KNOWN: dict[ServerHome, _Known] = {}
"""One of each home, which a process has one of."""


def read_profiles_in_force(context: Context) -> dict[str, ProfileInForce]:
    """Return the profile of each site that has one, by site, sorted. Raises `UserError`: NOT_SET_UP, STORAGE, BUSY."""
    context.settings()
    return _KNOWN.setdefault(context.home, _Known()).read(context)


@dataclass(frozen=True)
class SiteThrottle:
    """A site, and what its profile lets it have now."""

    site: str
    profile: ProfileInForce | None
    """None: it has none, and is sent to as its line allows."""
    limit: EffectiveLimit | None
    """None: it has no profile."""
    line: BytesPerSecond | None
    """What is known of its line, configured or learned."""
    is_known: bool
    """Whether the site map names it, or a PC was ever seen there."""


@dataclass(frozen=True)
class Throttles:
    """One look at all sites and their profiles."""

    now: float
    profiles: Mapping[str, ProfileInForce]
    """By site."""
    known: AbstractSet[str]
    """The sites that the site map names, and those where a PC was ever seen."""
    lines: Mapping[str, BytesPerSecond]
    """The rates of lines, as far as they are known, by site."""

    @property
    def sites(self) -> list[str]:
        """Every site that is known, or has a profile, by name."""
        return sorted({*self.known, *self.profiles})

    def of(self, site: str) -> SiteThrottle:
        """Return what one site may have now."""
        profile, line = self.profiles.get(site), self.lines.get(site)
        limit = None if profile is None else profile.limit_at(self.now, line)
        return SiteThrottle(site, profile, limit, line, site in self.known)


def read_throttles(context: Context) -> Throttles:
    """Return what sites may have now. Raises `UserError`: NOT_SET_UP, BAD_INPUT (the site map), STORAGE, BUSY."""
    profiles = read_profiles_in_force(context)
    with context.database() as database:
        limits, seen = database.site_limits(), database.site_names()
    mapped = {site.name: site.line for site in load_sites(context.home).sites}
    lines = {row.site: BytesPerSecond(row.capacity) for row in limits if row.capacity}
    lines |= {name: line.capacity for name, line in mapped.items() if line.capacity is not None}
    return Throttles(context.clock.now(), profiles, {*seen, *mapped}, lines)
