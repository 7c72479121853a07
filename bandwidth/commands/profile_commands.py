"""`bandwidth check`, `explain` and `plot`: what a throttle profile means, in words and pictures."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from bandwidth.commands import profile_views
from bandwidth.commands.completing import profile_files
from bandwidth.commands.console import ExitCode, InputError, print_json, progress, terminal
from bandwidth.commands.json_answers import GoodProfile, WrongProfile
from bandwidth.commands.picture_file import picture_option, write_picture
from bandwidth.core.civil_time import instants_of, is_skipped
from bandwidth.core.quantities import rate_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.week import week_svg
from bandwidth.profiles.lasting import lasting_stops
from bandwidth.profiles.model import LanClass, NetworkKind, Profile
from bandwidth.profiles.parse import ProfileError, parse_profile
from bandwidth.profiles.resolve import Backlog, EffectiveLimit, effective_limit
from bandwidth.profiles.shipped import NAMES, shipped_text
from bandwidth.profiles.text_encoding import TextEncodingError, decode_text
from bandwidth.profiles.values import UnfitValueError, calendar_day, moment, nearest, rate
from bandwidth.profiles.week import ASSUMED_LINE, DAYS_PER_WEEK, strictness, week_of


class _Value(click.ParamType[Any]):
    """A value in the form that it has in a profile."""

    def __init__(self, name: str, convert: Callable[[Any], Any]) -> None:
        self.name = name
        self._convert = convert

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value, or end with the usage exit code."""
        try:
            return self._convert(value)
        except UnfitValueError as error:
            self.fail(str(error), param, ctx)


MAX_FILE_BYTES = 4 << 20  # as many characters as `parse_profile` takes, with room for UTF-8
RATE, MOMENT, DATE = _Value("rate", rate), _Value("time", moment), _Value("date", calendar_day)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for tools.")
site_option = click.option("--site", metavar="NAME", help="The site; without it, one that the profile does not name.")
line_option = click.option("--line", type=RATE, help="The line's rate if it is known better: '20 Mbit/s'.")
spare_option = click.option("--spare", type=RATE, help="What business leaves of the line, for percent_of_spare.")


@click.command(short_help="Say whether throttle profiles are right, and what is wrong.")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, shell_complete=profile_files)
@json_option
def check(files: tuple[str, ...], as_json: bool) -> None:
    """Check throttle profiles; each FILE is a path, or the name of a shipped profile.

    An error names the file, the line, the key, and the nearest valid key.

    \b
    Examples:
      bandwidth check branches.toml
      bandwidth check profiles/*.toml --json
      bandwidth check office-hours gentle overnight

    Exit codes: 0 all are good, 2 wrong usage, 7 at least one is not.
    """
    results: list[GoodProfile | WrongProfile] = []
    told: list[str] = []
    for file in files:
        try:
            profile = load(file)
        except ProfileError as error:
            results.append(WrongProfile(file, False, error.line or None, error.key, error.message, error.column))
            told.append(str(error))
        else:
            warnings = [
                f"nothing is ever sent to {site}: {rule} has no end"
                for site, rule in lasting_stops(profile, datetime.now(UTC).date())
            ]
            results.append(GoodProfile(file, True, profile.name, len(profile.sites), warnings))
    if as_json:
        print_json(results)
    else:
        for result in results:
            if isinstance(result, GoodProfile):
                named = f"{result.sites} named site{'' if result.sites == 1 else 's'}"
                sites = named if result.sites else "for every site"
                click.echo(f"{result.file}: good: profile {result.name!r}, {sites}")
                for warning in result.warnings:
                    click.echo(f"{result.file}: warning: {warning}")
        for message in told:
            click.echo(f"error: {message}", err=True)
    if not all(result.ok for result in results):
        raise click.exceptions.Exit(ExitCode.BAD_INPUT)


@click.command()
@click.argument("file", metavar="FILE", shell_complete=profile_files)
@click.option("--at", type=MOMENT, help="When, such as 2026-12-24T18:00; without an offset, by the site's clock. [now]")
@site_option
@line_option
@spare_option
@click.option(
    "--network", type=click.Choice([kind.value for kind in NetworkKind]), default="ordinary", show_default=True
)
@click.option(
    "--lan-class",
    type=click.Choice([kind.value for kind in LanClass]),
    help="Ask about traffic to neighbours over this link.",
)
@click.option("--remaining-bytes", type=click.IntRange(min=0), help="What is still missing, for deadlines.")
@click.option("--deadline", type=MOMENT, help="The patch's own deadline, with --remaining-bytes.")
@json_option
def explain(file: str, at: datetime | None, site: str | None, as_json: bool, **facts: Any) -> None:
    """Say what limit holds for a site at a time, and which rule won.

    \b
    Examples:
      bandwidth explain branches.toml --at 2026-12-24T18:00 --site leeds
      bandwidth explain office-hours --at 2026-06-01T10:00Z --line '20 Mbit/s'
      bandwidth explain overnight --at 2026-06-01T02:00 \\
          --remaining-bytes 4000000000 --deadline 2026-06-01T08:00

    Exit codes: 0 done, 2 wrong usage, 7 bad file, site or time.
    """
    profile, place = open_profile(file, site)
    zone = ZoneInfo(profile.site(place).time_zone or profile.time_zone)
    instants = readings(at or datetime.now(UTC).replace(microsecond=0), zone)
    backlog = _backlog(facts["remaining_bytes"], facts["deadline"], zone)
    found: list[tuple[EffectiveLimit, datetime]] = [
        (
            effective_limit(
                profile,
                place,
                reading,
                line=facts["line"],
                spare=facts["spare"],
                network=NetworkKind(facts["network"]),
                lan_class=facts["lan_class"] and LanClass(facts["lan_class"]),
                backlog=backlog,
            ),
            reading,
        )
        for reading in instants
    ]
    limit, reading = min(found, key=lambda pair: strictness(pair[0]))
    told = reading.astimezone(zone)
    if as_json:
        print_json(profile_views.explanation(profile, place, told, limit, ambiguous=len(found) > 1))
    else:
        profile_views.print_limit(terminal(), profile, place, told, limit, ambiguous=len(found) > 1)


@click.command(short_help="Show a week of a site's limits as a picture.")
@click.argument("file", metavar="FILE", shell_complete=profile_files)
@site_option
@line_option
@spare_option
@click.option("--week", "day", type=DATE, help="A day of the week to show, such as 2026-10-25. [this week]")
@picture_option
@json_option
def plot(file: str, day: date | None, output: Path | None, as_json: bool, **facts: Any) -> None:
    """Show a week of a site's limits, in the terminal and as a picture.

    \b
    Examples:
      bandwidth plot branches.toml --site leeds
      bandwidth plot branches.toml --site leeds --week 2026-10-25 -o week.svg
      bandwidth plot branches.toml --site leeds -o week.png
      bandwidth plot office-hours --line '20 Mbit/s'

    Exit codes: 0 done, 1 the picture cannot be written, 2 wrong usage, 7 bad file or site.
    """
    profile, site = open_profile(file, facts["site"])
    place = profile.site(site)
    zone = ZoneInfo(place.time_zone or profile.time_zone)
    shown = day or datetime.now(zone).date()
    line = min((known for known in (facts["line"], place.line) if known is not None), default=None)
    assumed = line is None
    line = ASSUMED_LINE if line is None else line
    monday = shown - timedelta(days=shown.weekday())
    with progress(DAYS_PER_WEEK) as step:
        week = week_of(profile, site, monday, line=line, spare=facts["spare"], on_day=partial(step, "the week"))
    title = f"{profile.name}: {place.name}"
    subtitle = _subtitle(zone.key, line, assumed, facts["spare"])
    if output is not None:
        write_picture(output, week_svg(week, title, subtitle))
    if as_json:
        print_json(profile_views.plotted_week(profile, place.name, week))
    else:
        profile_views.print_week(terminal(), week, title, subtitle)
        if output is not None:
            click.echo(f"written: {output}")


def load(file: str) -> Profile:
    """Return the profile in ``file``, or the shipped one of that name. Raises `ProfileError`."""
    if file in NAMES and not Path(file).exists():
        return parse_profile(shipped_text(file), source=file)
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ProfileError(file, 0, "", f"it is over {MAX_FILE_BYTES} bytes. Split the profile.")
        text = decode_text(data)
    except TextEncodingError as error:
        raise ProfileError(file, error.line or 0, "", str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        hint = f"Shipped profiles are {', '.join(NAMES)}."
        raise ProfileError(file, 0, "", f"cannot be read ({reason}). {hint}") from error
    return parse_profile(text, source=file)


def open_profile(file: str, site: str | None) -> tuple[Profile, str | None]:
    """Return the profile of a command's arguments, and the site. Raises `InputError` for either that is wrong."""
    try:
        profile = load(file)
    except ProfileError as error:
        raise InputError(str(error)) from error
    names = [known.name for known in profile.sites]
    if site == "":
        raise InputError("--site is empty. Name a site, or leave it out for one that the profile does not name.")
    if site is not None and names and site not in names:
        hint = f"the nearest is {nearest(site, names)!r}. Leave --site out for a site that has no [[site]]"
        message = f"{file} has no site {site!r}; {hint}."
        raise InputError(message)
    return profile, site


def readings(at: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the instants that ``at`` can mean at the site: two in an hour that comes twice."""
    if at.tzinfo is not None:
        return [at]
    if is_skipped(at, zone):
        message = f"{at:%Y-%m-%d %H:%M} does not exist in {zone.key}: the clocks are put forward. Choose another time."
        raise InputError(message)
    return sorted(set(instants_of(at, zone)))


def _backlog(remaining_bytes: int | None, deadline: datetime | None, zone: ZoneInfo) -> Backlog | None:
    if remaining_bytes is None:
        if deadline is not None:
            raise click.UsageError("--deadline needs --remaining-bytes: how much must arrive by then?")
        return None
    if deadline is not None and deadline.tzinfo is None:
        deadline = instants_of(deadline, zone)[1]
    return Backlog(remaining_bytes, deadline)


def _subtitle(zone: str, line: BytesPerSecond, assumed: bool, spare: BytesPerSecond | None) -> str:
    parts = [zone, f"line {rate_text(line)}{' (assumed: give --line)' if assumed else ''}"]
    if spare is not None:
        parts.append(f"spare {rate_text(spare)}")
    return f"{', '.join(parts)}. The most that patches may take; they take less while business needs the line."
