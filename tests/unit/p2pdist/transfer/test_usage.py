"""`p2pdist.transfer.usage`: real files with several names count once."""

from pathlib import Path

from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.transfer.usage import disk_use


def test_a_file_with_names_in_three_places_counts_once_and_by_its_blocks(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    assert disk_use(home).files == ()
    cached, placed, kept = home.cache / "a", home.patches / "acme" / "2" / "f", home.kept / "acme" / "2" / "f"
    for path in (cached, placed, kept, home.kept / "acme" / "1" / "f"):
        path.parent.mkdir(parents=True, exist_ok=True)
    cached.write_bytes(b"x" * 100_000)
    placed.hardlink_to(cached)
    kept.hardlink_to(cached)
    (home.kept / "acme" / "1" / "f").write_bytes(b"x")
    with (home.cache / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 30)
    (home.cache / "link").symlink_to(cached)
    use = disk_use(home)
    by_names = {(tuple(sorted(file.cached)), tuple(file.kept)): file.disk_bytes for file in use.files}
    assert by_names.keys() == {
        (("a",), (PatchRef("acme", "2"),)), (("sparse",), ()), ((), (PatchRef("acme", "1"),)),
    }  # fmt: skip
    assert 100_000 <= by_names[("a",), (PatchRef("acme", "2"),)] < 200_000
    assert by_names[("sparse",), ()] < 1 << 20
    assert use.used_bytes == sum(by_names.values())
    assert use.free_bytes > 0
