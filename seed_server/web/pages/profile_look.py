"""What is said of a throttle profile while somebody writes it: its faults, its week, what holds at a moment. Pure."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bandwidth.core.civil_time import instants_of, is_skipped
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.parse import ProfileError
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit
from bandwidth.profiles.values import UnfitValueError, moment
from bandwidth.profiles.week import ASSUMED_LINE, Week, looks_per_week, strictness, week_of
from p2pdist.shared.errors import FaultKind, UserError

MAX_PROFILE_CHARS = 64 << 10  # of a text that is edited on a page: some hundred rules; longer ones are edited as files
MAX_WEEK_READS = 30_000  # rules that are read for the picture of a week: a second of work on a small machine
LINES_AROUND = 2  # of a fault
MAX_SHOWN_LINE_CHARS = 160
MAX_COMPARED_LINES = 2_000  # of each of two texts: their comparison takes the product of both
MAX_DIFFERENCE_LINES = 200  # that are shown


@dataclass(frozen=True)
class ExcerptLine:
    """A line of the text about a fault; what is marked is empty but in the line to blame."""

    number: int
    before: str
    marked: str = ""
    after: str = ""


@dataclass(frozen=True)
class TextFault:
    """What is wrong with a text."""

    words: str
    """In English: the parser's own."""
    line: int | None = None
    column: int | None = None
    excerpt: Sequence[ExcerptLine] = ()


def fault_in(text: str, error: UserError) -> TextFault:
    """Return what is wrong with ``text``, as `seed_server.signing.profiles.profile_in_text` has it."""
    cause = error.__cause__
    if not isinstance(cause, ProfileError) or not cause.line:
        return TextFault(cause.message if isinstance(cause, ProfileError) else error.message)
    return TextFault(cause.message, cause.line, cause.column, tuple(_excerpt(text, cause.line, cause.column)))


def _excerpt(text: str, line: int, column: int | None) -> Iterator[ExcerptLine]:
    lines = text.replace("\r\n", "\n").split("\n")
    for number in range(max(1, line - LINES_AROUND), min(len(lines), line + LINES_AROUND) + 1):
        shown = lines[number - 1]
        if number != line:
            yield ExcerptLine(number, _cut(shown))
            continue
        start = 0 if column is None else min(column - 1, len(shown))
        end = len(shown) if column is None else _end_of_word(shown, start)
        # of a long line, what is about the fault
        left = max(0, start - MAX_SHOWN_LINE_CHARS // 2)
        before = f"…{shown[left:start]}" if left else shown[:start]
        yield ExcerptLine(number, before, _cut(shown[start:end]) or " ", _cut(shown[end:]))


def _end_of_word(line: str, start: int) -> int:
    end = start
    while end < len(line) and (line[end].isalnum() or line[end] in "_-."):
        end += 1
    return max(end, start + 1)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_LINE_CHARS else f"{text[:MAX_SHOWN_LINE_CHARS]}…"


# --- a week ------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShownWeek:
    """A week of a site's line, and by which line's rate it was computed."""

    week: Week
    line: BytesPerSecond
    assumed: bool
    """Whether nothing is known of the line."""
    now: datetime
    """By the site's clock."""


def zone_of(rules: Profile, site: str) -> ZoneInfo:
    """Return the site's zone."""
    return ZoneInfo(rules.site(site).time_zone or rules.time_zone)


def week_about(rules: Profile, site: str, line: BytesPerSecond | None, at: datetime, now: float) -> ShownWeek:
    """Return the week of ``at``, from its Monday on. Raises `UserError` (BAD_INPUT) for what would take too long."""
    rules, zone = rules.for_site(site), zone_of(rules, site)
    known = [rate for rate in (line, rules.site(site).line) if rate is not None]
    used = min(known, default=ASSUMED_LINE)
    day = at.astimezone(zone).date()
    monday = day - timedelta(days=day.weekday())
    count = sum(
        map(len, (rules.stops, rules.blackouts, rules.windows, rules.limits, rules.business_hours, rules.boosts))
    )
    if count * looks_per_week(rules, monday, zone) > MAX_WEEK_READS:
        raise UserError(
            f"The profile has {count} rules for this site, which are too many to be drawn here. 'bandwidth plot' draws "
            "them.",
            FaultKind.BAD_INPUT,
        )
    return ShownWeek(
        week_of(rules, site, monday, line=used), used, not known, datetime.fromtimestamp(now, UTC).astimezone(zone)
    )


# --- a moment ----------------------------------------------------------------------------


@dataclass(frozen=True)
class LimitAt:
    """What a profile lets a site have at a moment."""

    at: datetime
    """By the site's clock."""
    ambiguous: bool
    """Whether the hour comes twice, and this is the stricter of both."""
    limit: EffectiveLimit


def typed_moment(text: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    """Return the instants that a typed moment means by the site's clock: two in an hour that comes twice.

    Raises `UserError` (BAD_INPUT) for what is no moment, and for one that the clocks never show.
    """
    try:
        at = moment(text.strip())
    except UnfitValueError as error:
        raise UserError(f"{error}.", FaultKind.BAD_INPUT) from error
    if at.tzinfo is not None:
        return (at,)
    if is_skipped(at, zone):
        raise UserError(
            f"{at:%Y-%m-%d %H:%M} does not exist in {zone.key}: the clocks are put forward. Choose another time.",
            FaultKind.BAD_INPUT,
        )
    return tuple(sorted(set(instants_of(at, zone))))


def limit_at(rules: Profile, site: str, instants: Sequence[datetime], line: BytesPerSecond | None) -> LimitAt:
    """Return what holds at one of ``instants``: of several, the strictest."""
    found = [(effective_limit(rules, site, at, line=line), at) for at in instants]
    limit, at = min(found, key=lambda pair: strictness(pair[0]))
    return LimitAt(at.astimezone(zone_of(rules, site)), len(found) > 1, limit)


# --- what differs ------------------------------------------------------------------------


@dataclass(frozen=True)
class DifferenceLine:
    """A line of a comparison; ``sign``: ``+`` it comes, ``-`` it goes, blank it stays, ``@`` some are left out."""

    sign: str
    text: str


def differing_lines(before: str, after: str) -> tuple[DifferenceLine, ...] | None:
    """Return how two texts differ, with a line about each place; None: they are too long for that."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MAX_COMPARED_LINES:
        return None
    found = [
        DifferenceLine("@", "") if line.startswith("@@") else DifferenceLine(line[:1], _cut(line[1:]))
        for line in difflib.unified_diff(old, new, n=1, lineterm="")
        if not line.startswith(("--- ", "+++ "))
    ]
    return tuple(found[:MAX_DIFFERENCE_LINES])
