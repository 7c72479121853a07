"""What each site's line carries and its profile allows, for plans. Blocking; nothing here writes."""

import contextlib
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import effective_limit
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import SiteName
from seed_server.fleet.context import Context
from seed_server.line.site_map_file import load_sites
from seed_server.reporting.plan_facts import Allowed

if TYPE_CHECKING:
    from seed_server.store.database import Database


def line_capacities(context: Context, database: "Database", profiles: Mapping[SiteName, Profile]) -> dict[str, int]:
    """Return what the line of each site carries, in bytes per second: as configured, else as learned."""
    found = {row.site: row.capacity for row in database.site_limits() if row.capacity}
    for name, profile in profiles.items():
        if (line := profile.site(name).line) is not None:
            found[name] = int(line)
    with contextlib.suppress(UserError):  # a map that is broken is not in force: the one before it is in the records
        for site in load_sites(context.home).sites:
            if site.line.capacity is not None:
                found[site.name] = int(site.line.capacity)
    return found


class ProfileLimits:
    """What the profiles allow, hour by hour; sites with the same rules share what is reckoned."""

    def __init__(self, profiles: Mapping[SiteName, Profile], capacities: Mapping[str, int]) -> None:
        self._profiles, self._capacities = profiles, capacities
        self._known: dict[bytes, dict[float, float | None]] = {}

    def of(self, name: str) -> Allowed:
        """Return the limit of a site as a function of the moment."""
        profile = self._profiles.get(SiteName(name))
        if profile is None:
            return _no_limit
        capacity = self._capacities.get(name)
        site = profile.site(name)
        alike = repr((profile.for_site(name), site.groups, site.time_zone, capacity)).replace(repr(name), "")
        known = self._known.setdefault(hashlib.sha256(alike.encode()).digest(), {})
        return _limit(profile, name, None if capacity is None else BytesPerSecond(capacity), known)


def _no_limit(_at: float) -> float | None:
    return None


def _limit(profile: Profile, name: str, line: BytesPerSecond | None, known: dict[float, float | None]) -> Allowed:
    def allowed(at: float) -> float | None:
        if at not in known:
            found = effective_limit(profile, name, datetime.fromtimestamp(at, UTC), line=line)
            known[at] = None if found.rate is None else float(found.rate)
        return known[at]

    return allowed
