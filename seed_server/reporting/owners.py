"""Whom to ask about the PCs of a site: the contact in ``sites.toml``, else who has an account for it. Blocking."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.line.site_map_file import load_sites

if TYPE_CHECKING:
    from seed_server.store.database import Database

LOOKS_AFTER = frozenset({"operator", "administrator"})
"""Roles of people who are asked about the PCs in their scope."""


@dataclass(frozen=True)
class Owners:
    """Whom to ask, by site."""

    contacts: Mapping[str, str]
    people: Mapping[str, str]

    def of(self, site: str) -> str:
        """Return whom to ask about the PCs of a site; empty: nobody is named."""
        return self.contacts.get(site) or self.people.get(site, "")


def read_owners(context: Context, database: "Database") -> Owners:
    """Return whom to ask; of a site map that cannot be read (`status` says so) no contacts. Raises `UserError`."""
    people: dict[str, str] = {}
    for person in database.people():
        if not person.disabled and LOOKS_AFTER & set(person.roles):
            for site in person.sites:
                people.setdefault(site, person.name)
    contacts: dict[str, str] = {}
    with contextlib.suppress(UserError):
        contacts = {str(site): contact for site, contact in load_sites(context.home).contacts.items()}
    return Owners(contacts, people)
