from pathlib import Path

from p2pdist.install.kept_files import drop_kept, keep_payload
from p2pdist.install.lifecycle import KeptFile


async def test_kept_payloads_share_their_bytes_and_old_ones_go(tmp_path: Path) -> None:
    source, directory = tmp_path / "file", tmp_path / "kept" / "acme"
    source.write_bytes(b"payload")
    for version in ("1", "2", "3"):
        await keep_payload(source, directory, KeptFile(version=version, file_name="a.deb", sha256="0" * 64))
    assert (directory / "3" / "a.deb").stat().st_ino == source.stat().st_ino
    await drop_kept(directory, {"2", "3"})
    assert sorted(path.name for path in directory.iterdir()) == ["2", "3"]
    await drop_kept(tmp_path / "nothing", set())
