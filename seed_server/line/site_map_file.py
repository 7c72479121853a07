"""Reads ``sites.toml`` of a home. Blocking."""

from functools import lru_cache

from p2pdist.shared.capped_files import read_home_text
from seed_server.line.site_map import SiteMap, parse_site_map
from seed_server.settings.home import ServerHome

MAX_SITES_BYTES = 1 << 20  # ten thousand sites of a hundred bytes


def load_sites(home: ServerHome) -> SiteMap:
    """Return the site map; a missing file is an empty one. Raises `UserError`."""
    return _parsed(sites_text(home) or "", str(home.sites))


@lru_cache(maxsize=2)  # the file's and one before: to check thousands of sites takes as long as a page may
def _parsed(text: str, source: str) -> SiteMap:
    return parse_site_map(text, source=source)


def sites_text(home: ServerHome) -> str | None:
    """Return the file as people wrote it; None: there is none. Raises `UserError`."""
    return read_home_text(home.sites, MAX_SITES_BYTES, "it is not a site map.")
