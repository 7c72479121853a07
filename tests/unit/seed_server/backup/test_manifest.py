"""`seed_server.backup.manifest`: a list that was changed, is damaged or is of a newer release is not used."""

import msgspec
import pytest
from msgspec.structs import replace

from seed_server.backup.manifest import (
    BackedUpFile,
    FileList,
    ListError,
    NewerFormatError,
    decode_list,
    encode_list,
    is_kept,
    is_passing,
    is_safe_path,
)

FILE = BackedUpFile("content/a", "ab" * 32, 7)
FILES = FileList(
    backup_at=5.0, server="hq", root_pin="cd" * 32, database="sqlite", revision="0004", files=(FILE,), release="0.3"
)


def test_what_was_written_is_read() -> None:
    read = decode_list(encode_list(FILES))
    assert replace(read, self_sha256="") == FILES
    assert read.digest() == FILES.digest()


@pytest.mark.parametrize(
    ("old", "new"), [(b'"hq"', b'"hk"'), (b'"bytes": 7', b'"bytes": 8'), (b"abab", b"abac"), (b'"format": 1,', b"")]
)
def test_a_changed_list_is_refused(old: bytes, new: bytes) -> None:
    data = encode_list(FILES)
    assert old in data
    with pytest.raises(ListError, match="as it was written|damaged"):
        decode_list(data.replace(old, new, 1))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_list_is_damaged(data: bytes) -> None:
    with pytest.raises(ListError, match="damaged"):
        decode_list(data)


def test_a_newer_format_names_its_release() -> None:
    with pytest.raises(NewerFormatError, match=r"0\.9"):
        decode_list(msgspec.json.encode({"format": 2, "release": "0.9", "anything": 1}))


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "a//b", "a\\b", "C:x", "", "a/", ".", "a\nb"])
def test_a_list_that_leads_out_of_the_home_is_refused(path: str) -> None:
    assert not is_safe_path(path)
    if path:
        with pytest.raises(ListError, match="names files"):
            decode_list(encode_list(replace(FILES, files=(replace(FILE, path=path),))))


def test_a_list_that_names_a_file_twice_is_refused() -> None:
    with pytest.raises(ListError, match="names files"):
        decode_list(encode_list(replace(FILES, files=(FILE, FILE))))


def test_what_is_of_one_running_server_is_left_out() -> None:
    out = [
        "state.db", "state.db-wal", "state-before-0004-from-0001.db", "restored", "moved", "presented", "backed-up",
        "coded", "serve.lock", "a.sock", ".x.0123456789ab.tmp", ".restoring",
    ]  # fmt: skip
    assert [name for name in out if is_kept(name)] == []
    assert all(map(is_kept, ["sites.toml", "archive", "prepared", "rings.toml", "restored.txt"]))
    assert not is_passing("restored")
