"""Looks at what the server keeps: database, files that are offered, what is signed. Changes nothing. Blocking."""

from dataclasses import replace
from typing import TYPE_CHECKING

from p2pdist.shared.errors import UserError
from seed_server.doctor.facts import (
    BackupFacts,
    ContentFacts,
    DatabaseFacts,
    LackingFile,
    ServerFacts,
    SignatureFacts,
    TimeFacts,
)
from seed_server.doctor.looks_home import is_known_zone, is_synchronised, known_zones
from seed_server.fleet import problems
from seed_server.fleet.context import Context
from seed_server.fleet.intelligence_problems import old_intelligence
from seed_server.signing.profiles import parsed_profiles
from seed_server.signing.repository import Repository
from seed_server.signing.repository_writer import online_lifetimes
from seed_server.store.audit_entry import decode_entry
from seed_server.store.content_store import ContentStore
from seed_server.store.last_backup import read_last_backup
from seed_server.store.opening import is_outdated
from seed_server.store.rows import ServedPayload

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_SITES_NAMED = 10  # that are named in one finding


def look_at_state(facts: ServerFacts, context: Context) -> None:
    """Add what database and repository say."""
    facts.time = TimeFacts(is_synchronised(), zones=known_zones())
    facts.disk = problems.disk_problems(context)
    facts.site_map = problems.site_map_problems(context)
    repository = _look_at_repository(facts, context)
    try:
        if is_outdated(context.home, context.settings()):
            facts.database = DatabaseFacts(outdated=True)
            return
        with context.database() as database:
            database.try_writing()
            with database.one_state():
                _look_at_database(facts, context, database, repository)
    except UserError as error:
        facts.database = DatabaseFacts(error.message)
    else:
        facts.database = DatabaseFacts()


def _look_at_repository(facts: ServerFacts, context: Context) -> Repository | None:
    settings = context.settings()
    try:
        repository = context.repository()
        expiries = repository.expiries()
        stamp = repository.newest_timestamp()
        zone = next((one for one in _zones(repository) if not is_known_zone(one)), "")
    except UserError as error:
        facts.signatures = SignatureFacts(error.message)
        return None
    online = online_lifetimes(settings)
    offline = (*problems.restore_problems(context), *problems.expiry_problems(expiries, facts.now))
    facts.signatures = SignatureFacts("", tuple(expiries), online, offline)
    assert facts.time is not None
    facts.time = replace(facts.time, latest=stamp.issued_at, latest_of="the newest signature", unknown_zone=zone)
    return repository


def _zones(repository: Repository) -> list[str]:
    found = dict.fromkeys(profile.time_zone for profile in parsed_profiles(repository.profiles()).values())
    return list(found)


def _look_at_database(
    facts: ServerFacts, context: Context, database: "Database", repository: Repository | None
) -> None:
    serving = bool(facts.serving)
    at_work = database.sites_at_work(facts.now)
    facts.audit = [
        *problems.audit_problems(context, database, repository),
        *problems.witness_problems(database, facts.now),
    ]
    facts.disk = [*(facts.disk or ()), *problems.content_problems(context, database, repository)]
    facts.rollouts = problems.rollout_problems(database, serving=serving)
    facts.pcs = [
        *problems.connection_problems(database.endpoint_counts(), serving=serving),
        *problems.flood_problems(database, facts.now),
    ]
    facts.lines = problems.harm_problems(at_work, serving=serving)
    facts.intelligence = old_intelligence(database, facts.now)
    facts.troubled = database.troubled_sites(MOST_SITES_NAMED)
    facts.backup = BackupFacts(read_last_backup(context.home), database.endpoint_counts().allowed)
    _look_at_times(facts, database)
    if repository is None:
        return
    try:
        offered = {entry.ref for entry in repository.offered().entries}
    except UserError as error:
        facts.signatures = SignatureFacts(error.message)
        return
    served = [one for one in database.payloads() if one.ref in offered]
    facts.content = look_at_content(ContentStore(context.home.content), served)


def _look_at_times(facts: ServerFacts, database: "Database") -> None:
    """Add the latest times that the database has; what PCs say themselves is none of them."""
    assert facts.time is not None
    seen = [(database.last_seen_at(), "when a PC was seen last")]
    if size := database.audit_size():
        data = database.audit_entry(size - 1)
        if data is not None:
            seen.append((decode_entry(data).at, "the newest entry of the audit log"))
    latest, what = max(seen)
    if latest > facts.time.latest:
        facts.time = replace(facts.time, latest=latest, latest_of=what)


def look_at_content(store: ContentStore, served: list[ServedPayload]) -> ContentFacts:
    """Look whether each file is there, in its length; what its bytes are, the running server finds as it sends them."""
    lacking = [LackingFile(one.ref, why) for one in served if (why := one.damaged or store.lacks(one))]
    return ContentFacts(len(served), tuple(lacking))
