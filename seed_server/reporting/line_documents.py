"""What `site history` prints with `--json`, and how it is made of what was found. Pure."""

from msgspec import Struct

from p2pdist.shared.json_units import ByteRate, Bytes, Seconds, UnixSeconds, WholeSeconds
from seed_server.reporting.line_history import LineHistory, LinePoint, LineStretch, stretches

MOST_STRETCHES = 20


class LinePointDocument(Struct, frozen=True):
    """What a site's line did in one step."""

    at: UnixSeconds
    """When the step began. Since 0.3."""
    watched_seconds: Seconds
    """For how long the server ran in it; 0: nothing is known of it. Since 0.3."""
    sent_bytes: Bytes
    """What we sent there: payload. Since 0.3."""
    sent_bytes_per_second: ByteRate | None
    """The same, over the time that was watched; null: not known. Since 0.3."""
    active_seconds: Seconds
    """For how long something was sent, or PCs waited for it in vain. Since 0.3."""
    limit_bytes_per_second: ByteRate | None
    """What we might have sent then, on average; null: nothing was to be sent. Since 0.3."""
    reason: str
    """What limited that for longest; empty: nothing was to be sent. Since 0.3."""
    reason_seconds: Seconds
    """For how long it did. Since 0.3."""
    business_bytes_per_second: ByteRate | None
    """What others received there, as PCs saw it while we sent much; null: no PC watched. Since 0.3."""
    business_seconds: Seconds
    """For how long PCs watched. Since 0.3."""
    harm_seconds: Seconds
    """Seconds in which business suffered while we sent. Since 0.3."""
    queue_p95_seconds: Seconds | None
    """What 95 of 100 waits in the line's queue were below while we sent; of an hour and more, the longest of its ten
    minutes'; null: none was measured. Since 0.3."""


class LineStretchDocument(Struct, frozen=True):
    """For how long one reason limited a site."""

    begin: UnixSeconds
    """When it began, by steps. Since 0.3."""
    end: UnixSeconds
    """When another one followed, or nothing was to be sent. Since 0.3."""
    reason: str
    """What limited the rate. Since 0.3."""
    seconds: Seconds
    """How much of that time was under this reason. Since 0.3."""
    limit_bytes_per_second: ByteRate | None
    """What we might have sent, on average; null: not known. Since 0.3."""


class SiteHistoryDocument(Struct, frozen=True):
    """What a site's line did."""

    site: str
    """The site. Since 0.3."""
    at: UnixSeconds
    """When this was asked. Since 0.3."""
    step_seconds: WholeSeconds
    """How long a step is: ten minutes, an hour, or a day. Since 0.3."""
    capacity_bytes_per_second: ByteRate | None
    """What its line carries; null: not known. Since 0.3."""
    sent_bytes: Bytes
    """What we sent there, in all of these steps. Since 0.3."""
    harm_seconds: Seconds
    """For how long business suffered while we sent, in all of these steps. Since 0.3."""
    steps: tuple[LinePointDocument, ...]
    """The oldest first; the newest is not over, and is written when it is. Since 0.3."""
    stretches: tuple[LineStretchDocument, ...]
    """What limited it last, the newest first; at most twenty. Since 0.3."""


def history_document(history: LineHistory) -> SiteHistoryDocument:
    """Return what is printed of what a line did."""
    return SiteHistoryDocument(
        site=history.site,
        at=history.now,
        step_seconds=history.step_seconds,
        capacity_bytes_per_second=history.capacity,
        sent_bytes=history.sent,
        harm_seconds=history.harm_seconds,
        steps=tuple(map(_point, history.points)),
        stretches=tuple(map(_stretch, stretches(history, MOST_STRETCHES))),
    )


def _point(point: LinePoint) -> LinePointDocument:
    seen = point.seen
    return LinePointDocument(
        at=point.at,
        watched_seconds=round(point.watched_seconds, 1),
        sent_bytes=seen.sent,
        sent_bytes_per_second=_whole(point.rate),
        active_seconds=round(seen.active, 1),
        limit_bytes_per_second=_whole(point.limit),
        reason=seen.cause,
        reason_seconds=round(seen.cause_seconds, 1),
        business_bytes_per_second=_whole(point.business_rate),
        business_seconds=round(seen.business_seconds, 1),
        harm_seconds=round(seen.harm_seconds, 1),
        queue_p95_seconds=seen.queue,
    )


def _stretch(one: LineStretch) -> LineStretchDocument:
    return LineStretchDocument(one.begin, one.end, one.cause, round(one.seconds, 1), _whole(one.limit))


def _whole(rate: float | None) -> int | None:
    return None if rate is None else round(rate)
