"""Reads ``sites.toml`` of a home. Blocking."""

from p2pdist.shared.capped_files import read_home_text
from seed_server.line.site_map import SiteMap, parse_site_map
from seed_server.settings.home import ServerHome

MAX_SITES_BYTES = 1 << 20  # ten thousand sites of a hundred bytes


def load_sites(home: ServerHome) -> SiteMap:
    """Return the site map; a missing file is an empty one. Raises `UserError`."""
    text = read_home_text(home.sites, MAX_SITES_BYTES, "it is not a site map.")
    return parse_site_map(text or "", source=str(home.sites))
