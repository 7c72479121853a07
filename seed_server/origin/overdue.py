"""What takes too long at a site is ended, and what does not come true is doubted."""

from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.leasing.standing import Fault, Standings
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.resting import end_resting
from seed_server.origin.site import LiveSite


def end_overdue(live: LiveSite, now: float, outside_log: OutsideLog) -> None:
    """End leases without progress and connections that rest, and let others have what has become free."""
    live.set_silent_aside(now)
    end_resting(live, now)
    rate = live.link_rate
    if rate == 0 or live.is_cut_off(now):  # then no PC is to blame, and none would do better
        live.ledger.hold(now)
        return
    expired = live.ledger.expire(now, rate)
    for lease in expired:
        outside_log.warning("a lease expired", lease.endpoint, torrent=lease.torrent, piece=lease.piece)
        session = live.sessions.get(lease.endpoint)
        link = session.link if session else None
        if link is not None and link.writing == LeasedPiece(lease.torrent, lease.piece):
            link.ending.end("the data connection takes no data")
    more = live.ledger.look(now, live.rate.decision.allowance)
    if expired or more or live.ledger.take_freed():
        live.wake_all()


def log_alarms(standings: Standings, outside_log: OutsideLog) -> None:
    """Tell the operator which endpoints come last from now on, and why."""
    for alarm in standings.take_alarms():
        if alarm.fault is not Fault.EXPIRED:  # that has its own line
            outside_log.warning(
                "an endpoint comes last from now on",
                alarm.endpoint,
                torrent=alarm.torrent,
                reason=alarm.fault.value,
            )
