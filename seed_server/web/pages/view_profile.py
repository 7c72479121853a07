"""What the profile editor shows of a text: checked as 'profile set' checks it, drawn, and held to what is in force."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Annotated

from msgspec import Meta

from bandwidth.core.quantities import QuantityError, parse_rate
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.lasting import lasting_stops
from bandwidth.profiles.model import Profile
from bandwidth.profiles.shipped import NAMES, shipped_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.manifest.site_profile import SiteProfile, profile_target
from seed_server.automation.apply_changes import Change
from seed_server.automation.apply_plan import make_plan
from seed_server.automation.declared import Declared
from seed_server.automation.declared_present import Present
from seed_server.fleet.context import Context
from seed_server.fleet.names import check_site_known
from seed_server.fleet.profile_queries import SiteThrottle, Throttles, read_throttles
from seed_server.fleet.queries import WaitingBundle, read_prepared
from seed_server.signing.profiles import checked_site, profile_in_text
from seed_server.web.api.given import Body
from seed_server.web.pages.profile_look import (
    MAX_PROFILE_CHARS,
    DifferenceLine,
    LimitAt,
    TextFault,
    differing_lines,
    fault_in,
    limit_at,
    typed_moment,
    week_about,
    zone_of,
)
from seed_server.web.pages.profile_words import week_picture, week_rows
from seed_server.web.pages.simulated_run import ShownRun
from seed_server.web.pages.simulating import ScenarioName

MAX_TYPED_MOMENT_CHARS = 40
MAX_TYPED_RATE_CHARS = 40
WIDTH_BESIDE_TEXT = 500  # of the picture, in pixels: it stands beside the text
BEGINNING = """name = "{site}"
time_zone = "{zone}"

# [[limit]]
# percent_of_line = 50

# [[window]]
# name = "office hours"
# days = ["mon-fri"]
# from = "08:00"
# to = "18:00"
# percent_of_line = 20
"""
"""What a site without a profile begins with; docs/throttle-profiles.md says what may stand there."""


class TypedProfile(Body, frozen=True):
    """What is typed in the editor."""

    text: Annotated[str, Meta(max_length=MAX_PROFILE_CHARS)]
    at: Annotated[str, Meta(max_length=MAX_TYPED_MOMENT_CHARS)] = ""
    """The moment that is asked about, by the site's clock; empty: now."""
    line: Annotated[str, Meta(max_length=MAX_TYPED_RATE_CHARS)] = ""
    """The line's rate, where it is known better."""
    scenario: ScenarioName = "office"
    seconds: Annotated[int, Meta(ge=20, le=120)] = 60
    """Of the simulation."""
    file_gb: Annotated[float, Meta(ge=0.001, le=1_000.0)] = 4.0


@dataclass(frozen=True)
class LookedAt:
    """What is said of a text."""

    fault: TextFault | None = None
    rules: Profile | None = None
    """None: the text is faulty."""
    warnings: Sequence[str] = ()
    """In the reader's language."""
    picture: str = ""
    figures: Sequence[Sequence[str]] = ()
    now: LimitAt | None = None
    at: LimitAt | None = None
    """At the moment that is asked about; None: it is now, or it cannot be read."""
    at_wrong: str = ""
    line_wrong: str = ""
    change: Change | None = None
    """What 'apply --plan' would say; None: nothing differs."""
    lines: tuple[DifferenceLine, ...] | None = ()
    """How the text differs from what is in force; None: both are too long to be compared here."""


@dataclass(frozen=True)
class Editor:
    """All that the page shows."""

    site: str
    throttle: SiteThrottle
    typed: TypedProfile
    looked: LookedAt
    commands: Sequence[str]
    waiting: Sequence[WaitingBundle] = ()
    """Bundles with a profile for this site that wait for signatures."""
    simulated: ShownRun | None = None
    simulation_wrong: str = ""
    shipped: Sequence[str] = field(default_factory=lambda: NAMES)
    scenarios: Sequence[tuple[str, str]] = ()


def editor(context: Context, name: str, now: float, typed: TypedProfile | None, start: str = "") -> Editor:
    """Return the editor of a site's profile; ``typed`` None: with the text in force, or with a beginning.

    ``start``: with a shipped profile instead. Raises `UserError`; BAD_INPUT for what is no name of a site.
    """
    site, throttles = checked_site(name), read_throttles(context)
    throttle = throttles.of(site)
    given = typed or TypedProfile(text=_beginning(throttle, start))
    return Editor(
        site,
        throttle,
        given,
        look_at(context, throttles, throttle, given, now),
        commands(site),
        _waiting(context, site),
        scenarios=scenario_words(),
    )


def scenario_words() -> list[tuple[str, str]]:
    """Return who uses the simulated line besides, for people."""
    return [
        ("office", tr("office: a call, two who read web pages, a video")),
        ("idle", tr("idle: nobody else")),
        ("download", tr("download: one download")),
        ("calls", tr("calls: one telephone call")),
        ("web", tr("web: one person who reads web pages")),
        ("on-off", tr("on-off: downloads that come and go")),
        ("busy", tr("busy: a call, web pages, downloads that come and go")),
        ("slow-line", tr("slow-line: web pages on 2 Mbit/s and 100 ms")),
    ]


def commands(site: str) -> list[str]:
    """Return the commands for the downloaded file: where the key is, and to have it signed elsewhere."""
    file, named = shlex.quote(file_name(site)), shlex.quote(site)
    command = f"seed-server profile set {named} {file}"
    return [command, f"{command} --prepare profile.bundle"]


def signing_commands(bundle_id: str) -> list[str]:
    """Return the commands that sign a bundle where the key is, and hand it in on the server."""
    return [f"seed-server sign {bundle_id}.bundle --keys DIR", f"seed-server finish {bundle_id}.bundle"]


def file_name(site: str) -> str:
    """Return the name of the file that a browser keeps."""
    kept = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in site)
    return f"{kept}.toml"


def _beginning(throttle: SiteThrottle, start: str) -> str:
    if start in NAMES:
        return shipped_text(start)
    if throttle.profile is not None:
        return throttle.profile.document.text
    return BEGINNING.format(site="own", zone="UTC")


def _waiting(context: Context, site: str) -> list[WaitingBundle]:
    target = profile_target(checked_site(site))
    return [one for one in read_prepared(context) if target in one.bundle.documents]


# --- a look at the text ------------------------------------------------------------------


def checked(context: Context, site: str, text: str) -> SiteProfile:
    """Return a text as the profile of a site, as 'seed-server profile set' takes it. Raises `UserError`."""
    check_site_known(context, site)
    return profile_in_text(text, site, source=file_name(site))


def look_at(
    context: Context, throttles: Throttles, throttle: SiteThrottle, typed: TypedProfile, now: float
) -> LookedAt:  # fmt: skip
    """Return what is said of a text. Nothing that is wrong with it is an error."""
    site = throttle.site
    try:
        document = checked(context, site, typed.text)
    except UserError as error:
        return LookedAt(fault_in(typed.text, error))
    rules = document.profile()
    line, line_wrong = _line(typed.line, throttle.line)
    present = datetime.fromtimestamp(now, UTC)
    looked = LookedAt(rules=rules, now=limit_at(rules, site, (present,), line), line_wrong=line_wrong)
    asked: tuple[datetime, ...] = (present,)
    if typed.at.strip():
        try:
            asked = typed_moment(typed.at, zone_of(rules, site))
            looked = replace(looked, at=limit_at(rules, site, asked, line))
        except UserError as error:
            looked, asked = replace(looked, at_wrong=in_words(error.message)), (present,)
    try:
        week = week_about(rules, site, line, asked[0], now)
    except UserError as error:
        looked = replace(looked, warnings=(in_words(error.message),))
    else:
        title = f"{rules.name}: {site}"
        looked = replace(
            looked,
            picture=week_picture(week, title, width=WIDTH_BESIDE_TEXT),
            figures=tuple(week_rows(week)),
            warnings=tuple(_warnings(rules, site, present.date())),
        )
    return _compared(context, throttles, throttle, document, looked)


def _line(typed: str, known: BytesPerSecond | None) -> tuple[BytesPerSecond | None, str]:
    if not typed.strip():
        return known, ""
    try:
        return parse_rate(typed.strip()), ""
    except QuantityError as error:
        return known, in_words(f"{error}.")


def _warnings(rules: Profile, site: str, today: date) -> list[str]:
    own = replace(rules, sites=tuple(one for one in rules.sites if one.name == site))
    return [tr("Nothing is ever sent to {site}: {rule} has no end.", site=site, rule=rule)
            for _, rule in lasting_stops(own, today)]  # fmt: skip


def _compared(
    context: Context, throttles: Throttles, throttle: SiteThrottle, document: SiteProfile, looked: LookedAt
) -> LookedAt:  # fmt: skip
    """Return a look with what differs from the profile in force, by the functions of 'apply --plan'."""
    site, before = throttle.site, throttle.profile
    present = Present(
        context.settings(),
        profiles={} if before is None else {site: before.document},
        seen_sites=frozenset(throttles.known),
    )
    plan = make_plan(Declared(profiles={site: document}), present)
    lines = differing_lines("" if before is None else before.document.text, document.text)
    return replace(looked, change=plan.changes[0] if plan.changes else None, lines=lines)


def wished_line(typed: TypedProfile, known: BytesPerSecond | None) -> BytesPerSecond | None:
    """Return the rate of the line for a simulation. Raises `UserError` (BAD_INPUT) for what is no rate."""
    line, wrong = _line(typed.line, known)
    if wrong:
        raise UserError(wrong, FaultKind.BAD_INPUT)
    return line
