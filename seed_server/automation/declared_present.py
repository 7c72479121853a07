"""What a server's settings are now, for comparison with what files say. Nothing here writes. Blocking."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import Template
from p2pdist.shared.toml_config import parse_toml
from seed_server.fleet.context import Context
from seed_server.line.site_map import SiteEntry, SitesFile
from seed_server.line.site_map_file import load_sites, sites_text
from seed_server.settings.server_toml import ServerSettings, settings_text
from seed_server.signing.profiles import read_profiles
from seed_server.signing.templates import read_templates
from seed_server.store.people_rows import PersonRow


@dataclass(frozen=True)
class Present:
    """One look at all that files can say."""

    settings: ServerSettings
    sites: Sequence[SiteEntry] = ()
    sites_text: str = ""
    profiles: Mapping[str, SiteProfile] = field(default_factory=dict)
    """By site."""
    templates: Mapping[str, Template] = field(default_factory=dict)
    """By name."""
    people: Sequence[PersonRow] = ()
    settings_text: str = ""
    written: Mapping[str, Any] = field(default_factory=dict)
    """What stands in ``server.toml``, by key, as TOML has it."""
    seen_sites: frozenset[str] = frozenset()
    """Where a PC was ever seen."""


def read_present(context: Context) -> Present:
    """Return what is there now. Raises `UserError`: BAD_INPUT for a file of the home that is wrong, NOT_SET_UP, …"""
    settings = context.settings()
    text = settings_text(context.home)
    load_sites(context.home)  # says what is wrong with it
    sites = sites_text(context.home) or ""
    repository = context.repository()
    with context.database() as database:
        people, seen = database.people(), database.site_names()
    return Present(
        settings=settings,
        sites=parse_toml(sites, SitesFile, source=str(context.home.sites)).site,
        sites_text=sites,
        profiles=read_profiles(repository),
        templates=read_templates(repository),
        people=people,
        settings_text=text,
        written=tomllib.loads(text.replace("\r\n", "\n")),
        seen_sites=frozenset(seen),
    )
