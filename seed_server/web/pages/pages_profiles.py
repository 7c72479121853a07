"""The pages *profiles* and *profile*: what each site may be sent, and the editor of its throttle profile.

Nothing is signed here: no key and no passphrase comes over the network. The page checks a text as the command line
does, and prepares a bundle for whoever has the key.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from msgspec import Meta

from bandwidth.core.quantities import rate_text
from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, tr
from seed_server.fleet.preparing import prepare_profiles
from seed_server.fleet.profile_queries import SiteThrottle, read_throttles
from seed_server.signing.bundle import encode_bundle
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.web.api.given import Given, MaybeName, Name, WithId
from seed_server.web.api.paging import Limit, Paged, page_of
from seed_server.web.frame.page import BINARY_MEDIA, LIST_ROWS, Answer, Asked, Done, FileAnswer, Form, Page, Sent, Shown
from seed_server.web.pages.profile_look import MAX_PROFILE_CHARS, typed_moment, zone_of
from seed_server.web.pages.profile_words import floor_words, limit_words, rate_words, rule_words, site_clock
from seed_server.web.pages.simulated_run import run_picture
from seed_server.web.pages.simulating import Simulations, SimulationWish
from seed_server.web.pages.view_profile import (
    Editor,
    TypedProfile,
    checked,
    editor,
    file_name,
    signing_commands,
    wished_line,
)

MOST_SECONDS_SHOWN = 24  # rows beside the picture of a run: as the command's table
MAX_PROFILE_FORM_BYTES = 9 * MAX_PROFILE_CHARS + (16 << 10)  # a sign of Japanese is sent as nine
TOML_MEDIA = "application/toml"
SIMULATIONS = Simulations()
"""Those of this process."""

Having = Literal["", "profile", "none", "stopped"]


class OfProfiles(Paged, frozen=True):
    """Which sites."""

    limit: Limit = LIST_ROWS
    site: Annotated[MaybeName, Meta(description="Whose name has this in it.")] = ""
    profile: Annotated[MaybeName, Meta(description="Whose profile's name has this in it.")] = ""
    having: Having = ""


class OfProfile(Given, frozen=True):
    """Which profile, and with which text the editor begins."""

    name: Name
    start: MaybeName = ""
    """A shipped profile; empty: the one in force."""


class OnlySite(Given, frozen=True):
    """Whose profile."""

    name: Name


def address_of(site: str, *more: str) -> str:
    """Return the address of a site's editor, or of one of its forms."""
    return "/".join(["/profiles", *(quote(part, safe="@:") for part in (site, *more))])


def _profiles(asked: Asked[OfProfiles]) -> Shown:
    given, throttles = asked.given, read_throttles(asked.context)

    def wanted(site: str) -> bool:
        profile = throttles.profiles.get(site)
        name = "" if profile is None else profile.rules.name
        return given.site.casefold() in site.casefold() and given.profile.casefold() in name.casefold()

    sites = [site for site in throttles.sites if wanted(site)]
    if given.having in {"profile", "none"}:
        sites = [site for site in sites if (site in throttles.profiles) is (given.having == "profile")]
    elif given.having == "stopped":  # of sites with a profile: each is asked once
        sites = [site for site in sites if site in throttles.profiles and _is_stopped(throttles.of(site))]
    page = page_of(sites, given, lambda site: site, throttles.of)
    values = {
        "given": given,
        "throttles": page.rows,
        "next": page.next,
        "found": len(sites),
        "total": len(throttles.sites),
        "with_profile": len(throttles.profiles),
        **_HELPERS,
    }
    return Shown(tr("Throttle profiles"), values)


def _is_stopped(throttle: SiteThrottle) -> bool:
    return throttle.limit is not None and throttle.limit.rate == 0


def _profile(asked: Asked[OfProfile]) -> Shown:
    return _shown(editor(asked.context, asked.given.name, asked.now, None, asked.given.start))


def _shown(one: Editor) -> Shown:
    values = {"editor": one, "looked": one.looked, "typed": one.typed, **_HELPERS}
    if one.simulated is not None:
        run = one.simulated
        values |= {
            "run_picture": run_picture(run, tr("The run, second by second"), dict(one.scenarios)[one.typed.scenario]),
            "simulated_business": [(in_words(row.figure), row.alone, row.together, row.change) for row in run.business],
            "simulated_reasons": [(tr(reason), f"{seconds:.1f}") for reason, seconds in run.reason_seconds.items()],
            "simulated_seconds": [
                (
                    row.second,
                    rate_text(row.patches),
                    rate_text(row.business),
                    "–" if row.allowed is None else rate_text(row.allowed),
                    tr(row.reason or "–"),
                )
                for row in run.seconds[:: rows_every(len(run.seconds))]
            ],
        }
    return Shown(tr("Profile of {site}", site=one.site), values, template="profile")


def _bundle(asked: Asked[WithId]) -> FileAnswer:
    bundle = PreparedBundles(asked.context.home).get(asked.given.id)
    return FileAnswer(f"{asked.given.id}.bundle", BINARY_MEDIA, encode_bundle(bundle))


# --- forms -------------------------------------------------------------------------------


def _look(sent: Sent[OnlySite, TypedProfile]) -> Shown:
    return _shown(editor(sent.context, sent.given.name, sent.now, sent.body))


def _simulate(sent: Sent[OnlySite, TypedProfile]) -> Shown:
    one = editor(sent.context, sent.given.name, sent.now, sent.body)
    if one.looked.rules is None:
        return _shown(one)
    try:
        wish = _wish(one, sent.now)
        one = replace(one, simulated=SIMULATIONS.run(sent.actor.name, wish, sent.visitor.gone))
    except UserError as error:
        one = replace(one, simulation_wrong=in_words(error.message))
    return _shown(one)


def _wish(one: Editor, now: float) -> SimulationWish:
    """Return what is to be simulated. Raises `UserError` (BAD_INPUT)."""
    rules, typed = one.looked.rules, one.typed
    assert rules is not None
    zone = zone_of(rules, one.site)
    at: Sequence[datetime] = (datetime.fromtimestamp(int(now), UTC),)
    if typed.at.strip():
        at = typed_moment(typed.at, zone)
    line = wished_line(typed, one.throttle.line)
    return SimulationWish(
        text=typed.text,
        site=one.site,
        named=bool(rules.sites),
        scenario=typed.scenario,
        at=at[0].astimezone(zone).isoformat(),
        seconds=typed.seconds,
        file_gb=typed.file_gb,
        line=line,
    )


def _file(sent: Sent[OnlySite, TypedProfile]) -> Answer:
    try:
        document = checked(sent.context, sent.given.name, sent.body.text)
    except UserError:  # the editor says what is wrong, and where
        return _look(sent)
    return FileAnswer(file_name(document.site), TOML_MEDIA, document.text.encode())


def _prepare(sent: Sent[OnlySite, TypedProfile]) -> Answer:
    try:
        document = checked(sent.context, sent.given.name, sent.body.text)
    except UserError:
        return _look(sent)
    with tempfile.TemporaryDirectory(prefix="seed-server-") as folder:
        # the home keeps the bundle; the copy goes
        bundle = prepare_profiles(sent.context, sent.actor, {document.site: document}, Path(folder) / "copy.bundle")
    said = tr("Prepared as {bundle}. Nothing is announced before it is signed.", bundle=bundle.bundle_id)
    return Done(address_of(document.site), said)


def rows_every(seconds: int) -> int:
    """Return every how many seconds a run has a row of the table."""
    return max(1, -(-seconds // MOST_SECONDS_SHOWN))


_HELPERS = {
    "floor_words": floor_words,
    "limit_words": limit_words,
    "rate_words": rate_words,
    "rule_words": rule_words,
    "address_of": address_of,
    "signing_commands": signing_commands,
    "site_clock": site_clock,
}
"""What templates call."""

PROFILES_PAGES: tuple[Page[OfProfiles] | Page[OfProfile] | Page[WithId], ...] = (
    Page("/profiles", "profiles", _profiles, OfProfiles, live=("profile", "signing.finished")),
    Page("/profiles/{name}", "profile", _profile, OfProfile),
    Page("/profiles/bundles/{id}", "profile bundle", _bundle, WithId),
)
"""The pages about profiles."""

PROFILES_FORMS = (
    Form(
        "/profiles/{name}/look", "profile-look", _look, OnlySite, TypedProfile, operation="", of_page="profile",
        most_bytes=MAX_PROFILE_FORM_BYTES,
    ),
    Form(
        "/profiles/{name}/simulate", "profile-simulate", _simulate, OnlySite, TypedProfile, operation="",
        of_page="profile", most_bytes=MAX_PROFILE_FORM_BYTES,
    ),
    Form(
        "/profiles/{name}/file", "profile-file", _file, OnlySite, TypedProfile, operation="", of_page="profile",
        most_bytes=MAX_PROFILE_FORM_BYTES,
    ),
    Form(
        "/profiles/{name}/prepare", "profile-prepare", _prepare, OnlySite, TypedProfile,
        operation="seed_server.fleet.preparing.prepare_profiles", of_page="profile",
        most_bytes=MAX_PROFILE_FORM_BYTES,
    ),
)  # fmt: skip
"""Their forms: all of them send the editor's one form, by the button that was pressed."""
