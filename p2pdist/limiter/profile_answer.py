"""Evaluate a throttle profile for this PC's traffic, and find the end of a blackout. Pure."""

from datetime import UTC, datetime, timedelta

from bandwidth.profiles.model import LanClass, Leg, NetworkKind, Profile
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit
from p2pdist.limiter.lan_policy import ProfileAnswer
from p2pdist.pc.network import Medium

LONGEST_SEARCH = timedelta(days=8)  # every weekly rule has ended once by then
COARSE, FINE = timedelta(minutes=15), timedelta(minutes=1)

_NETWORKS = {Medium.VPN: NetworkKind.VPN, Medium.METERED: NetworkKind.METERED}


def profile_answer(profile: Profile | None, site: str | None, at: datetime, medium: Medium) -> ProfileAnswer:
    """Return what ``profile`` allows at ``at`` (aware) over ``medium``; without a profile, everything is allowed."""
    if profile is None:
        return ProfileAnswer()
    decided = _lan_limit(profile, site, at, medium)
    network = _NETWORKS.get(medium, NetworkKind.ORDINARY)
    leg = Leg.LAN_WIFI if medium is Medium.WIFI else Leg.LAN_WIRED
    scopes = [stop.scope for stop in profile.stops] + [blackout.scope for blackout in profile.blackouts]
    scopes += [window.scope for window in profile.windows] + [limit.scope for limit in profile.limits]
    here = profile.site(site)
    return ProfileAnswer(
        rate=decided.rate,
        rule=str(decided.rule),
        blackout=decided.blackout,
        names_network=any(network in scope.networks and leg in scope.legs and scope.concerns(here) for scope in scopes),
        may_fetch=not effective_limit(profile, site, at, network=network).blackout,
    )


def blackout_until(profile: Profile, site: str | None, at: datetime, medium: Medium) -> datetime | None:
    """Return the minute (UTC) in which the blackout that holds at ``at`` ends, or None if not in 8 days."""
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    profile = profile.for_site(site)

    def free(when: datetime) -> bool:
        return not _lan_limit(profile, site, when, medium).blackout

    coarse = (start + n * COARSE for n in range(1, int(LONGEST_SEARCH / COARSE)))
    end = next((when for when in coarse if free(when)), None)
    if end is None:
        return None
    while end - FINE > at and free(end - FINE):
        end -= FINE
    return end


def _lan_limit(profile: Profile, site: str | None, at: datetime, medium: Medium) -> EffectiveLimit:
    lan_class = LanClass.WIFI if medium is Medium.WIFI else LanClass.WIRED
    network = _NETWORKS.get(medium, NetworkKind.ORDINARY)
    return effective_limit(profile, site, at, network=network, lan_class=lan_class)
