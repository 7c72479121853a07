"""What limits a site, in one sentence, the same on a terminal and on a page, in the language of the screens. Pure."""

from bandwidth.core.quantities import age_text, rate_text
from p2pdist.shared.language import in_words, tr
from seed_server.store.rows import SiteLimitRow


def why_limited(limit: SiteLimitRow, now: float, *, serving: bool) -> str:
    """Return what limits a site now, or what did last, with its age."""
    if not limit.at:
        return tr("Nothing was ever sent there.")
    reason, age = in_words(limit.reason), in_words(age_text(max(0.0, now - limit.at)))
    if not serving:
        return tr("The server does not run, so nothing is sent. Last, {age} ago: {reason}.", age=age, reason=reason)
    if limit.harm is not None and limit.harm.ends_at > now:
        left = in_words(age_text(limit.harm.ends_at - now))
        return tr(
            "Nothing is sent for {left} still, because business suffered: {reason}.",
            left=left,
            reason=in_words(limit.harm.reason),
        )
    if not limit.active:
        return tr("Nothing is to be sent there now. What limited it last, {age} ago: {reason}.", age=age, reason=reason)
    if not limit.rate:
        return tr("PCs wait, and nothing is sent: {reason}.", reason=reason)
    return tr("Sent at {rate} at most now: {reason}.", rate=rate_text(limit.rate), reason=reason)
