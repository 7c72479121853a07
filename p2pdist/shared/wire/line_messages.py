"""What a PC and its server say of the traffic on their line, and of the limit on it. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import (
    MAX_CARD_RATE,
    MAX_LIMIT_REASONS,
    MAX_REPORT_SECONDS,
    MAX_REPORTED_FLOWS,
    ByteCount,
    FlowId,
    Rate,
    Seconds,
    ShortText,
    Text,
)


class LinkReport(Message, frozen=True, tag="link"):
    """The traffic of other programs on this PC. Sent as often as the last `LinkWatch` asks, while there is news."""

    interval_seconds: Annotated[float, msgspec.Meta(gt=0.0, le=MAX_REPORT_SECONDS)]
    """Since the previous report."""
    business_bytes: ByteCount
    """Bytes that others transferred over the branch line in the interval, without ours and those within the LAN."""
    flows: Annotated[tuple[tuple[FlowId, ByteCount], ...], msgspec.Meta(max_length=MAX_REPORTED_FLOWS)]
    """Others' largest connections: (id, bytes so far)."""
    harm_seconds: Annotated[float, msgspec.Meta(ge=0.0, le=MAX_REPORT_SECONDS)] | None
    """Smoothed minus least round trip of others' most harmed connection; None when no such connection is seen."""
    card_rate: Annotated[int, msgspec.Meta(ge=1, le=MAX_CARD_RATE)] | None
    """What this PC's network card carries each way, bytes per second; None: it does not tell."""
    from_neighbours_bytes: ByteCount
    """Our own bytes that this PC received from neighbours in the interval, as its card counts them."""
    to_neighbours_bytes: ByteCount
    """Our own bytes that it sent to them."""


class LinkWatch(Message, frozen=True, tag="watch"):
    """How often to send a `LinkReport`."""

    interval_seconds: Annotated[float, msgspec.Meta(gt=0.0, le=MAX_REPORT_SECONDS)] | None
    """None: only rarely, because the site is fetching nothing."""


class SiteLimit(Message, frozen=True, tag="limit"):
    """How fast the server sends to the site, and why. Sent about once a second while that changes."""

    rate: Rate
    """The rate on the line, packet headers included."""
    capacity: Rate | None
    """The line's capacity, configured or learned; None: not known yet."""
    configured: bool
    """Whether the capacity is configured."""
    state: ShortText
    reason: Text
    seconds: Annotated[dict[ShortText, Seconds], msgspec.Meta(max_length=MAX_LIMIT_REASONS)]
    """Time under each reason."""
    yield_seconds: Seconds
    """Time in which the site's transfers yielded to other traffic."""
    learned_seconds: Seconds | None
    """How long ago the line last showed its capacity, in whole minutes; None: configured, or not known."""
