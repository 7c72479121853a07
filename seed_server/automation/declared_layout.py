"""Where what of a fleet's settings stands in a directory. Pure.

::

    sites.toml            the site map
    profiles/SITE.toml    the throttle profile of a site
    templates/NAME.toml   a diagnosis template
    people.toml           accounts: roles, scopes; never passwords
    settings.toml         those keys of server.toml that are about the fleet, and not about the machine
"""

from collections.abc import Collection
from urllib.parse import quote, unquote

from p2pdist.shared.identifiers import InvalidIdentifierError, parse_site_name, parse_template_name

SITES_FILE, PEOPLE_FILE, SETTINGS_FILE = "sites.toml", "people.toml", "settings.toml"
PROFILES_FOLDER, TEMPLATES_FOLDER = "profiles", "templates"
FOLDERS = (PROFILES_FOLDER, TEMPLATES_FOLDER)
ENDING = ".toml"

FLEET_KEYS = (
    "rollout_template", "emergency_template", "fetchers_per_site", "lease_seconds", "inventory_minutes",
    "unmanaged_neighbours", "timestamp_lifetime_hours", "snapshot_lifetime_days", "rollouts_lifetime_days",
    "backup_days", "retention", "sla", "priority",
)  # fmt: skip
"""Keys of ``server.toml`` that ``settings.toml`` may have, as far as this release knows them. What says where the
server is, how it is reached, where its database is and who logs in by whom is the machine's, and is written there."""


def is_passed_over(name: str) -> bool:
    """Whether a file beside the settings is none of them: of the version control, or a text for people."""
    return name.startswith(".") or name.lower().endswith(".md")


def file_of_site(site: str) -> str:
    """Return the path of a site's profile: ``/``, ``:`` and ``%`` in its name are written as in a URL."""
    return f"{PROFILES_FOLDER}/{quote(site, safe='')}{ENDING}"


def file_of_template(name: str) -> str:
    """Return the path of a template."""
    return f"{TEMPLATES_FOLDER}/{name}{ENDING}"


def named_by(path: str) -> str:
    """Return which site or template a path of `file_of_site` or `file_of_template` names.

    Raises `InvalidIdentifierError` for what is none, and for a name that is not written as those write it.
    """
    folder, _, name = path.partition("/")
    written = name.removesuffix(ENDING)
    if folder == TEMPLATES_FOLDER:
        return parse_template_name(written)
    site = parse_site_name(unquote(written))
    if file_of_site(site) != path:
        raise InvalidIdentifierError(f"the profile of site {site!r} is in {file_of_site(site)}.")
    return site


def known_keys(fields: Collection[str]) -> tuple[str, ...]:
    """Return the keys that ``settings.toml`` may have, of the ``fields`` of the server's settings."""
    return tuple(key for key in FLEET_KEYS if key in fields)
