"""`p2pdist.transfer.names`: names that the daemon itself gives and takes leave the proof of a file as it is."""

import os
from pathlib import Path

from msgspec.structs import replace

from p2pdist.transfer.names import NameChange, give_name, take_name, with_proof_after
from p2pdist.transfer.transfer import new_record
from tests.helpers.patch_views import transfer


def test_a_name_given_and_taken_says_what_became_of_the_files_own_time_of_change(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"payload")
    before = file.stat()
    given = give_name(file, tmp_path / "other")
    assert (given.inode, given.before_ns, given.after_ns) == (
        before.st_ino,
        before.st_ctime_ns,
        file.stat().st_ctime_ns,
    )
    assert (tmp_path / "other").samefile(file)
    taken = take_name(tmp_path / "other")
    assert taken == NameChange(before.st_ino, given.after_ns, file.stat().st_ctime_ns)
    assert not (tmp_path / "other").exists()


def test_what_is_no_file_goes_without_a_word(tmp_path: Path) -> None:
    assert take_name(tmp_path / "missing") is None
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    assert take_name(tmp_path / "link") is None
    os.mkfifo(tmp_path / "pipe")
    take_name(tmp_path / "pipe")
    assert list(tmp_path.iterdir()) == []


def test_only_a_proof_that_held_right_before_holds_after() -> None:
    proven = replace(new_record(transfer(1).patches, 0.0), verified_inode=7, verified_ctime_ns=100)
    first, second = NameChange(7, 100, 110), NameChange(7, 110, 125)
    assert with_proof_after(proven, first, second).verified_ctime_ns == 125
    for other in (NameChange(7, 101, 110), NameChange(8, 100, 110)):
        assert with_proof_after(proven, other) is proven
    unproven = replace(proven, verified_ctime_ns=None)
    assert with_proof_after(unproven, first) is unproven
