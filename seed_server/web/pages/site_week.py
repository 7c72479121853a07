"""The week of a site's throttle profile as a picture, with now marked, in the reader's language. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bandwidth.core.quantities import rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.week import WeekWords, week_svg
from bandwidth.profiles.model import Profile
from bandwidth.profiles.resolve import effective_limit
from bandwidth.profiles.week import week_of
from p2pdist.shared.language import current, in_words, tr
from p2pdist.shared.printable_text import printable

LINE_IF_UNKNOWN = BytesPerSecond(12_500_000)  # as `bandwidth plot`: a percent of the line reads as Mbit/s
_JAPANESE_DAYS = "月火水木金土日"


@dataclass(frozen=True)
class ProfileWeek:
    """A week of a site's line."""

    picture: str
    """SVG."""
    profile: str
    """What the profile is called."""
    now: datetime
    """By the site's clock."""
    rate: BytesPerSecond | None
    """What the profile lets go over the line now; None: it sets no limit."""
    rule: str
    """Why, in the reader's language."""


def site_week(profile: Profile, site: str, line: BytesPerSecond | None, now: float) -> ProfileWeek:
    """Return the week of ``now``, from its Monday on; ``line``: what is known of the site's line."""
    rules = profile.for_site(site)
    zone = ZoneInfo(rules.site(site).time_zone or rules.time_zone)
    known = [rate for rate in (line, rules.site(site).line) if rate is not None]
    used, local = min(known, default=LINE_IF_UNKNOWN), datetime.fromtimestamp(now, UTC).astimezone(zone)
    monday = local.date() - timedelta(days=local.weekday())
    week = week_of(rules, site, monday, line=used)
    limit = effective_limit(rules, site, datetime.fromtimestamp(now, UTC), line=used)
    words = tr("line {rate}", rate=rate_text(used)) if known else tr("the line is not known: 100 Mbit/s is assumed")
    title, subtitle = tr("{site}: its profile this week", site=printable(site)), f"{zone.key}, {words}"
    picture = week_svg(week, title, subtitle, WeekWords(_said, _day), now=local)
    return ProfileWeek(picture, printable(rules.name), local, limit.rate, _said(str(limit.rule)))


def _said(english: str) -> str:
    return printable(in_words(english))


def _day(day: date) -> str:
    if current() == "ja":
        return f"{day.month}/{day.day} ({_JAPANESE_DAYS[day.weekday()]})"
    return f"{day:%a} {day.day} {day:%b}"
