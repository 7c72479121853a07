"""What is changed in the home's own files: the site map, and settings in ``server.toml``. Blocking.

People may edit these files by hand as well; what is changed here has its entry in the audit log first. Where the entry
is written and the file then is not, another entry says so.
"""

import stat
from pathlib import Path

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.toml_config import parse_toml
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.line.site_map import SiteMap, parse_site_map
from seed_server.line.site_map_file import MAX_SITES_BYTES, sites_text
from seed_server.settings.server_toml import MAX_SETTINGS_BYTES, ServerSettings, check_settings, settings_text

NOT_WRITTEN = "file not written"
"""The operation of an entry which says that what the one before it says was not done."""

log = lazy_log()


@operation("profiles")
def set_site_map(context: Context, actor: Actor, text: str, *, before: str) -> SiteMap:
    """Put ``text`` in the place of the site map, as it was read ``before``; a running server uses it at once.

    It decides for which PCs limited rights hold, so it needs a right for the whole fleet. Writes ``sites.toml``. Raises
    `UserError`: BAD_INPUT for what is no site map; BUSY where the file has changed since; NOT_SET_UP, STORAGE.
    """
    context.settings()
    site_map = parse_site_map(text, source="sites.toml")
    deed = Deed("set site map", "sites.toml", details={"sites": str(len(site_map.sites))})
    _replace(context, actor, deed, context.home.sites, (before, sites_text(context.home) or ""), text, MAX_SITES_BYTES)
    log.info("site map set", sites=len(site_map.sites))
    return site_map


@operation("keys")
def change_settings(context: Context, actor: Actor, text: str, *, before: str, changed: tuple[str, ...]) -> None:
    """Put ``text`` in the place of ``server.toml``, as it was read ``before``; ``changed``: the keys that differ.

    A running server uses it after a restart, commands at once. Writes and raises as `set_site_map`.
    """
    kept = settings_text(context.home)
    source = str(context.home.settings)
    check_settings(parse_toml(text, ServerSettings, source=source), source=source)
    deed = Deed("change settings", "server.toml", details={"keys": " ".join(changed)})
    _replace(context, actor, deed, context.home.settings, (before, kept), text, MAX_SETTINGS_BYTES)
    log.info("settings changed", keys=changed)


def _replace(
    context: Context, actor: Actor, deed: Deed, path: Path, states: tuple[str, str], text: str, max_bytes: int
) -> None:
    """Write a file with its entry; ``states``: as it was read, and as it is."""
    known, found = states
    if known != found:
        raise UserError(
            f"{path} was changed meanwhile, so it stays as it is. Look at it, and try again.", FaultKind.BUSY
        )
    data = text.encode()
    if len(data) > max_bytes:
        raise UserError(f"{path} would be over {max_bytes} bytes, so it stays as it is.", FaultKind.BAD_INPUT)
    deed.before, deed.after = found.encode(), data
    try:
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
        with context.audited(actor, deed):
            pass
        durable_files.write_file(path, data, mode=mode)
    except OSError as error:
        with context.audited(actor, Deed(NOT_WRITTEN, deed.subject, reason=str(error.strerror))):
            pass
        raise UserError(
            f"{path} cannot be written: {error.strerror}. Nothing in it has changed. Check space and permissions.",
            FaultKind.STORAGE,
        ) from error
