"""To which page an entry of the audit log leads: that of what something was done to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from seed_server.automation.event_types import EVENT_TYPES, event_type
from seed_server.fleet.audit_queries import LoggedEntry
from seed_server.fleet.audit_search import rollout_of
from seed_server.store.audit_entry import AuditEntry
from seed_server.web.frame.addresses import address_of, path_to


def _patch(entry: AuditEntry) -> str:
    return path_to("patches", entry.subject) if "@" in entry.subject else ""


def _named(folder: str) -> Callable[[AuditEntry], str]:
    return lambda entry: path_to(folder, entry.subject)


def _owner(entry: AuditEntry) -> str:
    owner = entry.details.get("owner", "")
    return path_to("people", owner) if owner else ""


_PAGES: Mapping[str, Callable[[AuditEntry], str]] = MappingProxyType(
    {
        "patch": _patch,
        "exception": lambda _: "/exceptions",
        "endpoint": _named("pcs"),
        "profile": lambda _: "/profiles",
        "account": _named("people"),
        "api_token": _owner,
        "webhook": _named("webhooks"),
        "settings": lambda _: "/settings",
        "content": lambda _: "/server/disk",
        "keys": lambda _: "/server",
        "server": lambda _: "/server",
        "audit": lambda _: "/audit-log",
        "template": lambda _: "/templates",
    }
)
"""By the first word of the type of event that an entry is."""
GONE = frozenset({"account.removed", "endpoint.forgotten", "webhook.removed"})


def page_of_entry(entry: AuditEntry) -> str:
    """Return the address of the page; empty: there is none, or what it was done to is gone by it."""
    if (rollout := rollout_of(entry)) is not None:
        return path_to("rollouts", rollout)
    kind = event_type(entry) or ""
    if kind in GONE:
        return ""
    page = _PAGES.get(kind.partition(".")[0])
    return "" if page is None or not entry.subject else page(entry)


def meaning_of(entry: AuditEntry) -> str:
    """Return what a deed means, of a closed list; the entry stays as it was signed. Empty: it changed nothing."""
    return EVENT_TYPES.get(event_type(entry) or "", "")


def page_of_person(entry: AuditEntry) -> str:
    """Return the address of the page of whoever did it; empty: no account did."""
    if entry.known_by not in {"password", "key", "token", "oidc"}:
        return ""
    return path_to("people", entry.actor.partition("/")[0])


@dataclass(frozen=True)
class ListedEntry:
    """An entry, and where it leads."""

    entry: AuditEntry
    page: str
    """As of `page_of_entry`."""
    person: str
    """As of `page_of_person`."""

    meaning: str
    """As of `meaning_of`."""


def listed(found: Iterable[LoggedEntry]) -> list[ListedEntry]:
    """Return entries with their links."""
    entries = [one.entry for one in found]
    return [ListedEntry(one, page_of_entry(one), page_of_person(one), meaning_of(one)) for one in entries]


def same_request(entry: AuditEntry) -> str:
    """Return the address of all entries of the same request."""
    return address_of("/audit", request=entry.request)
