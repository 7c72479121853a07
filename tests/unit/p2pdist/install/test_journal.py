"""`p2pdist.install.journal`: the journal on disk; an outcome and its record in custody are one write."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from p2pdist.install.journal import JournalStore, load_journal, save_journal
from p2pdist.install.lifecycle import InstallRecord, Journal, LifeState
from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.custody import CustodyRecord
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire import codec

RECORD = InstallRecord(patch_id="acme", version="2", state="installing", first_seen_at=1.0, changed_at=1.0, decision=3)


async def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "state" / "installs.msgpack"
    assert await load_journal(path, 7.5) == Journal()
    journal = Journal(decisions=3, records=(RECORD,))
    await save_journal(path, journal)
    assert await load_journal(path, 7.5) == journal


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x80" * 9])
async def test_damaged_journal_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "installs.msgpack"
    path.write_bytes(damage)
    assert await load_journal(path, 7.5) == Journal()
    (aside,) = tmp_path.iterdir()
    assert aside.name == "installs.msgpack.damaged-7"
    assert aside.read_bytes() == damage


async def test_every_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "installs.msgpack"
    await save_journal(path, Journal(decisions=3, records=(RECORD,)))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :])
        assert isinstance(await load_journal(path, 7.5), Journal)


async def test_unreadable_journal_is_no_empty_journal(tmp_path: Path) -> None:
    path = tmp_path / "installs.msgpack"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        await load_journal(path, 7.5)


# --- custody

REF = PatchRef("acme", "2")
WAITING = InstallRecord(patch_id="acme", version="2", state="waiting", first_seen_at=1.0, changed_at=1.0, number=7)
LIFE: tuple[LifeState, ...] = ("installing", "detecting", "checking", "installed")


def outcomes(journal: Journal) -> list[str]:
    read: list[CustodyRecord] = [codec.decode(one, CustodyRecord, max_bytes=1 << 10) for one in journal.custody.records]
    assert all((one.patch_id, one.version, one.number) == ("acme", "2", 7) for one in read)
    return [one.outcome for one in read]


def lived(journal: Journal, *states: LifeState, decision: int = 1) -> Journal:
    for state in states:
        record = replace(journal.record(REF) or WAITING, state=state, decision=decision)
        journal = journal.with_record(record)
    return journal


def test_each_outcome_has_one_record() -> None:
    journal = lived(Journal(records=(WAITING,)), *LIFE, "installed", "installed")
    assert outcomes(journal) == ["installed"]
    journal = lived(journal, "waiting", "waiting")
    assert outcomes(journal) == ["installed", "waiting"]  # it is gone
    journal = lived(journal, "installing", "detecting", "rolling_back", "rolled_back", decision=2)
    journal = lived(journal, "waiting", "installing", "failed", decision=3)
    assert outcomes(journal) == ["installed", "waiting", "rolled_back", "failed"]


def test_an_attempt_that_found_something_busy_is_no_outcome() -> None:
    journal = Journal(records=(WAITING,))
    for decision in range(1, 50):
        journal = lived(journal, "installing", "detecting", "waiting", decision=decision)
    assert outcomes(journal) == []


async def live(store: JournalStore, state: LifeState) -> None:
    await store.update(REF, lambda record: replace(record, state=state, decision=1))


@pytest.mark.parametrize("lost", range(len(LIFE)))
async def test_a_kill_at_any_step_loses_no_record_and_makes_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    home = EndpointHome(tmp_path)
    store = JournalStore(home, SystemClock())
    await store.change(lambda journal: journal.with_record(WAITING))
    write = durable_files.write_file
    writes = iter(range(len(LIFE)))

    def killed(*args: object, **more: object) -> None:
        if next(writes) == lost:
            raise KeyboardInterrupt
        write(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(durable_files, "write_file", killed)
    for state in LIFE[:lost]:
        await live(store, state)
    with pytest.raises(KeyboardInterrupt):
        await live(store, LIFE[lost])
    monkeypatch.undo()

    again = JournalStore(home, SystemClock())
    await again.load()
    assert outcomes(again.journal) == []
    for state in LIFE[lost:]:
        await live(again, state)
    kept = await load_journal(home.installs, 0.0)
    assert outcomes(kept) == ["installed"]
    assert kept.custody.root() == again.journal.custody.root()


async def test_a_journal_from_before_custody_is_read(tmp_path: Path) -> None:
    path = tmp_path / "installs.msgpack"
    old = {"decisions": 3, "records": [], "history": [], "lowest": {"acme": 7}}
    path.write_bytes(codec.encode(old))
    journal = await load_journal(path, 0.0)
    assert (journal.decisions, journal.custody.size) == (3, 0)


def put_aside(path: Path, number: int) -> None:
    """Do what a release from before custody does with a journal that has it."""
    path.rename(path.with_name(f"{path.name}.damaged-{number}"))


async def test_custody_goes_on_after_a_release_from_before_it_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "installs.msgpack"
    before = lived(Journal(), *LIFE)
    await save_journal(path, Journal(custody=before.custody.with_record(CustodyRecord(1, "acme", "1", 7, 1, "failed"))))
    put_aside(path, 90)  # long ago
    await save_journal(path, before)
    put_aside(path, 100)
    path.with_name(f"{path.name}.damaged-110").write_bytes(b"\xc1")
    path.with_name(f"{path.name}.damaged-x").write_bytes(b"")
    path.write_bytes(codec.encode({"decisions": 9, "records": [], "history": [], "lowest": {}}))
    after = await load_journal(path, 120.0)
    assert (after.decisions, after.records, after.custody.size) == (9, (), before.custody.size + 1)
    assert after.custody.frontier_at(before.custody.size) == before.custody.frontier_at(before.custody.size)
    said: CustodyRecord = codec.decode(after.custody.records[-1], CustodyRecord, max_bytes=1 << 10)
    assert said == CustodyRecord(100, "", "", 0, 0, "aside")
    assert await load_journal(path, 125.0) == after, "it may have been told to the server"
    await save_journal(path, after)
    assert await load_journal(path, 130.0) == after, "said once"


async def test_custody_that_cannot_be_read_any_more_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "installs.msgpack"
    for number in range(9):
        path.with_name(f"{path.name}.damaged-{number}").write_bytes(b"\xc1")
    assert await load_journal(path, 9.0) == Journal()
