"""What a site's profile says at an instant, as the limits of its line. Pure."""

from datetime import datetime

from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import Backlog, effective_limit
from p2pdist.shared.identifiers import SiteName
from seed_server.line.site_rate import Policy


def site_policy(
    profile: Profile | None,
    site: SiteName,
    at: datetime,
    *,
    capacity: BytesPerSecond | None,
    spare: BytesPerSecond | None,
    remaining_bytes: int,
) -> Policy:
    """Return the policy of ``site`` at ``at``; without a profile, everything is allowed.

    ``capacity``: of the line, configured or learned; ``spare``: what business leaves of it, None: not known;
    ``remaining_bytes``: still to be sent there; a deadline's pace follows from it.
    """
    if profile is None:
        return Policy()
    limit = effective_limit(
        profile, site, at, line=capacity, spare=spare, backlog=Backlog(remaining_bytes=remaining_bytes)
    )
    return Policy(
        ceiling=limit.rate,
        rule=str(limit.rule),
        floor=limit.floor,
        floor_rule=limit.floor_reason,
        blackout=limit.blackout,
        boost=limit.boost,
        line=profile.site(site).line,
        threshold_seconds=limit.sensitivity.threshold_seconds,
    )
