"""``server.toml``: what may stand in it, read, checked and written."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from bandwidth.core.units import LARGEST_LINE_MBIT
from p2pdist.shared import durable_files
from p2pdist.shared.capped_files import read_home_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import is_ip_address
from p2pdist.shared.toml_config import parse_toml
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.enrolment import MAX_HOST_CHARS, MAX_SERVER_NAME_CHARS
from p2pdist.shared.wire.fields import Port
from seed_server.settings.addresses import check_reachable, networks_of
from seed_server.settings.home import ServerHome, check_home
from seed_server.settings.pages_section import PagesSettings, is_origin
from seed_server.settings.priority_section import PrioritySettings
from seed_server.settings.sections import MAX_SLA_RULES, OidcSettings, RetentionSettings, SlaRule, WebhookSettings

MAX_SETTINGS_BYTES = 64 << 10  # a page of settings; more is not a configuration
MAX_DATABASE_URL_CHARS = 1_000  # a host, a name, a password and paths of certificates
MAX_API_ADDRESS_CHARS = 64  # the longest IPv6 text, with the name of a link
MAX_TEMPLATE_CHARS = 1_000  # a name, or a path
MAX_CERTIFICATE_PATH_CHARS = 1_000
DEFAULT_API_PORT = 8444  # of a new home; one from before has none
ANY_ADDRESSES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - no address of anybody's, so no certificate names them
MANY_SETTINGS = 4  # texts whose settings are remembered: a process has one home, and tests have several
MAX_FETCHERS = 64  # of one site and patch: more do not make a line faster


class ServerSettings(Record, frozen=True):
    """``server.toml``, written by `seed-server init`."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SERVER_NAME_CHARS)]
    """What endpoints and people call this server."""
    address: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_HOST_CHARS)]
    """Host name or IP address under which endpoints reach it; tokens carry it, its certificate names it."""
    listen_address: str = ""
    """IP address that both ports listen on; empty: ``address`` when that is an IP address, else every interface."""
    web_port: Port = 8443
    origin_port: Port = 7690
    api_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    """HTTPS for programs; 0: there is no API."""
    api_address: Annotated[str, msgspec.Meta(max_length=MAX_API_ADDRESS_CHARS)] = "127.0.0.1"
    """IP address that the API listens on."""
    api_certificate: Annotated[str, msgspec.Meta(max_length=MAX_CERTIFICATE_PATH_CHARS)] = ""
    """File with the certificate that the API's port shows, PEM, and those of its authorities below it; empty: one of
    the server's own authority."""
    api_key: Annotated[str, msgspec.Meta(max_length=MAX_CERTIFICATE_PATH_CHARS)] = ""
    """File with its key, PEM."""
    egress_mbit: Annotated[float, msgspec.Meta(ge=0.0, le=LARGEST_LINE_MBIT)] = 0.0
    """What this server may send to all sites together, shared evenly where they want more; 0: no cap."""
    fetchers_per_site: Annotated[int, msgspec.Meta(ge=0, le=MAX_FETCHERS)] = 0
    """Endpoints of one site that may fetch one patch at the same time; 0: as many as suit its line."""
    lease_seconds: Annotated[float, msgspec.Meta(ge=1.0, le=3_600.0)] = 30.0
    """A piece goes to another endpoint when its transfer made no progress for this long."""
    timestamp_lifetime_hours: Annotated[float, msgspec.Meta(ge=0.1, le=24 * 30)] = 24.0
    """How long endpoints trust what they know without news; also how long a stolen server can hide a patch."""
    snapshot_lifetime_days: Annotated[float, msgspec.Meta(ge=0.1, le=90)] = 7.0
    rollouts_lifetime_days: Annotated[float, msgspec.Meta(ge=0.1, le=365)] = 30.0
    rollout_template: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEMPLATE_CHARS)] = "all-at-once"
    """By which rings `publish` offers a patch: a shipped template, or a file."""
    emergency_template: Annotated[str, msgspec.Meta(max_length=MAX_TEMPLATE_CHARS)] = ""
    """By which rings it offers one whose CVSS score is at least that template's `least_cvss`; empty: as any other."""
    inventory_minutes: Annotated[float, msgspec.Meta(ge=0.0, le=10_080.0)] = 30.0
    """A PC tells what it has become at most once in so long; 0: PCs are not asked what they are and have."""
    backup_days: Annotated[int, msgspec.Meta(ge=0, le=3_650)] = 3
    """`doctor` says when the last backup is older; 0: it is backed up otherwise."""
    unmanaged_neighbours: bool = False
    """Whether PCs of the sites in ``sites.toml`` are asked which machines are beside them: see docs/people.md."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database_url: Annotated[str, msgspec.Meta(max_length=MAX_DATABASE_URL_CHARS)] = ""
    """PostgreSQL, which keeps the state in the place of the home's ``state.db``; empty: that file does."""
    retention: RetentionSettings = RetentionSettings()
    """How long what happened is kept."""
    webhooks: WebhookSettings = WebhookSettings()
    """Where webhooks may lead."""
    pages: PagesSettings = PagesSettings()
    """How people log in to the pages, and for how long."""
    sla: Annotated[tuple[SlaRule, ...], msgspec.Meta(max_length=MAX_SLA_RULES)] = ()
    """What `report sla` measures."""
    oidc: OidcSettings | None = None
    """An identity provider; None: people log in with passwords alone."""
    priority: PrioritySettings = PrioritySettings()
    """How urgent a patch is."""

    def __repr__(self) -> str:
        # the URL may carry a password
        return f"ServerSettings(name={self.name!r}, address={self.address!r}, …)"

    def database_place(self, home: ServerHome) -> Path | str:
        """Return where the state is, as `store.database.Database.open` takes it."""
        return self.database_url or home.database


def load_settings(home: ServerHome) -> ServerSettings:
    """Return the settings in ``home``.

    Raises `UserError`: NOT_SET_UP when ``home`` is not initialised, BAD_INPUT
    for a wrong file, STORAGE for an unreadable one, REFUSED for a home that
    others may change.
    """
    return _settings_of(settings_text(home), str(home.settings))


@lru_cache(MANY_SETTINGS)
def _settings_of(text: str, source: str) -> ServerSettings:
    """Return the settings of a text, which a page asks for half a dozen times. Raises `UserError` (BAD_INPUT)."""
    settings = parse_toml(text, ServerSettings, source=source)
    check_settings(settings, source=source)
    return settings


def settings_text(home: ServerHome) -> str:
    """Return the file as people wrote it. Raises as `load_settings`, but for what is wrong in it."""
    check_home(home)
    text = read_home_text(home.settings, MAX_SETTINGS_BYTES, "it is not a configuration.")
    if text is None:
        raise UserError(
            f"{home.root} is not the home of a seed server. Run 'seed-server init --home {home.root} …' "
            "first, or name the right directory with --home.",
            FaultKind.NOT_SET_UP,
        )
    return text


def check_settings(settings: ServerSettings, *, source: str) -> None:
    """Raise `UserError` (BAD_INPUT) for errors that the fields' types do not catch; ``source`` begins the message."""
    if not settings.name.isprintable() or settings.name != settings.name.strip():
        raise UserError(f"{source}: the name has control characters or outer spaces; remove them.", FaultKind.BAD_INPUT)
    check_reachable(settings.address, source=source)
    if settings.listen_address and not is_ip_address(settings.listen_address):
        raise UserError(
            f"{source}: listen_address {settings.listen_address[:80]!r} is not an IP address. "
            'Give the address of an interface, or "" for the default.',
            FaultKind.BAD_INPUT,
        )
    if settings.database_url and not _is_database_url(settings.database_url):
        # not shown: it may carry a password
        raise UserError(
            f"{source}: database_url does not name a database of PostgreSQL. Write postgresql://USER@HOST/NAME, with "
            'the password in ~/.pgpass, or "" for a file in this home.',
            FaultKind.BAD_INPUT,
        )
    if settings.pages.origin and not is_origin(settings.pages.origin):
        raise UserError(
            f"{source}: origin in [pages] is {settings.pages.origin[:80]!r}, and no address as browsers write it. "
            "Write https://NAME or https://NAME:PORT, in small letters and with nothing after it.",
            FaultKind.BAD_INPUT,
        )
    networks_of(settings.webhooks.allow, source=f"{source}: allow in [webhooks]")
    names = [rule.name for rule in settings.sla]
    for place, name in enumerate(names):
        if not name.isprintable() or name != name.strip() or name in names[:place]:
            raise UserError(
                f"{source}: sla rule {place + 1}: every rule has a name of its own, without control characters or "
                "outer spaces.",
                FaultKind.BAD_INPUT,
            )
    _check_ports(settings, source)


def _check_ports(settings: ServerSettings, source: str) -> None:
    if settings.web_port == settings.origin_port:
        raise UserError(
            f"{source}: web port and origin port are both {settings.web_port}. Choose two different ports.",
            FaultKind.BAD_INPUT,
        )
    if settings.api_port in {settings.web_port, settings.origin_port}:
        raise UserError(
            f"{source}: api_port {settings.api_port} is the web or the origin port too. Choose another one, or 0 for "
            "no API.",
            FaultKind.BAD_INPUT,
        )
    if not is_ip_address(settings.api_address):
        raise UserError(
            f"{source}: api_address {settings.api_address[:80]!r} is not an IP address. Give the address of an "
            "interface, or 127.0.0.1 for programs on this machine alone.",
            FaultKind.BAD_INPUT,
        )
    if bool(settings.api_certificate) != bool(settings.api_key):
        raise UserError(
            f"{source}: api_certificate and api_key go together. Name both files, or neither.", FaultKind.BAD_INPUT
        )
    for name, path in (("api_certificate", settings.api_certificate), ("api_key", settings.api_key)):
        if path and not (Path(path).is_absolute() and path.isprintable()):
            raise UserError(f"{source}: {name} {path[:80]!r} is no whole path. Begin it with /.", FaultKind.BAD_INPUT)


def listen_addresses(settings: ServerSettings) -> list[str]:
    """Return the IP addresses to listen on; every interface of both families when a host name was given."""
    if settings.listen_address:
        return [settings.listen_address]
    return [settings.address] if is_ip_address(settings.address) else ["0.0.0.0", "::"]  # noqa: S104 - documented default


def _is_database_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = parts.scheme == "postgresql" and len(parts.path) > 1 and parts.port != 0
    except ValueError:
        return False
    return whole and len(text) <= MAX_DATABASE_URL_CHARS


def write_settings(home: ServerHome, settings: ServerSettings) -> None:
    """Write a commented ``server.toml`` that `load_settings` reads back. Raises `OSError`."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(ServerSettings)}
    lines = ["# Settings of this seed server. Restart 'seed-server serve' after a change.", ""]
    for key, comment in _COMMENTS.items():
        value = getattr(settings, key)
        assignment = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        lines += [f"# {row}" for row in comment]
        # a default that stays a comment follows later releases
        lines += [assignment if value != defaults[key] or key in _ALWAYS_WRITTEN else f"# {assignment}", ""]
    lines += [
        "# How long things are kept; 0: for ever, without a bound. docs/operations.md says more.",
        "# [retention]",
    ]
    lines += [f"# {field.name} = {field.default}" for field in msgspec.structs.fields(RetentionSettings)]
    lines += ["", "# How urgent a patch is: docs/priority.md says what may stand in [priority]."]
    lines += [
        "",
        "# Where webhooks may lead besides the Internet, such as 10.20.0.0/16, and the authority of receivers there.",
        "# docs/webhooks.md says more.",
        "# [webhooks]",
        "# allow = []",
        '# ca_file = ""',
    ]
    lines += ["", "# How people log in to the pages, and for how long: docs/pages.md says what may stand in [pages]."]
    lines += ["", *(f"# {row}" for row in _SLA_COMMENT)]
    durable_files.write_file(home.settings, "\n".join([*lines, ""]).encode())


_SLA_COMMENT = (
    "What 'seed-server report sla' measures: a table for each rule. docs/reports.md says more.",
    "[[sla]]",
    'name = "critical"',
    "least_cvss = 9.0",
    "share_percent = 95",
    "days = 7",
)
_ALWAYS_WRITTEN = {"name", "address", "web_port", "origin_port"}
_ALWAYS_WRITTEN = {"name", "address", "web_port", "origin_port", "api_port"}

_COMMENTS: dict[str, tuple[str, ...]] = {
    "name": ("What endpoints and people call this server.",),
    "address": (
        "Host name or IP address under which endpoints reach it. Enrolment tokens carry it:",
        "endpoints that enrolled under an old address must be able to go on using it.",
    ),
    "listen_address": (
        "IP address that both ports listen on. Empty: 'address' when that is an IP address,",
        "else every interface. Behind address translation, set the inner address or 0.0.0.0.",
    ),
    "web_port": ("HTTPS: enrolment, signed metadata, health.",),
    "origin_port": ("Mutual TLS: control and data connections of endpoints.",),
    "api_port": ("HTTPS: the pages for people, docs/pages.md, and the API for programs, docs/api.md. 0: neither.",),
    "api_address": ("IP address that they are at. 127.0.0.1: browsers and programs on this machine alone reach it.",),
    "api_certificate": (
        "Files with a certificate for that port and its key, PEM, of an authority that browsers trust; they are",
        "read anew when they change. Empty: the server makes one of its own, which browsers warn of.",
    ),
    "api_key": (),
    "egress_mbit": (
        "The part of this server's own line that patches may use, in Mbit/s: the line's rate, if all of it.",
        "They use 97 % of that, so that they never queue there. Sites that want more get equal parts.",
        "0: no cap.",
    ),
    "fetchers_per_site": (
        "Endpoints of one site that may fetch one patch over the branch line at the same time.",
        "0: as many as suit its line: one on a slow one, up to 8 where this server is as near as",
        "the neighbours.",
    ),
    "lease_seconds": ("A piece goes to another endpoint when its transfer made no progress for this long.",),
    "timestamp_lifetime_hours": (
        "How long endpoints trust what they know without news from this server.",
        "A stolen server can hide a new patch for at most this long.",
    ),
    "snapshot_lifetime_days": ("Lifetime of the signed list of metadata; 'serve' renews it at half of that.",),
    "rollouts_lifetime_days": ("Lifetime of the signed list of rollouts; 'serve' renews it at half of that.",),
    "rollout_template": (
        "By which rings 'publish' offers a patch: a template of 'seed-server rollout templates', or a file",
        "in TOML. all-at-once offers it to every PC as soon as it is published.",
    ),
    "emergency_template": (
        "By which rings 'publish' offers a patch whose CVSS score is as high as that template's least_cvss: emergency,",
        "or a file in TOML. Empty: as any other patch; then emergencies go by hand, with --template.",
    ),
    "backup_days": (
        "'seed-server doctor' says when the last 'seed-server backup' is so many days old. 0: you back up otherwise.",
    ),
    "log_level": ("debug, info, warning or error.",),
    "database_url": (
        "Where the state is: empty, in state.db beside this file; or postgresql://USER@HOST/NAME, a",
        "database that belongs to USER. Its password is best in ~/.pgpass of the server's user.",
    ),
}
