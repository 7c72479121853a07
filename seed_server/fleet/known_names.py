"""Names that a server knows and somebody has begun to type; its state is read as it is. Blocking.

Whoever asks is a shell, so each raises what it likes where it cannot read.
"""

from seed_server.fleet.context import Context
from seed_server.line.site_map_file import load_sites
from seed_server.signing.templates import template_names


def names_of_state(context: Context, kind: str, typed: str, most: int) -> list[tuple[str, str]]:
    """Return at most ``most`` names of a ``kind`` of `store.beginnings`, and a few words on each."""
    from seed_server.store.beginnings import beginnings

    with context.state_as_it_is() as database:
        return beginnings(database, kind, typed, most)


def site_names(context: Context, typed: str, most: int) -> list[tuple[str, str]]:
    """Return sites of ``sites.toml``, and those where a PC was seen."""
    seen = {name for name, _ in names_of_state(context, "site", typed, most)}
    return [(name, "") for name in sorted(seen | {str(site.name) for site in load_sites(context.home).sites})]


def signed_templates(context: Context) -> list[tuple[str, str]]:
    """Return the templates that PCs have."""
    return [(name, "") for name in sorted(template_names(context.repository()))]
