"""What the server does about data connections that rest: TCP waits in vain for an acknowledgement, ever longer.

After an outage TCP would rest for as long as that lasted. Where full packets vanish on the way it rests for ever,
while pings on the control connection are answered, for they are small.
"""

import structlog

from bandwidth.core.units import LARGEST_PACKET_BYTES
from seed_server.line.site_rate import ANSWERING_SECONDS
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

LINE_WAS_DOWN = "the line was down: connect again"
NOTHING_ARRIVES = "nothing of a piece arrived: connect again"
LARGE_PACKETS_CURE = (
    "let ICMP 'fragmentation needed' through, or set the right MTU, on the way there; meanwhile smaller packets are "
    "used, and nothing else is lost"
)

log = structlog.get_logger()


def end_resting(live: LiveSite, now: float) -> None:
    """End the sessions of a site that answer, and whose data connection rests: they connect again at once.

    While pieces are sent, also of those whose turn has ended; else a lease that expires has them looked at.
    Those on which no full packet has ever arrived, twice in a row, are told to use smaller ones then.
    """
    if not live.sending:
        return
    for session in list(live.sessions.values()):
        link = session.link
        if link is None or now - session.heard_at >= ANSWERING_SECONDS:
            continue
        if link not in live.sending:
            # a turn ended as the line was cut: TCP would send it again, beside us, when it wakes up
            if not (link.awaits_word and link.look_again() and link.rests_long):
                continue
        elif not link.rests:
            continue
        if link.nothing_arrived and live.rate.path.vanished(session.endpoint, session.packet_bytes, now):
            _log_lost(live, session, session.packet_bytes, now)
        session.end(NOTHING_ARRIVES if link.nothing_arrived else LINE_WAS_DOWN)


def believe_lost(live: LiveSite, session: Session, now: float) -> None:
    """Use smaller packets to an endpoint that says that full ones do not reach it; to its site if another one does."""
    if live.rate.path.found_by_endpoint(session.endpoint, now):
        _log_lost(live, session, LARGEST_PACKET_BYTES, now)


def _log_lost(live: LiveSite, session: Session, packet_bytes: int, now: float) -> None:
    whole_site = live.rate.path.lost_at_site(len(live.sessions), now)
    log.warning(
        "full packets do not get through to a site" if whole_site else "full packets do not get through to a PC",
        site=live.site.name,
        endpoint=session.endpoint,
        packet_bytes=packet_bytes,
        cure=LARGE_PACKETS_CURE,
    )
