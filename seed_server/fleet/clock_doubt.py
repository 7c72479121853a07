"""Says that nothing goes after its time since the clock may be far ahead: once, and once that things go again."""

from collections.abc import Sequence

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.said_once import SaidOnce

log = lazy_log()


def say_expired(roles: Sequence[str], said: SaidOnce) -> None:
    """Log that ``roles`` have expired, where that is news by ``said``, or that none has any more."""
    if not said.is_new(", ".join(roles)):
        return
    if roles:
        log.warning(
            "nothing goes after its time: signed roles have expired, or the clock is ahead: check it, or run "
            "'seed-server renew'",
            roles=list(roles),
        )
    else:
        log.info("things go after their time again")
