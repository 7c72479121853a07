"""`seed_server.store.idle_content`, on both databases."""

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import PatchReport, PatchState
from seed_server.store.database import Database
from seed_server.store.idle_content import MAX_REFS_AT_ONCE
from seed_server.store.rows import ServedPayload

NOW = 1_800_000_000.0


def test_what_is_idle_is_so_since_it_was_first_seen(database: Database) -> None:
    assert database.note_idle_content({"a", "b"}, NOW) == {"a": NOW, "b": NOW}
    assert database.note_idle_content({"b", "c"}, NOW + 5) == {"b": NOW, "c": NOW + 5}
    assert database.note_idle_content({"b", "c"}, NOW + 9) == database.idle_content() == {"b": NOW, "c": NOW + 5}
    assert database.note_idle_content({"a", "b", "c"}, NOW + 9)["a"] == NOW + 9
    assert database.note_idle_content({"b"}, NOW - 1) == {"b": NOW - 1}, "the clock was ahead"
    database.forget_idle_content("b")
    database.forget_idle_content("unknown")
    assert database.idle_content() == {}
    assert database.note_idle_content((), NOW) == {}


def payload(patch_id: str, number: int) -> ServedPayload:
    return ServedPayload(
        patch_id=patch_id, version="1", title="", severity="low", cvss=None, file_name="f", sha256=f"{number:064x}",
        length_bytes=1, torrent_hash=f"{number:064x}", piece_length_bytes=1, piece_count=1, sequence=number,
        published_at=NOW,
    )  # fmt: skip


def say(database: Database, endpoint: str, patch_id: str, state: PatchState, at: float) -> None:
    report = PatchReport(
        patch_id=patch_id, version="1", state=state, progress=0.5, bytes_from_origin=0, bytes_from_peers=0,
        bytes_wasted=0, seconds=1.0, error="", install="",
    )  # fmt: skip
    database.save_reports({endpoint: [report]}, at)


def test_who_fetches_is_who_has_said_so_lately(database: Database) -> None:
    for name in ("pc-1", "pc-2"):
        database.add_endpoint(name, name, NOW)
    states: tuple[PatchState, ...] = ("waiting", "checking", "fetching", "verifying", "verified", "failed")
    for number, state in enumerate(states):
        database.add_patch(payload(state, number))
        say(database, "pc-1", state, state, NOW)
    refs = [PatchRef(state, "1") for state in states] + [PatchRef("unknown", "1"), PatchRef("fetching", "2")]
    assert {ref.patch_id for ref in database.fetched_since(refs, NOW - 10)} == {"checking", "fetching", "verifying"}
    assert database.fetched_since([PatchRef("verified", "1")], NOW - 10) == set()
    assert database.fetched_since(refs, NOW + 1) == set()
    database.set_denied("pc-1", denied=True)
    assert database.fetched_since(refs, 0.0) == set()
    say(database, "pc-2", "checking", "fetching", NOW)
    many = [PatchRef(f"p{n}", "1") for n in range(MAX_REFS_AT_ONCE + 5)]
    assert database.fetched_since([*many, *refs], 0.0) == {PatchRef("checking", "1")}
