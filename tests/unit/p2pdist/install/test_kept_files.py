from pathlib import Path

from p2pdist.install.journal import JournalStore
from p2pdist.install.kept_files import KeptPayloads, drop_kept, keep_payload
from p2pdist.install.lifecycle import InstallRecord, KeptFile
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.transfer.names import NameChange
from tests.helpers.fake_clock import FakeClock
from tests.helpers.patch_views import transfer


async def test_kept_payloads_share_their_bytes_and_old_ones_go(tmp_path: Path) -> None:
    source, directory = tmp_path / "file", tmp_path / "kept" / "acme"
    source.write_bytes(b"payload")
    for version in ("1", "2", "3"):
        await keep_payload(source, directory, KeptFile(version=version, file_name="a.deb", sha256="0" * 64))
    assert (directory / "3" / "a.deb").stat().st_ino == source.stat().st_ino
    changes = await drop_kept(directory, {"2", "3"})
    assert [change.after_ns for change in changes] == [source.stat().st_ctime_ns]
    assert sorted(path.name for path in directory.iterdir()) == ["2", "3"]
    await drop_kept(tmp_path / "nothing", set())


async def test_whoever_keeps_the_proofs_is_told_of_each_name_that_is_given_or_taken(tmp_path: Path) -> None:
    home, told = EndpointHome(tmp_path / "home"), list[NameChange]()
    file = tmp_path / "file"
    file.write_bytes(b"payload")
    before = file.stat().st_ctime_ns
    kept = KeptPayloads(home.kept, JournalStore(home, FakeClock()), told.append)
    assert await kept.keep(PatchRef("acme", "1"), transfer(1).payload, file) is not None
    await kept.drop_unneeded("acme")
    assert [change.before_ns for change in told] == [before, told[0].after_ns]
    assert told[-1].after_ns == file.stat().st_ctime_ns


async def test_what_no_record_needs_is_found_whatever_patch_it_is_of(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path / "home")
    store, file = JournalStore(home, FakeClock()), tmp_path / "file"
    file.write_bytes(b"payload")
    kept = KeptPayloads(home.kept, store, lambda _: None)
    await kept.drop_left()
    own = await kept.keep(PatchRef("acme", "2"), transfer(1).payload, file)
    await kept.keep(PatchRef("acme", "1"), transfer(1).payload, file)
    await kept.keep(PatchRef("lost", "1"), transfer(1).payload, file)
    store.journal = store.journal.with_record(
        InstallRecord(patch_id="acme", version="2", state="installed", first_seen_at=0, changed_at=0, own=own)
    )
    await kept.drop_left()
    assert [str(path.relative_to(home.kept)) for path in home.kept.rglob("*")] == ["acme", "acme/2", "acme/2/f"]


async def test_what_is_kept_of_a_patch_may_serve_as_a_base_the_installed_version_before_the_one_before(
    tmp_path: Path,
) -> None:
    home = EndpointHome(tmp_path / "home")
    store, file = JournalStore(home, FakeClock()), tmp_path / "file"
    file.write_bytes(b"payload")
    kept = KeptPayloads(home.kept, store, lambda _: None)
    previous = await kept.keep(PatchRef("acme", "1"), transfer(1).payload, file)
    own = await kept.keep(PatchRef("acme", "2"), transfer(2).payload, file)
    for patch_id in ("acme", "other"):
        record = InstallRecord(
            patch_id=patch_id, version="2", state="installed", first_seen_at=5, changed_at=9, own=own, previous=previous
        )
        store.journal = store.journal.with_record(record)
    found = kept.bases({"acme"})
    assert [(each.patch_id, each.version, each.since) for each in found] == [("acme", "2", 9), ("acme", "1", 5)]
    assert [each.sha256 for each in found] == [transfer(2).payload.sha256, transfer(1).payload.sha256]
    assert [Path(each.kept).read_bytes() for each in found] == [b"payload"] * 2
    assert kept.bases(()) == []
