"""Content that nobody needs goes: by an operator's word, or by the running server's, as ``[retention]`` says. Blocking.

What goes has an entry in the audit log, in the transaction that marks it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from p2pdist.shared.lazy_log import lazy_log
from seed_server.deltas.coded_room import CodedRoom
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.publishing.content_plan import ContentPlan
from seed_server.publishing.content_upkeep import ContentUpkeep
from seed_server.publishing.publish_lock import publish_lock
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore
from seed_server.store.home_leftovers import remove_old_leftovers

if TYPE_CHECKING:
    from seed_server.store.database import Database

REMOVE_CONTENT = "remove content"

log = lazy_log()


@operation("publish")
def clean_content(context: Context, actor: Actor, *, at_once: bool = False) -> ContentPlan:
    """Remove payloads that nobody needs and that have had their time, or ``at_once`` all that nobody needs.

    Return what has gone. Writes database and content. Raises `UserError`: BUSY while somebody publishes, NOT_SET_UP,
    STORAGE.
    """
    freed = free_leftovers(context)  # before the database is opened, which a disk without any room does not allow
    repository = context.repository(context.settling())
    with context.database() as database:
        plan = remove_content(context, repository, database, actor, at_once=at_once)
    return replace(plan, coded_bytes=freed + plan.coded_bytes)


def free_leftovers(context: Context) -> int:
    """Remove what killed processes left, and coded pieces where there is too little room: that itself needs none.

    Return what these took. Raises `UserError`: BUSY while somebody publishes.
    """
    with publish_lock(context.home, wait_seconds=0.0).held():
        ContentStore(context.home.content).remove_temporary()
        PreparedBundles(context.home).remove_leftovers()
    remove_old_leftovers(context.home, context.clock.now())
    return CodedRoom(context.home.coded).give_free()


def remove_content(
    context: Context, repository: Repository, database: "Database", actor: Actor, *, at_once: bool = False
) -> ContentPlan:
    """Do the same with a repository and a database that are open."""

    @contextlib.contextmanager
    def recorded(going: ContentPlan) -> Iterator[None]:
        with context.joined(database, lambda: (actor, _deed(going))):
            yield

    upkeep = ContentUpkeep(context.home, context.settings(), repository, database)
    plan = upkeep.remove_idle(context.clock.now(), recorded, at_once=at_once)
    if plan.removals:
        log.info("content that nobody needs is removed", files=len(plan.removals), bytes=plan.bytes)
    return plan


def read_content(context: Context, *, at_once: bool = False) -> ContentPlan:
    """Return what `clean_content` would remove. Raises `UserError`."""
    repository, now = context.repository(), context.clock.now()
    with context.database() as database:
        upkeep = ContentUpkeep(context.home, context.settings(), repository, database)
        return upkeep.plan(now, at_once=at_once)


def _deed(plan: ContentPlan) -> Deed:
    number = len(plan.removals)
    deed = Deed(REMOVE_CONTENT, f"{number} files")
    patches = sorted({str(use.ref) for one in plan.removals for use in one.uses})
    deed.details = {
        "bytes": str(plan.bytes),
        "because": ", ".join(sorted({one.because for one in plan.removals})),
        "patches": " ".join(patches),
        "sha256": " ".join(one.payload.sha256 for one in plan.removals),
    }
    return deed
