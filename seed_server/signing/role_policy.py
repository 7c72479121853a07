"""How long each TUF role lives, when it must be signed anew, and how its versions are numbered. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS

ROOT_LIFETIME_SECONDS = 365 * DAY_SECONDS  # root and targets change by ceremony, about yearly
PATCHES_LIFETIME_SECONDS = 90 * DAY_SECONDS  # bounds how long stolen online keys can hold back newer patches
OFFLINE_WARNING_SECONDS = 30 * DAY_SECONDS  # time to fetch the offline keys from the safe and run `renew`
RENEW_AT_FRACTION = 0.5  # online roles are signed anew at half their life: a weekend's outage harms nobody
EXCESS_LIFE_SECONDS = 300.0  # metadata that outlives its role by more was signed with a wrong clock

ONLINE_ROLES = ("rollouts", "snapshot", "timestamp")
OFFLINE_ROLES = ("root", "targets", "patches", "profiles")
AUDIT_KEY = "audit"  # of no role: it signs the checkpoints of the audit log
OFFLINE_KEYS = ("root", "patches", "profiles")  # targets is signed with the root key


@dataclass(frozen=True)
class OnlineLifetimes:
    """Lifetimes of the online roles, in seconds."""

    timestamp: float
    snapshot: float
    rollouts: float


@dataclass(frozen=True)
class RoleExpiry:
    """When a role's metadata stops being trusted."""

    role: str
    expires_at: float
    """Seconds since 1970, UTC."""

    @property
    def offline(self) -> bool:
        """Whether only the operator can renew it."""
        return self.role in OFFLINE_ROLES


def lifetimes_of_roles(online: OnlineLifetimes) -> Mapping[str, float]:
    """Return the lifetime of every role, in seconds."""
    return {
        "root": ROOT_LIFETIME_SECONDS,
        "targets": ROOT_LIFETIME_SECONDS,
        "patches": PATCHES_LIFETIME_SECONDS,
        "profiles": PATCHES_LIFETIME_SECONDS,
        "rollouts": online.rollouts,
        "snapshot": online.snapshot,
        "timestamp": online.timestamp,
    }


def roles_due(expiries: Iterable[RoleExpiry], online: OnlineLifetimes, now: float) -> set[str]:
    """Return the online roles to sign anew: past half of their life, or with a life longer than the settings allow.

    The latter happens after the clock went back, or when a lifetime was made shorter.
    """
    lifetimes = lifetimes_of_roles(online)
    due = set()
    for expiry in expiries:
        left, whole = expiry.expires_at - now, lifetimes[expiry.role]
        if not expiry.offline and not whole * (1 - RENEW_AT_FRACTION) < left <= whole + EXCESS_LIFE_SECONDS:
            due.add(expiry.role)
    return due


def past_half(expires_at: float, now: float) -> bool:
    """Whether a role that the `patches` keys sign is to be signed anew with whatever else they sign."""
    return expires_at - now <= PATCHES_LIFETIME_SECONDS * (1 - RENEW_AT_FRACTION)


def expiring_offline(expiries: Iterable[RoleExpiry], now: float) -> list[RoleExpiry]:
    """Return the offline roles that have expired or do so within `OFFLINE_WARNING_SECONDS`, soonest first."""
    found = [e for e in expiries if e.offline and e.expires_at < now + OFFLINE_WARNING_SECONDS]
    return sorted(found, key=lambda expiry: expiry.expires_at)


def expired_offline(expiries: Iterable[RoleExpiry], now: float) -> tuple[str, ...]:
    """Return the roles that only the operator can renew and that have expired, by a clock that shows ``now``.

    Then that may be far ahead: where it is right, PCs refuse this server by now. What goes after its time does not
    come back, so nothing may go by such a clock.
    """
    return tuple(sorted(expiry.role for expiry in expiries if expiry.offline and expiry.expires_at <= now))


def next_version(role: str, version: int, now: float) -> int:
    """Return the version of ``role`` that follows ``version`` at ``now``, in seconds since 1970.

    The root's is the next number, as TUF demands. All others are also times: a repository restored from a backup goes
    on above whatever PCs have seen since the backup, which they would refuse otherwise.
    """
    return version + 1 if role == "root" else max(version + 1, int(now))


def may_follow(role: str, version: int, before: int, latest: float) -> bool:
    """Whether ``version`` may come after ``before`` when no clock shows more than ``latest`` seconds since 1970.

    The next number always may: release 0.2.0 numbered so, and a clock may stand still or go back.
    """
    return version == before + 1 or before < version <= next_version(role, before, latest)
