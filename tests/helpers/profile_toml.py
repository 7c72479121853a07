"""A profile as TOML text that `parse_profile` reads back to an equal one."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from bandwidth.core.quantities import clock_text
from bandwidth.profiles.model import ALWAYS, EVERY_DAY, CivilTime, Day, Leg, Limits, Profile, Scope, YearlyDate

_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"'})  # names are printable, so nothing else needs an escape
_EVERYWHERE = tuple(Leg)


def to_toml(profile: Profile) -> str:
    """Return ``profile`` as TOML. Moments must have whole seconds and no ``fold``, as parsed ones do."""
    lines = list(
        _keys(name=profile.name, description=profile.description, time_zone=profile.time_zone, line=_rate(profile.line))
    )
    for table, rows in _tables(profile):
        for row in rows:
            lines += ["", f"[[{table}]]", *row]
    return "\n".join(lines) + "\n"


def exact_rate_text(bytes_per_second: int) -> str:
    """Return a rate exactly, as `parse_rate` takes it: ``"2.5 Mbit/s"``."""
    bits = bytes_per_second * 8
    for unit, size in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3)):
        if bits >= size:
            whole, rest = divmod(bits, size)
            digits = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0")
            return f"{whole}{'.' if digits else ''}{digits} {unit}"
    return f"{bits} bit/s"


def _tables(profile: Profile) -> Iterator[tuple[str, list[list[str]]]]:
    yield (
        "site",
        [list(_keys(name=s.name, groups=s.groups, time_zone=s.time_zone, line=_rate(s.line))) for s in profile.sites],
    )
    yield (
        "stop",
        [[*_keys(name=s.name, since=s.since, until=s.until), *_scope(s.scope, _EVERYWHERE)] for s in profile.stops],
    )
    yield "blackout", [[*_keys(name=b.name), *_when(b.when), *_scope(b.scope, _EVERYWHERE)] for b in profile.blackouts]
    yield (
        "window",
        [[*_keys(name=w.name), *_when(w.when), *_limits(w.limits), *_scope(w.scope)] for w in profile.windows],
    )
    yield "limit", [[*_keys(name=x.name), *_limits(x.limits), *_scope(x.scope)] for x in profile.limits]
    yield "business_hours", [[*_keys(name=b.name), *_when(b.when), *_scope(b.scope)] for b in profile.business_hours]
    yield "holiday", [[*_keys(name=h.name, date=h.on), *_scope(h.scope)] for h in profile.holidays]
    yield "deadline", [[*_keys(name=d.name, by=d.by), *_scope(d.scope)] for d in profile.deadlines]
    yield (
        "boost",
        [
            [
                *_keys(name=b.name, since=b.since, until=b.until, rate=_rate(b.rate), force=b.force or None),
                *_scope(b.scope),
            ]
            for b in profile.boosts
        ],
    )


def _scope(scope: Scope, legs: tuple[Leg, ...] = (Leg.LINE,)) -> Iterator[str]:
    own_legs = scope.legs if scope.legs != legs else ()
    yield from _keys(sites=scope.sites, groups=scope.groups, networks=scope.networks, legs=own_legs)


def _when(when: CivilTime) -> Iterator[str]:
    if when.days != EVERY_DAY:
        yield from _keys(days=tuple(day for day in Day if day in when.days))
    if (when.start_minute, when.end_minute) != (ALWAYS.start_minute, ALWAYS.end_minute):
        yield from _keys(**{"from": clock_text(when.start_minute), "to": clock_text(when.end_minute)})
    yield from _keys(first_date=when.first_date, last_date=when.last_date)


def _limits(limits: Limits) -> Iterator[str]:
    yield from _keys(
        cap=_rate(limits.cap),
        percent_of_line=limits.percent_of_line,
        percent_of_spare=limits.percent_of_spare,
        min_rate=_rate(limits.min_rate),
        sensitivity=limits.sensitivity,
    )


def _rate(rate: Any) -> str | None:
    return None if rate is None else exact_rate_text(rate)


def _keys(**values: Any) -> Iterator[str]:
    for key, value in values.items():
        if value not in (None, "", ()):
            yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value == int(value) else repr(value)
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, YearlyDate):
        return f'"{value.month:02}-{value.day:02}"'
    if isinstance(value, datetime | date):
        return value.isoformat()
    return f'"{str(value).translate(_QUOTED)}"'
