"""Dates, numbers and spans as the reader's language writes them. Alone knows Babel, and the zone of this machine."""

import datetime as dt
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal, format_percent

from p2pdist.shared.language import ENGLISH

_LOCALES: Mapping[str, str] = MappingProxyType({ENGLISH: "en_GB", "ja": "ja"})
"""English with the day before the month and 24 hours, as in the rest of the program."""
_Unit: TypeAlias = Literal["second", "minute", "hour", "day"]
_UNITS: tuple[tuple[float, _Unit], ...] = ((60, "second"), (3_600, "minute"), (172_800, "hour"), (math.inf, "day"))
"""Up to how many seconds an age is told in which unit; `static/pages.js` has the same."""
_SECONDS_OF = MappingProxyType({"second": 1, "minute": 60, "hour": 3_600, "day": 86_400})
_LARGE_BYTES = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
MOST_AGE_DAYS = 36_500  # older, or later, is a broken clock: shown as that


def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES.get(language, _LOCALES[ENGLISH]))


def moment_text(seconds: float, language: str) -> str:
    """Return a moment, given in seconds since 1970, to the minute, with the name of this machine's zone."""
    local = _moment(seconds).astimezone()
    pattern = "yyyy/MM/dd HH:mm" if language == "ja" else "d MMM yyyy, HH:mm"
    return f"{format_datetime(local, pattern, locale=_locale(language))} {local.tzname()}"


def moment_code(seconds: float) -> str:
    """Return a moment as HTML's ``datetime`` has it, in UTC."""
    return f"{_moment(seconds):%Y-%m-%dT%H:%M:%SZ}"


def day_text(seconds: float, language: str) -> str:
    """Return the day of a moment, in this machine's zone."""
    pattern = "yyyy/MM/dd" if language == "ja" else "d MMM yyyy"
    return format_datetime(_moment(seconds).astimezone(), pattern, locale=_locale(language))


def age_text(seconds: float, language: str) -> str:
    """Return how long ago something was, in one unit, rounded down; below zero: in how long it will be."""
    if not math.isfinite(seconds):
        seconds = MOST_AGE_DAYS * 86_400.0
    unit = next(unit for most, unit in _UNITS if abs(seconds) < most)
    number = min(int(abs(seconds) // _SECONDS_OF[unit]), MOST_AGE_DAYS)
    passed = dt.timedelta(seconds=number * _SECONDS_OF[unit] * (-1 if seconds >= 0 else 1))
    if not passed:
        passed = dt.timedelta(seconds=-1)  # less than a second: zero has no direction
    return format_timedelta(
        passed, unit, threshold=math.inf, add_direction=True, format="short", locale=_locale(language)
    )


def number_text(number: float, language: str) -> str:
    """Return a number with its thousands apart, and with at most one digit behind the point."""
    return str(format_decimal(number, format="#,##0.#", locale=_locale(language)))


def percent_text(share: float, language: str) -> str:
    """Return a share of 0 to 1, rounded downwards, so that what is not enough never looks as if it were."""
    down = math.floor(share * 1000 + 1e-9) / 1000
    return str(format_percent(down, format="#,##0.#%", locale=_locale(language)))


def bytes_text(count: float, language: str) -> str:
    """Return so many bytes in powers of 1000."""
    for size, unit in _LARGE_BYTES:
        if abs(count) >= 0.9995 * size:
            return f"{number_text(count / size, language)} {unit}"
    return f"{number_text(round(count), language)} B"


def mbit_text(bytes_per_second: float, language: str) -> str:
    """Return a rate in Mbit/s: two digits behind the point where it is small."""
    megabits = bytes_per_second * 8e-6
    pattern = "#,##0.##" if megabits < 10 else "#,##0.#" if megabits < 100 else "#,##0"
    return f"{format_decimal(megabits, format=pattern, locale=_locale(language))} Mbit/s"


def _moment(seconds: float) -> dt.datetime:
    """Return a moment; one that no calendar has, from a broken clock, as the nearest that is one."""
    return dt.datetime.fromtimestamp(_kept(seconds), dt.UTC)


def _kept(seconds: float) -> float:
    return min(max(seconds, 0.0), 4e9) if math.isfinite(seconds) else 0.0


def week_day_text(day: dt.date, language: str) -> str:
    """Return a day of a week, short: ``Mon 1 Jun``, ``6/1(月)``."""
    return format_date(day, "M/d(E)" if language == "ja" else "EEE d MMM", locale=_locale(language))
