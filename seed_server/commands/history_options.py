"""What `report history` and `archive search` are asked with."""

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import click
from msgspec import Struct

from p2pdist.shared.console import json_option
from seed_server.commands.completing import endpoint_names, patch_names, site_names
from seed_server.commands.paging import paging_options, text_of
from seed_server.signing.offers import parse_named
from seed_server.store.event_rows import Asked
from seed_server.store.tables import REPORTED_SINCE

_TIME = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d))?)?Z?", re.ASCII)


class TimeSpan(NamedTuple):
    """A month, a day or a minute, UTC."""

    text: str
    begin: int
    """Its first second, since 1970."""
    end: int
    """The first one after it."""


class UtcTime(click.ParamType[TimeSpan]):
    """A `TimeSpan`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TimeSpan:
        """Return it; `click.BadParameter` for anything else."""
        if isinstance(value, TimeSpan):
            return value
        found = _TIME.fullmatch(str(value))
        try:
            if found is None:
                raise ValueError
            year, month, day, hour, minute = (None if text is None else int(text) for text in found.groups())
            assert year is not None
            assert month is not None
            begin = datetime(year, month, day or 1, hour or 0, minute or 0, tzinfo=UTC)
            lasts = timedelta(minutes=1) if hour is not None else timedelta(days=1)
            if day is None:
                lasts = timedelta(days=calendar.monthrange(year, month)[1])
            return TimeSpan(str(value), int(begin.timestamp()), int((begin + lasts).timestamp()))
        except (ValueError, OverflowError):
            self.fail(
                f"{str(value)[:40]!r} is no time: write 2026-11, 2026-11-30 or 2026-11-30T14:05 (UTC).", param, ctx
            )


_OPTIONS = (
    click.option(
        "--patch", default="", metavar="PATCH", help="Only this patch: office, or office@1.", shell_complete=patch_names
    ),
    click.option(
        "--endpoint",
        default="",
        metavar="PC",
        help="Only this PC: its host name, its id, or the beginning of that.",
        shell_complete=endpoint_names,
    ),
    click.option(
        "--site", default="", metavar="NAME", help="Only PCs that were at this site then.", shell_complete=site_names
    ),
    click.option("--since", type=UtcTime(), metavar="TIME", help="From then on (UTC): 2026-11, or 2026-11-30T14:05."),
    click.option("--until", type=UtcTime(), metavar="TIME", help="Up to then, with that minute, day or month."),
    paging_options("Events"),
    click.option("--csv", "as_csv", is_flag=True, help="Print all as CSV."),
    click.option("--json-lines", "as_lines", is_flag=True, help="Print all, one JSON document a line."),
    json_option,
)


def history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of both."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class HistoryOptions(Struct, frozen=True):
    """What was given for them."""

    patch: str
    endpoint: str
    site: str
    since: TimeSpan | None
    until: TimeSpan | None
    size: int
    after: str
    as_csv: bool
    as_lines: bool
    as_json: bool

    def asked(self) -> Asked:
        """Return what they ask for. Raises `UserError` (BAD_INPUT), `click.UsageError`."""
        if self.as_csv + self.as_lines + self.as_json > 1:
            raise click.UsageError("--csv, --json and --json-lines are three: give one of them.")
        named = parse_named(text_of(self.patch)) if self.patch else None
        begin = None if self.since is None else self.since.begin - REPORTED_SINCE
        end = None if self.until is None else self.until.end - REPORTED_SINCE
        if begin is not None and end is not None and begin >= end:
            raise click.UsageError("--until is before --since.")
        return Asked(
            endpoint=text_of(self.endpoint),
            patch_id=named.patch_id if named else "",
            version=named.version if named else "",
            site=text_of(self.site),
            since=begin,
            until=end,
        )

    def words(self) -> list[str]:
        """Return the options that ask for the same."""
        given = (
            ("--patch", self.patch),
            ("--endpoint", self.endpoint),
            ("--site", self.site),
            ("--since", self.since.text if self.since else ""),
            ("--until", self.until.text if self.until else ""),
        )
        return [word for option, value in given if value for word in (option, value)]
