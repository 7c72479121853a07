"""Throttle profiles from TOML text. An error names file, line, key and the nearest valid key. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bandwidth.profiles import values
from bandwidth.profiles.model import (
    ALWAYS,
    Blackout,
    Boost,
    BusinessHours,
    CivilTime,
    Deadline,
    Holiday,
    Leg,
    Limit,
    Limits,
    NetworkKind,
    Profile,
    ProfileSite,
    Scope,
    Sensitivity,
    Stop,
    Window,
)
from bandwidth.profiles.toml_document import TomlDocument, TomlTextError
from bandwidth.profiles.toml_lines import KeyPath

MAX_CHARACTERS = 1_000_000  # a profile for 1,000 sites has a tenth of that
MAX_RULES = 10_000  # tables of one kind: every decision reads them all


class ProfileError(Exception):
    """A profile that cannot be used.

    ``line`` counts from 1; 0: no line is to blame. ``key`` is the offending one, empty if none is. ``column`` counts
    from 1, too; None: all of the line is to blame, or none is.
    """

    def __init__(self, file: str, line: int, key: str, message: str, column: int | None = None) -> None:
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}")
        self.file = file
        self.line = line
        self.key = key
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class _Key:
    convert: Callable[[Any], Any]
    required: bool = False


_NAME = {"name": _Key(values.text)}
_WHOM = {"sites": _Key(values.texts), "groups": _Key(values.texts)}
_WAY = {"networks": _Key(partial(values.choices, NetworkKind)), "legs": _Key(partial(values.choices, Leg))}
_WHEN = {
    "days": _Key(values.days),
    "from": _Key(values.start_minute),
    "to": _Key(values.end_minute),
    "first_date": _Key(values.calendar_day),
    "last_date": _Key(values.calendar_day),
}
_LIMITS = {
    "cap": _Key(values.rate),
    "percent_of_line": _Key(values.percent),
    "percent_of_spare": _Key(values.percent),
    "min_rate": _Key(values.rate),
    "sensitivity": _Key(partial(values.choice, Sensitivity)),
}
TOP_KEYS: Mapping[str, _Key] = {
    "name": _Key(values.text, required=True),
    "description": _Key(values.text),
    "time_zone": _Key(values.time_zone, required=True),
    "line": _Key(values.rate),
}
TABLE_KEYS: Mapping[str, Mapping[str, _Key]] = {
    "site": {
        "name": _Key(values.text, required=True),
        "groups": _Key(values.texts),
        "time_zone": _Key(values.time_zone),
        "line": _Key(values.rate),
    },
    "stop": {**_NAME, **_WHOM, **_WAY, "since": _Key(values.moment), "until": _Key(values.moment)},
    "blackout": {**_NAME, **_WHOM, **_WAY, **_WHEN},
    "window": {**_NAME, **_WHOM, **_WAY, **_WHEN, **_LIMITS},
    "limit": {**_NAME, **_WHOM, **_WAY, **_LIMITS},
    "business_hours": {**_NAME, **_WHOM, **_WHEN},
    "holiday": {**_NAME, **_WHOM, "date": _Key(values.holiday_date, required=True)},
    "deadline": {**_NAME, **_WHOM, "by": _Key(values.moment, required=True)},
    "boost": {
        **_NAME,
        **_WHOM,
        "since": _Key(values.moment),
        "until": _Key(values.moment, required=True),
        "rate": _Key(values.rate, required=True),
        "force": _Key(values.boolean),
    },
}


def parse_profile(text: str, *, source: str) -> Profile:
    """Return the profile that ``text`` is; ``source`` is its name in errors. Raises `ProfileError`, nothing else."""
    if len(text) > MAX_CHARACTERS:
        raise ProfileError(source, 1, "", f"the file has more than {MAX_CHARACTERS} characters. Split the profile.")
    try:
        document = TomlDocument.parse(text)
    except TomlTextError as error:
        raise ProfileError(source, error.line, "", f"{error}.", error.column) from error
    return _Reader(document, source).profile()


class _Reader:
    def __init__(self, document: TomlDocument, source: str) -> None:
        self._document = document
        self._raw = document.values
        self._source = source

    def profile(self) -> Profile:
        plain = self._plain_values()
        rows = {table: self._rows(table) for table in TABLE_KEYS}
        self._check_names(rows)
        if not rows["business_hours"]:
            for table in ("window", "limit"):
                for index, row in enumerate(rows[table]):
                    if "min_rate" in row:
                        message = (
                            "min_rate counts outside business hours only: say when these are, in [[business_hours]]"
                        )
                        raise self._error((table, index, "min_rate"), message)
        return Profile(
            **plain,
            sites=tuple(ProfileSite(**row) for row in rows["site"]),
            stops=self._build(rows, "stop", self._stop),
            blackouts=self._build(rows, "blackout", self._blackout),
            windows=self._build(rows, "window", self._window),
            limits=self._build(rows, "limit", self._limit),
            business_hours=self._build(rows, "business_hours", self._business_hours),
            holidays=self._build(rows, "holiday", self._holiday),
            deadlines=self._build(rows, "deadline", self._deadline),
            boosts=self._build(rows, "boost", self._boost),
        )

    # --- from raw tables to converted ones -------------------------------------------------

    def _plain_values(self) -> dict[str, Any]:
        for key, value in self._raw.items():
            if key not in TOP_KEYS and key not in TABLE_KEYS:
                raise self._unknown((key,), {**TOP_KEYS, **TABLE_KEYS})
            if key in TABLE_KEYS and not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
                raise self._error((key,), f"{key} is a table that may come several times: write [[{key}]]")
        present = {key: value for key, value in self._raw.items() if key in TOP_KEYS}
        return self._convert(present, TOP_KEYS, (), "the profile")

    def _rows(self, table: str) -> list[dict[str, Any]]:
        raw_rows = self._raw.get(table, [])
        if len(raw_rows) > MAX_RULES:
            raise self._error((table, MAX_RULES), f"more than {MAX_RULES} times [[{table}]]")
        rows = []
        for index, raw_row in enumerate(raw_rows):
            for key in raw_row:
                if key not in TABLE_KEYS[table]:
                    raise self._unknown((table, index, key), TABLE_KEYS[table], table)
            row = self._convert(raw_row, TABLE_KEYS[table], (table, index), f"[[{table}]]")
            rows.append({"name": f"{table} {index + 1}", **row})
        return rows

    def _convert(self, raw: dict[str, Any], keys: Mapping[str, _Key], path: KeyPath, where: str) -> dict[str, Any]:
        for key, rule in keys.items():
            if rule.required and key not in raw:
                raise self._error((*path, key), f"{where} needs the key {key!r}")
        converted = {}
        for key, value in raw.items():
            try:
                converted[key] = keys[key].convert(value)
            except values.UnfitValueError as error:
                raise self._error((*path, key), f"{key}: {error}") from error
        return converted

    def _check_names(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        sites = [row["name"] for row in rows["site"]]
        groups = {group for row in rows["site"] for group in row.get("groups", ())}
        for index, site in enumerate(sites):
            if site in sites[:index]:
                raise self._error(("site", index, "name"), f"a second [[site]] is named {site!r}")
        for table in TABLE_KEYS.keys() - {"site"}:
            for index, row in enumerate(rows[table]):
                for key, known in (("sites", sites), ("groups", groups)):
                    for place, name in enumerate(row.get(key, ())):
                        if name not in known:
                            hint = (
                                f"the nearest is {values.nearest(name, known)!r}" if known else "there is none at all"
                            )
                            wrong = f"no [[site]] is in group {name!r}"
                            if key == "sites":
                                wrong = f"no [[site]] is named {name!r}"
                            raise self._error((table, index, key, place), f"{key}: {wrong}; {hint}")

    # --- from converted tables to the model ------------------------------------------------

    def _build(self, rows: dict[str, list[dict[str, Any]]], table: str, build: Callable[..., Any]) -> tuple[Any, ...]:
        return tuple(build(row, (table, index)) for index, row in enumerate(rows[table]))

    def _stop(self, row: dict[str, Any], path: KeyPath) -> Stop:
        self._check_order(row, path)
        return Stop(row["name"], _scope(row, tuple(Leg)), row.get("since"), row.get("until"))

    def _blackout(self, row: dict[str, Any], path: KeyPath) -> Blackout:
        return Blackout(row["name"], _scope(row, tuple(Leg)), self._when(row, path))

    def _window(self, row: dict[str, Any], path: KeyPath) -> Window:
        when = self._when(row, path)
        if when == ALWAYS:
            raise self._error(path, "this [[window]] is always open: say when (days, from, to), or write a [[limit]]")
        return Window(row["name"], self._limits(row, path), when, _scope(row))

    def _limit(self, row: dict[str, Any], path: KeyPath) -> Limit:
        return Limit(row["name"], self._limits(row, path), _scope(row))

    def _business_hours(self, row: dict[str, Any], path: KeyPath) -> BusinessHours:
        return BusinessHours(row["name"], self._when(row, path), _scope(row))

    def _holiday(self, row: dict[str, Any], path: KeyPath) -> Holiday:
        del path
        return Holiday(row["name"], row["date"], _scope(row))

    def _deadline(self, row: dict[str, Any], path: KeyPath) -> Deadline:
        del path
        return Deadline(row["name"], row["by"], _scope(row))

    def _boost(self, row: dict[str, Any], path: KeyPath) -> Boost:
        self._check_order(row, path)
        return Boost(row["name"], row["until"], row["rate"], row.get("since"), row.get("force", False), _scope(row))

    def _when(self, row: dict[str, Any], path: KeyPath) -> CivilTime:
        start, end = row.get("from", 0), row.get("to", ALWAYS.end_minute)
        if start == end:
            raise self._error((*path, "to"), "from and to are the same; for whole days leave both out")
        first, last = row.get("first_date"), row.get("last_date")
        if first and last and last < first:
            raise self._error((*path, "last_date"), f"last_date {last} is before first_date {first}")
        return CivilTime(row.get("days", ALWAYS.days), start, end, first, last)

    def _limits(self, row: dict[str, Any], path: KeyPath) -> Limits:
        given = {key: row[key] for key in _LIMITS if key in row}
        if not given:
            raise self._error(path, f"it limits nothing: give one of {', '.join(_LIMITS)}, or write a [[blackout]]")
        legs = row.get("legs", (Leg.LINE,))
        for key in given.keys() - {"cap"}:
            if legs != (Leg.LINE,):
                raise self._error((*path, key), f'{key} is for the line; with legs = ["lan-…"] give a cap')
        return Limits(**given)

    def _check_order(self, row: dict[str, Any], path: KeyPath) -> None:
        since, until = row.get("since"), row.get("until")
        if since and until and (since.tzinfo is None) == (until.tzinfo is None) and until <= since:
            raise self._error((*path, "until"), f"until {until} is not after since {since}")

    # --- errors ------------------------------------------------------------------------------

    def _error(self, path: KeyPath, message: str) -> ProfileError:
        """Return an error at ``path``, or at the nearest enclosing table or array that is in the text."""
        keys = [part for part in path if isinstance(part, str)]
        place = self._document.place_of(path)
        line, column = (1, None) if place is None else place
        return ProfileError(self._source, line, keys[-1] if keys else "", f"{message}.", column)

    def _unknown(self, path: KeyPath, known: Mapping[str, Any], table: str = "") -> ProfileError:
        key, name, valid = str(path[-1]), values.nearest(str(path[-1]), known), ", ".join(known)
        message = f"unknown key {key!r} at the top of a profile; the nearest valid key is {name!r}. Valid are {valid}"
        if table:
            message = f"unknown key {key!r} in [[{table}]]; the nearest valid key is {name!r}. Valid are {valid}"
        return self._error(path, message)


def _scope(row: dict[str, Any], legs: tuple[Leg, ...] = (Leg.LINE,)) -> Scope:
    return Scope(row.get("sites", ()), row.get("groups", ()), row.get("networks", ()), row.get("legs", legs))
