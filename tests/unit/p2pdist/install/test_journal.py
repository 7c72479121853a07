"""`p2pdist.install.journal`: the journal on disk."""

from pathlib import Path

import pytest

from p2pdist.install.journal import load_journal, save_journal
from p2pdist.install.lifecycle import InstallRecord, Journal

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
