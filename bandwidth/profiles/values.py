"""Single values of a profile: read from TOML, with an explanation of what is wrong, and written back. Pure."""

import difflib
import enum
import re
import zoneinfo
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from bandwidth.core.quantities import MINUTES_PER_DAY, QuantityError, parse_rate
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import EVERY_DAY, Day, YearlyDate
from bandwidth.profiles.schedule import FIRST_YEAR, LAST_YEAR

E = TypeVar("E", bound=enum.StrEnum)

MAX_TEXT = 200  # characters of a name or description: they are shown in tables
MAX_LIST = 1_000  # entries of a list of names: more than any company names in one rule
LEAP_YEAR = 2000

_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})", re.ASCII)
_MONTH_DAY = re.compile(r"([0-9]{2})-([0-9]{2})", re.ASCII)
_DAY_GROUPS = {
    "daily": EVERY_DAY,
    "weekdays": frozenset(tuple(Day)[:5]),
    "weekend": frozenset((Day.SAT, Day.SUN)),
}


class UnfitValueError(ValueError):
    """A value is not what its key takes; the text completes "cap: …"."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of ``known`` (at least one) that is most like ``word``."""
    return difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.0)[0]


def text(value: Any) -> str:
    """Return one line of text as it is."""
    if not isinstance(value, str) or not value.isprintable() or not value.strip() or len(value) > MAX_TEXT:
        raise UnfitValueError(f"{_shown(value)} is not one line of at most {MAX_TEXT} printable characters in quotes")
    return value


def boolean(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise UnfitValueError(f"{_shown(value)} is neither true nor false (without quotes)")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Return a list of names, without empty lists: no key at all means everyone, an empty list could mean either."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_LIST:
        raise UnfitValueError(f'{_shown(value)} is not a list of names such as ["leeds", "york"]')
    return tuple(text(item) for item in value)


def rate(value: Any) -> BytesPerSecond:
    """Return ``"20 Mbit/s"`` and the like as whole bytes per second, rounded down."""
    if not isinstance(value, str):
        raise UnfitValueError(f'{_shown(value)} is not a rate; write a number and its unit in quotes: "20 Mbit/s"')
    try:
        return parse_rate(value)
    except QuantityError as error:
        raise UnfitValueError(str(error)) from None


def percent(value: Any) -> float:
    """Return a percentage above 0 and at most 100 in steps of 0.01."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.01 <= value <= 100:
        raise UnfitValueError(f"{_shown(value)} is not a number from 0.01 to 100, without quotes or a sign")
    return round(float(value), 2)


def start_minute(value: Any) -> int:
    """Return ``"08:30"`` or a TOML local time as minutes after midnight."""
    minute = end_minute(value)
    if minute == MINUTES_PER_DAY:
        raise UnfitValueError('"24:00" ends a day; one starts at "00:00"')
    return minute


def end_minute(value: Any) -> int:
    """Like `start_minute`; ``"24:00"`` is the end of the day."""
    if isinstance(value, time) and not value.second and not value.microsecond:
        return value.hour * 60 + value.minute
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    minute = int(match[1]) * 60 + int(match[2]) if match and int(match[2]) < 60 else MINUTES_PER_DAY + 1
    if minute > MINUTES_PER_DAY:
        raise UnfitValueError(f'{_shown(value)} is not a time of day in hours and minutes such as "08:30"')
    return minute


def days(value: Any) -> frozenset[Day]:
    """Return days such as ``"mon-fri"``, ``["sat", "holiday"]`` or ``"daily"`` as kinds of days."""
    words = value if isinstance(value, list) else [value]
    found = [_day_words(word) for word in words]
    if not found:
        raise UnfitValueError("an empty list is never; name days, or leave the key out for every day")
    return frozenset().union(*found)


def _day_words(word: Any) -> frozenset[Day]:
    if not isinstance(word, str):
        raise UnfitValueError(f'{_shown(word)} is not a day; write "mon-fri" or ["sat", "holiday"]')
    if word in _DAY_GROUPS:
        return _DAY_GROUPS[word]
    first, dash, last = word.partition("-")
    if not dash:
        return frozenset((choice(Day, word, [*Day, *_DAY_GROUPS]),))
    week = tuple(Day)[:7]
    low, high = week.index(choice(Day, first, week)), week.index(choice(Day, last, week))
    return frozenset(week[low : high + 1] if low <= high else week[low:] + week[: high + 1])


def choice(kind: type[E], value: Any, known: Iterable[str] | None = None) -> E:
    """Return the member of ``kind`` that ``value`` names; ``known`` are the words that are allowed here."""
    words = [str(word) for word in (kind if known is None else known)]
    if not isinstance(value, str) or value not in words or value not in list(kind):
        hint = f"the nearest is {nearest(value, words)!r}" if isinstance(value, str) else "it takes text"
        raise UnfitValueError(f"{_shown(value)} is not one of {', '.join(words)}; {hint}")
    return kind(value)


def choices(kind: type[E], value: Any) -> tuple[E, ...]:
    """Return a list of members of ``kind``, in its order and each once."""
    if not isinstance(value, list) or not value:
        raise UnfitValueError(f"{_shown(value)} is not a list of some of {', '.join(kind)}")
    found = {choice(kind, item) for item in value}
    return tuple(member for member in kind if member in found)


def time_zone(value: Any) -> str:
    """Return the name of a zone that this system knows."""
    known = isinstance(value, str)
    try:
        zoneinfo.ZoneInfo(value if known else "")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones such as "Europe"
        known = False
    if not known:
        zones = zoneinfo.available_timezones() or {"UTC"}
        hint = f"the nearest is {nearest(value, zones)!r}" if isinstance(value, str) else "it takes text"
        raise UnfitValueError(f"{_shown(value)} is no time zone of the IANA database; {hint}")
    return str(value)


def calendar_day(value: Any) -> date:
    """Return a TOML local date, or the same in quotes."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise UnfitValueError(f"{_shown(value)} is not a day such as 2026-12-24 ({error})") from error
    if not isinstance(value, date) or isinstance(value, datetime):
        raise UnfitValueError(f"{_shown(value)} is not a day such as 2026-12-24")
    _check_year(value.year)
    return value


def holiday_date(value: Any) -> date | YearlyDate:
    """Return a day, or ``"12-25"`` for that day of every year."""
    match = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return calendar_day(value)
    try:
        found = date(LEAP_YEAR, int(match[1]), int(match[2]))
    except ValueError as error:
        raise UnfitValueError(f"{value!r} is in no year ({error})") from error
    return YearlyDate(found.month, found.day)


def moment(value: Any) -> datetime:
    """Return a TOML date and time, with its offset or without (civil time at the site), or the same in quotes."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise UnfitValueError(f"{_shown(value)} is not a date and time ({error})") from error
    if not isinstance(value, datetime):
        raise UnfitValueError(f"{_shown(value)} is not a date and time such as 2026-12-24T18:00:00")
    _check_year(value.year)
    offset = value.utcoffset()
    if offset is not None and offset % timedelta(minutes=1):
        raise UnfitValueError(f"{_shown(value)} has an offset that is not in whole minutes")
    return value.replace(microsecond=0, fold=0)


def _check_year(year: int) -> None:
    if not FIRST_YEAR < year < LAST_YEAR:
        raise UnfitValueError(f"the year {year} is not between {FIRST_YEAR} and {LAST_YEAR}")


def _shown(value: Any) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    shown = repr(value) if not isinstance(value, dict) else "a table"
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}…"
