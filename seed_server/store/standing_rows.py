"""What each PC last said of each patch, what happened when, and how many PCs say so: written together. Blocking.

Every function works within the transaction of the connection it is given. PCs, patches,
sites and texts are named by their numbers in `tables`. Tallies count the PCs that are
not denied, each in the site where it is now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, and_, bindparam, func, select

from p2pdist.shared.wire.codec import Record
from seed_server.store.done_tallies import count_done, end_follow_ups
from seed_server.store.done_times import NOT_DONE, done_since
from seed_server.store.engines import insert_into, table_of, upsert
from seed_server.store.event_months import event_text_numbers, month_of, open_part
from seed_server.store.interned import parts
from seed_server.store.step_pace import STEPS_MISSING, StepPace
from seed_server.store.tables import ENDPOINTS, PATCHES, REPORTED_SINCE, STANDING, STANDING_NOTES, TALLIES
from seed_server.store.tables_events import STEPS_LEFT_OUT


class StandingRow(Record, frozen=True):
    """One PC's word on one patch; columns as in the table `standing`."""

    patch: int
    endpoint: int
    said: int
    reason: int
    progress: int
    bytes_from_origin: int
    bytes_from_peers: int
    seconds: int
    reported_at: int
    done_at: int = NOT_DONE
    """To be saved: what `done_times.said_done` returns; as it is read: since when the PC is done."""


class Note(Record, frozen=True):
    """What few PCs have to add; columns as in the table `standing_notes`."""

    bytes_wasted: int = 0
    error: str = ""
    install_output: str = ""
    bytes_built: int = 0


NOTHING_TO_ADD = Note()
NO_TEXT = 0  # of `event_texts`


_Pair = tuple[int, int]  # patch, endpoint
_Bucket = tuple[int, int, int, int]  # a tally's key: patch, site, said, reason
_BUCKET = ("patch", "site", "said", "reason")
_DoneBucket = tuple[int, int]  # patch, `done_at`
_Before = dict[_Pair, tuple[int, int, int, bool]]  # said, reason, since when it is done, whether there is a note


def save_standing(
    connection: Connection,
    rows: Iterable[StandingRow],
    notes: Mapping[tuple[int, int], Note] | None = None,
    because: Mapping[tuple[int, int], str] | None = None,
    pace: StepPace | None = None,
) -> int:
    """Record the newest word of PCs on patches; return how many were recorded.

    ``notes`` are by (patch, endpoint); a row without one loses what it had. ``because``, by the same: why, where the
    history is to keep it. ``pace``: how many steps of each PC it keeps; all without. Of several rows on one pair the
    last one counts. Unknown PCs and unpublished patches are skipped.
    """
    newest = {(row.patch, row.endpoint): row for row in rows}
    return sum(
        _save(connection, [newest[pair] for pair in part], notes or {}, because or {}, pace)
        for part in parts(sorted(newest))
    )


def _save(
    connection: Connection,
    rows: Sequence[StandingRow],
    notes: Mapping[_Pair, Note],
    because: Mapping[_Pair, str],
    pace: StepPace | None,
) -> int:
    found = select(ENDPOINTS.c.number, ENDPOINTS.c.site, ENDPOINTS.c.denied)
    endpoints = connection.execute(found.where(ENDPOINTS.c.number.in_({row.endpoint for row in rows}))).all()
    place_of = {number: site for number, site, _ in endpoints}
    site_of = {number: None if denied else site for number, site, denied in endpoints}
    published = set(
        connection.scalars(select(PATCHES.c.number).where(PATCHES.c.number.in_({row.patch for row in rows})))
    )
    known = [row for row in rows if row.endpoint in site_of and row.patch in published]
    if not known:
        return 0
    before = _before(connection, known)
    changes: Counter[_Bucket] = Counter()
    done: Counter[_DoneBucket] = Counter()
    moved: list[StandingRow] = []
    for place, row in enumerate(known):
        said, reason, done_at, _ = before.get((row.patch, row.endpoint), (None, None, NOT_DONE, False))
        if said != row.said:
            moved.append(row)
        site, since = site_of[row.endpoint], done_since(done_at, row.done_at, row.said)
        if since != row.done_at:
            known[place] = replace(row, done_at=since)
        if site is not None and since != done_at:
            done[row.patch, since] += 1
            done[row.patch, done_at] -= 1
        if site is None or (said, reason) == (row.said, row.reason):
            continue
        changes[row.patch, site, row.said, row.reason] += 1
        if said is not None and reason is not None:
            changes[row.patch, site, said, reason] -= 1
    connection.execute(upsert(connection, STANDING), [msgspec.structs.asdict(row) for row in known])
    _save_notes(connection, known, before, notes)
    if pace is not None:
        moved, because = _kept_steps(connection, moved, because, pace)
    _add_events(connection, moved, place_of, because)
    _change_tallies(connection, changes)
    count_done(connection, done)
    end_follow_ups(connection, [(row.endpoint, row.patch) for row in known if row.done_at != NOT_DONE])
    return len(known)


def _before(connection: Connection, rows: Sequence[StandingRow]) -> _Before:
    table, noted = STANDING.c, STANDING_NOTES.c
    pairs = table_of(connection, [row.patch for row in rows], [row.endpoint for row in rows])
    columns = (table.patch, table.endpoint, table.said, table.reason, table.done_at, noted.patch.is_not(None))
    query = (
        select(*columns)
        .select_from(pairs)
        .join(STANDING, and_(table.patch == pairs.c.first, table.endpoint == pairs.c.second))
        .outerjoin(STANDING_NOTES, and_(noted.patch == table.patch, noted.endpoint == table.endpoint))
    )
    found = connection.execute(query)
    return {(patch, pc): (said, reason, done_at, bool(note)) for patch, pc, said, reason, done_at, note in found}


def _save_notes(
    connection: Connection, rows: Sequence[StandingRow], before: _Before, notes: Mapping[_Pair, Note]
) -> None:
    said, gone = [], []
    for row in rows:
        pair = row.patch, row.endpoint
        note = notes.get(pair, NOTHING_TO_ADD)
        if note != NOTHING_TO_ADD:
            said.append(msgspec.structs.asdict(note) | {"patch": row.patch, "endpoint": row.endpoint})
        elif pair in before and before[pair][3]:
            gone.append({"of_patch": row.patch, "of_endpoint": row.endpoint})
    if said:
        connection.execute(upsert(connection, STANDING_NOTES), said)
    if gone:
        noted = STANDING_NOTES.c
        ours = and_(noted.patch == bindparam("of_patch"), noted.endpoint == bindparam("of_endpoint"))
        connection.execute(STANDING_NOTES.delete().where(ours), gone)


def _kept_steps(
    connection: Connection, moved: Sequence[StandingRow], because: Mapping[_Pair, str], pace: StepPace
) -> tuple[list[StandingRow], Mapping[_Pair, str]]:
    """Return the steps that are kept, and why; of the others it is noted how many there were."""
    kept, words = [], dict(because)
    for row in moved:
        if pace.keeps(row.endpoint, row.reported_at):
            kept.append(row)
            if pace.spent(row.endpoint):
                words[row.patch, row.endpoint] = STEPS_MISSING
    if len(kept) < len(moved):
        left_out = Counter(row.endpoint for row in moved)
        left_out.subtract(row.endpoint for row in kept)
        at = float(max(row.reported_at for row in moved) + REPORTED_SINCE)
        insert = insert_into(connection, STEPS_LEFT_OUT)
        newer = {"steps": STEPS_LEFT_OUT.c.steps + insert.excluded.steps, "last_at": insert.excluded.last_at}
        rows = [{"endpoint": pc, "steps": steps, "last_at": at} for pc, steps in sorted(left_out.items()) if steps]
        connection.execute(insert.on_conflict_do_update(index_elements=["endpoint"], set_=newer), rows)
    return kept, words


def _add_events(
    connection: Connection, rows: Sequence[StandingRow], sites: Mapping[int, int], because: Mapping[_Pair, str]
) -> None:
    months: dict[int, list[StandingRow]] = {}
    for row in rows:
        months.setdefault(month_of(row.reported_at), []).append(row)
    for month, some in months.items():
        steps = sorted(
            some, key=lambda row: (row.reported_at, row.endpoint, row.patch)
        )  # as the key: it grows at its end
        words = [because.get((step.patch, step.endpoint), "") for step in steps]
        texts = event_text_numbers(connection, [text for text in words if text], month) | {"": NO_TEXT}
        values = [
            {
                "at": step.reported_at,
                "endpoint": step.endpoint,
                "patch": step.patch,
                "site": sites[step.endpoint],
                "text": texts[text],
                "said": step.said,
            }
            for step, text in zip(steps, words, strict=True)
        ]
        # two steps within one second are one: the last counts
        connection.execute(upsert(connection, open_part(connection, month)), values)


def _change_tallies(connection: Connection, changes: Mapping[_Bucket, int]) -> None:
    values = [dict(zip(_BUCKET, key, strict=True)) | {"endpoints": n} for key, n in sorted(changes.items()) if n]
    if not values:
        return
    insert = insert_into(connection, TALLIES)
    total = {"endpoints": TALLIES.c.endpoints + insert.excluded.endpoints}
    connection.execute(insert.on_conflict_do_update(index_elements=list(_BUCKET), set_=total), values)
    if fewer := [{f"of_{name}": row[name] for name in _BUCKET} for row in values if row["endpoints"] < 0]:
        ours = and_(*(TALLIES.c[name] == bindparam(f"of_{name}") for name in _BUCKET), TALLIES.c.endpoints == 0)
        connection.execute(TALLIES.delete().where(ours), fewer)


def count_endpoint(connection: Connection, endpoint: int, times: int) -> None:
    """Count what a PC has said in its site once more, or (-1) no more: it is allowed, denied or forgotten now."""
    _count_said(connection, [endpoint], times)
    query = select(STANDING.c.patch, STANDING.c.done_at).where(STANDING.c.endpoint == endpoint)
    done = connection.execute(query.where(STANDING.c.done_at > NOT_DONE))
    count_done(connection, Counter(dict.fromkeys(done, times)))


def move_to_sites(connection: Connection, sites: Mapping[int, int]) -> None:
    """Record in which sites PCs are now, by their numbers; what they said of patches counts there from now on."""
    for part in parts(sorted(sites)):
        query = select(ENDPOINTS.c.number, ENDPOINTS.c.site, ENDPOINTS.c.denied).where(ENDPOINTS.c.number.in_(part))
        rows = [row for row in connection.execute(query) if row.site != sites[row.number]]
        if not rows:
            continue
        counted = [row.number for row in rows if not row.denied]
        _count_said(connection, counted, -1)
        update = ENDPOINTS.update().where(ENDPOINTS.c.number == bindparam("of")).values(site=bindparam("into"))
        connection.execute(update, [{"of": row.number, "into": sites[row.number]} for row in rows])
        _count_said(connection, counted, 1)


def _count_said(connection: Connection, endpoints: Sequence[int], times: int) -> None:
    """Count all that PCs have said ``times`` (1 or -1) more in their sites, within the database: it may be much."""
    said = STANDING.c
    ours = said.endpoint.in_(endpoints)
    names = (said.patch, ENDPOINTS.c.site, said.said, said.reason)
    query = select(*names, times * func.count()).join_from(STANDING, ENDPOINTS).where(ours).group_by(*names)
    insert = insert_into(connection, TALLIES).from_select([*_BUCKET, "endpoints"], query)
    total = {"endpoints": TALLIES.c.endpoints + insert.excluded.endpoints}
    connection.execute(insert.on_conflict_do_update(index_elements=list(_BUCKET), set_=total))
    if times < 0:
        patches = TALLIES.c.patch.in_(select(said.patch).where(ours))
        sites = TALLIES.c.site.in_(select(ENDPOINTS.c.site).where(ENDPOINTS.c.number.in_(endpoints)))
        connection.execute(TALLIES.delete().where(patches, sites, TALLIES.c.endpoints == 0))
