"""What is signed for a PC beside patches: its site's throttle profile, the server's addresses, templates. Pure."""

from collections.abc import Callable, Iterable

from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.documents import DecodeError
from p2pdist.shared.manifest.servers import MAX_SERVERS_BYTES, SERVERS_TARGET, ServerList, decode_servers
from p2pdist.shared.manifest.site_profile import MAX_DOCUMENT_BYTES, SiteProfile, decode_site_profile, profile_target
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATE_BYTES,
    MAX_TEMPLATES,
    Template,
    decode_template,
    template_target,
)
from p2pdist.trust.catalogue import DocumentError, GetDocument


def read_profile(site: SiteName | None, has: Callable[[str], bool], get: GetDocument) -> SiteProfile | None:
    """Return the throttle profile of ``site``; None where it has none, or one that this version cannot use."""
    if site is None or not has(profile_target(site)):
        return None
    try:
        profile = decode_site_profile(get(profile_target(site), MAX_DOCUMENT_BYTES))
    except (DocumentError, DecodeError):
        return None  # the server, which does the sending, reads it too and says why where it cannot
    return profile if profile.site == site else None


def read_servers(has: Callable[[str], bool], get: GetDocument) -> ServerList | None:
    """Return where the server is; None: nothing is signed of that, or nothing that this version can use."""
    if not has(SERVERS_TARGET):
        return None
    try:
        return decode_servers(get(SERVERS_TARGET, MAX_SERVERS_BYTES))
    except (DocumentError, DecodeError):
        return None  # the server is looked for where it was before; its operator sees who does not have the list


def read_templates(targets: Iterable[str], get: GetDocument) -> tuple[Template, ...]:
    """Return the diagnosis templates among ``targets``, by name, at most the first `MAX_TEMPLATES`.

    A template that this version cannot use is left out. What ``get`` raises besides
    `DocumentError` and `DecodeError` propagates.
    """
    found: list[Template] = []
    for target in sorted(targets)[:MAX_TEMPLATES]:
        try:
            template = decode_template(get(target, MAX_TEMPLATE_BYTES))
        except (DocumentError, DecodeError):
            continue  # the operator learns of it: the server shows that no PC answers this template
        if template_target(template.name) == target:
            found.append(template)
    return tuple(found)
