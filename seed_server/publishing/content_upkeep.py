"""Finds out which payloads nobody needs, and takes them out of the content store. Blocking.

Who publishes waits while payloads are taken out, and the other way round: so none goes that has just come. What goes is
first marked in the database, then put away by a new name, then removed: whoever is killed in between leaves what the
next one goes on from.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import PatchRef, parse_sha256
from p2pdist.shared.lazy_log import lazy_log
from seed_server.deltas.coded_room import CodedRoom, Removable
from seed_server.publishing.content_needs import Uses, idle, uses_of_content
from seed_server.publishing.content_plan import ContentPlan, ContentRules, plan_content
from seed_server.publishing.publish_lock import publish_lock
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import expired_offline
from seed_server.store.content_store import ContentStore
from seed_server.store.restored_mark import check_caught_up
from seed_server.store.rows import StoredPayload

if TYPE_CHECKING:
    from seed_server.store.database import Database

# Since a PC has said that it fetches what nobody offers, and since somebody needed that otherwise. By then PCs know it;
# one that goes on saying so keeps nothing here for ever.
STILL_FETCHED_SECONDS = 7.0 * DAY_SECONDS

log = lazy_log()

Recorded = Callable[[ContentPlan], AbstractContextManager[None]]
"""Makes the block one transaction of the database with the record of what goes."""


@dataclass(frozen=True)
class ContentLook:
    """What is in the content store, and what it is for."""

    stored: tuple[StoredPayload, ...]
    uses: Uses
    since: dict[str, float]
    """From when on nobody needs a payload, as far as that is recorded."""
    idle: frozenset[str]
    """What nobody needs, but for PCs that may say they fetch it."""
    sure: bool = True
    """Whether all that waits for signatures could be read: else what no publication has may be of that."""

    def plan(self, rules: ContentRules, now: float) -> ContentPlan:
        """Return what goes by ``rules``."""
        known = self.stored if self.sure else [one for one in self.stored if one.sha256 in self.uses]
        return plan_content(known, self.uses, self.since, rules, now)


@dataclass(frozen=True)
class ContentUpkeep:
    """The content store of one home, and all that says what is needed of it. Each method raises `UserError`."""

    home: ServerHome
    settings: ServerSettings
    repository: Repository
    database: "Database"

    @property
    def content(self) -> ContentStore:
        """The store."""
        return ContentStore(self.home.content)

    @property
    def coded(self) -> CodedRoom:
        """The coded pieces of its payloads."""
        return CodedRoom(self.home.coded)

    def rules(self, now: float, *, at_once: bool = False) -> ContentRules:
        """Return how much is kept of what nobody needs."""
        held, expired = self.database.is_held(), expired_offline(self.repository.expiries(), now)
        return ContentRules.of(self.settings.retention, held=held, at_once=at_once, expired=expired)

    def remove_idle(self, now: float, recorded: Recorded, *, at_once: bool = False) -> ContentPlan:
        """Take out what has had its time, and what there is no room for, or ``at_once`` all that nobody needs.

        Return what has gone. ``recorded`` surrounds the moment in which it is marked. Raises BUSY while somebody
        publishes, and while a restored server learns from its PCs what is published.
        """
        with publish_lock(self.home, wait_seconds=0.0).held(), self.repository.locked():
            check_caught_up(self.home)
            self.content.remove_temporary()
            PreparedBundles(self.home).remove_leftovers()
            look = self.look(now)
            here = {one.sha256 for one in look.stored}
            look = replace(look, since=self.database.note_idle_content(look.idle & here, now))
            plan = look.plan(self.rules(now, at_once=at_once), now)
            if plan.removals:
                gone = {one.payload.sha256 for one in plan.removals}
                torrents = {row.torrent_hash for row in self.database.payloads() if row.sha256 in gone}
                with recorded(plan):
                    for torrent in sorted(torrents):
                        self.database.mark_damaged(torrent, removed_words(now))
                self.content.put_away(map(parse_sha256, sorted(gone)))
        self.content.remove_put_away()
        removed = self.coded.remove(self._coded_going(plan, at_once=at_once))
        return replace(plan, coded_bytes=removed)

    def plan(self, now: float, *, at_once: bool = False) -> ContentPlan:
        """Return what `remove_idle` would take out now. Nothing is changed, and nobody is kept waiting."""
        plan = self.look(now).plan(self.rules(now, at_once=at_once), now)
        return replace(plan, coded_bytes=sum(one.bytes for one in self._coded_going(plan, at_once=at_once)))

    def _coded_going(self, plan: ContentPlan, *, at_once: bool) -> list[Removable]:
        """Return what of coded pieces goes, when that is gone which the plan names."""
        gone = {one.payload.sha256 for one in plan.removals}
        here = {one.sha256 for one in self.content.stored()} - gone
        torrents = {row.torrent_hash for row in self.database.payloads() if row.sha256 in here}
        return self.coded.going(here | torrents, everything=at_once)

    def look(self, now: float) -> ContentLook:
        """Return what is there now. Nothing is changed, and nobody is kept waiting."""
        offered, order = self.repository.offered(), self.repository.publication_order()
        listed = self.repository.offers()
        refs = {entry.ref for entry in offered.entries}
        prepared, sure = PreparedBundles(self.home).manifests()
        live = {row.ref for row in self.database.rollouts(live=True)}
        rollouts = [row for row in self.database.payloads() if row.ref in live] if live else []

        def uses(fetched: set[PatchRef]) -> Uses:
            return uses_of_content(
                listed, offered=refs, order=order, rollouts=rollouts, prepared=prepared, fetched=fetched
            )

        # few are asked for: those that nobody needs otherwise, and has needed lately
        otherwise, since = idle(uses(set())), self.database.idle_content()
        lately = {sha256 for sha256 in otherwise if now - since.get(sha256, now) < STILL_FETCHED_SECONDS}
        candidates = {one.ref for sha256 in lately for one in otherwise[sha256]}
        found = uses(self.database.fetched_since(candidates, now - STILL_FETCHED_SECONDS))
        return ContentLook(tuple(self.content.stored()), found, since, frozenset(otherwise), sure)


def signed_uses(home: ServerHome, repository: Repository) -> Uses:
    """Return what payloads are for by the signed files and bundles alone: of rollouts and PCs nothing is known.

    Raises `UserError`.
    """
    prepared, _ = PreparedBundles(home).manifests()
    refs = {entry.ref for entry in repository.offered().entries}
    order = repository.publication_order()
    return uses_of_content(repository.offers(), offered=refs, order=order, rollouts=(), prepared=prepared)


def removed_words(now: float) -> str:
    """Return why a payload that was taken out at ``now`` cannot be served."""
    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    return (
        f"its file was removed here on {day}, as nobody needed it: publish the same file again under the same id and "
        "version"
    )
